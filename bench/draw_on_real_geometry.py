"""How many cases a draw finds among real lesions, and how alike the kinds are.

Run `python -m bench.draw_on_real_geometry`. Sizes and places are those of lesions of the LiTS training set (8 to 40 mm;
`shared/ct/lits_shapes/lesions.csv` in a folder above). A batch is imitated: three lesions a patient, each where a
lesion of somebody stands in his liver.
"""

import csv
import os
import time
from collections import Counter
from pathlib import Path

import django
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
LESIONS = Path("shared", "ct", "lits_shapes", "lesions.csv")
# A liver of middling size: towards the left, the back and the head.
LIVER_MM = np.array([200.0, 170.0, 160.0])
EDITS_PER_PATIENT = 3


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ctplatform.settings.testing")
    django.setup()
    from readerstudy.design.pictures import Picture

    table = next((folder / LESIONS for folder in ROOT.parents if (folder / LESIONS).exists()), None)
    if table is None:
        raise SystemExit(f"{LESIONS} is in no folder above: this benchmark needs the geometry of real lesions.")
    pictures = {
        "patch": Picture(whole=False, field_of_view_mm=50, slices_mm=2),
        "slice": Picture(whole=True, field_of_view_mm=50, slices_mm=2),
        "stack": Picture(whole=True, field_of_view_mm=50, slices_mm=45),
    }
    print(f"{'display':<8}{'planned':>8}{'drawn':>7}{'patients':>9}{'same':>6}{'worst AUC':>10}  verdicts, seconds")
    for name, picture in pictures.items():
        real, synthetic = candidates(table, picture)
        for planned in (100, 200):
            print(f"{name:<8}{planned:>8}{draw(real, synthetic, picture, planned)}")


def candidates(table, picture):
    with table.open() as file:
        lesions = [row for row in csv.DictReader(file) if row["spacing_valid"] == "1"]
    patients = {}
    for row in lesions:
        patients.setdefault(row["case"], []).append((place_of(row), float(row["eq_diam_mm"]) / 2))
    fitting = [row for row in lesions if 8 <= float(row["eq_diam_mm"]) <= 40]
    random = np.random.default_rng(1)
    real = [candidate(False, row["case"], row, place_of(row), patients, picture) for row in fitting]
    synthetic = []
    for patient in sorted(patients):
        for _ in range(EDITS_PER_PATIENT):
            row = fitting[random.integers(len(fitting))]
            place = np.clip(place_of(row) + random.normal(0, 0.03, 3) * LIVER_MM, 0, LIVER_MM)
            synthetic.append(candidate(True, patient, row, place, patients, picture))
    return real, synthetic


def place_of(row):
    return np.array([float(row[name]) for name in ("rel_x", "rel_y", "rel_z")]) * LIVER_MM


def candidate(synthetic, patient, row, place, patients, picture):
    from types import SimpleNamespace

    from readerstudy.design.candidate import Candidate

    others = [
        SimpleNamespace(centroid_lps_mm=centre, diameter_mm=2 * radius)
        for centre, radius in patients[patient]
        if synthetic or not np.array_equal(centre, place)
    ]
    distances = picture.others(place, others)
    left, back, head = place / LIVER_MM
    return Candidate(
        synthetic=synthetic,
        scan=f"{patient} {'edit' if synthetic else ''}",
        root=patient,
        subject=patient,
        place_lps_mm=tuple(float(v) for v in place),
        diameter_mm=float(row["eq_diam_mm"]),
        depth_mm=float(row["depth_mm"]),
        column_mm=float(place[0]),
        row_mm=float(place[1]),
        slice_share=float(head),
        liver_left=float(left),
        liver_back=float(back),
        liver_head=float(head),
        others=len(distances),
        other_distance_mm=min(distances, default=None),
    )


def draw(real, synthetic, picture, planned):
    from readerstudy.design.likeness import match_report
    from readerstudy.design.matching import matched_draw

    started = time.perf_counter()
    pairs = matched_draw(real, synthetic, pairs=planned // 2, seed=5, shares_picture=picture.shares)
    seconds = time.perf_counter() - started
    report = match_report([case for pair in pairs for case in pair])
    same = sum(one.subject == other.subject for one, other in pairs)
    worst = max(abs(measure["auc"] - 0.5) for measure in report["measures"]) + 0.5
    verdicts = dict(Counter(measure["verdict"] for measure in report["measures"]))
    return f"{2 * len(pairs):>7}{report['subjects']:>9}{same:>6}{worst:>10.3f}  {verdicts}, {seconds:.0f} s"


if __name__ == "__main__":
    main()
