"""Scans and what two other programs made of them, as files with a manifest: a blob with a soft edge, a copied lesion."""

import csv

import numpy as np
from scipy import special

from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.importing.said import Said
from ml.scans.volume_io import write_volume
from tests.factories import make_dataset
from tests.phantoms import ball
from tests.readerstudy.worlds import CORNERS, GRID, LESION_HU, ct_with_lesions

HOSTS = 8
DIAMETER_MM, EDGE_MM = 9.0, 1.5
BLOB, COPY = "BlobGAN 2.1, inserted", "Copier, inserted"
BANDED = "banding in the lung"


def places(number):
    """Two real lesions, the blob and the copy of a host: over all hosts every corner has each as often."""
    return [CORNERS[(number + step) % 4] for step in range(4)]


def with_blob(volume, place):
    """A smooth sphere added: its edge is an error function, and the scan's own noise stays."""
    z, y, x = np.indices(volume.shape)
    steps_mm = [(axis - at) * step for axis, at, step in zip((z, y, x), place, GRID.spacing_zyx_mm, strict=True)]
    distance_mm = np.sqrt(sum(step**2 for step in steps_mm))
    profile = special.erfc((distance_mm - DIAMETER_MM / 2) / EDGE_MM) / 2
    return (volume + np.rint(LESION_HU * profile)).astype(np.int16)


def with_copy(volume, place, other, other_place):
    """A lesion of another patient, mirrored, with all of its texture."""
    to, source = ball(GRID, place, DIAMETER_MM), ball(GRID, other_place, DIAMETER_MM)
    made = volume.copy()
    made[to] = other[source][::-1]
    return made


def write_files(folder, *, finish_copies=lambda volume: volume):
    """The files and their manifest; `finish_copies` is what the copier's program does to a volume when it writes it."""
    volumes = [ct_with_lesions(300 + number, places(number)[:2]) for number in range(HOSTS)]
    rows = []
    for name in ("real", "blob", "copy"):
        (folder / name).mkdir(parents=True)
    for number, (volume, liver, lesions) in enumerate(volumes):
        first, _, blob, copy = places(number)
        other = (number + 4) % HOSTS
        made = {
            "real": volume,
            "blob": with_blob(volume, blob),
            "copy": finish_copies(with_copy(volume, copy, volumes[other][0], places(other)[0])),
        }
        for arm, content in made.items():
            write_volume(folder / arm / f"p{number}.nii.gz", content, GRID)
        write_volume(folder / "real" / f"p{number}_liver.nii.gz", liver, GRID)
        write_volume(folder / "real" / f"p{number}_tumor.nii.gz", lesions, GRID)
        told = {"host": f"real/p{number}.nii.gz", "operation": "insert", "diameter_mm": DIAMETER_MM}
        rows += [
            {"file": f"real/p{number}.nii.gz", "real_or_synthetic": "real", "subject": f"P{number}"},
            {"file": f"blob/p{number}.nii.gz", "generator": "BlobGAN", "version": "2.1", "centre_mm": at(blob), **told},
            {"file": f"copy/p{number}.nii.gz", "generator": "Copier", "centre_mm": at(copy), **told},
        ]
    write_volume(folder / "blob" / "bad.nii.gz", with_blob(volumes[0][0], first), GRID)
    bad = {"file": "blob/bad.nii.gz", "generator": "BlobGAN", "version": "2.1", "excluded_because": BANDED}
    rows.append(bad | {"host": "real/p0.nii.gz", "operation": "insert", "centre_mm": at(first), "diameter_mm": 9})
    with (folder / "manifest.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, sorted({name for row in rows for name in row}))
        writer.writeheader()
        writer.writerows(rows)
    return folder


def at(place):
    return " ".join(f"{v:.3f}" for v in GRID.to_world(place))


def brought_in(folder, owner):
    """The dataset that the files and their manifest become."""
    dataset = make_dataset(owner=owner)
    manifest = folder / "manifest.csv"
    said = Said.of(manifest=manifest.read_bytes())
    manifest.unlink()
    outcome = import_path(folder, ImportOrder(dataset=dataset, created_by=owner, said=said))
    outcome.save()
    assert outcome.reasons() == []
    return dataset
