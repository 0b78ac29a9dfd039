import json

import numpy as np
import pytest
from PIL import Image

from ml.editing import EDITOR_VERSION
from ml.evaluation.realism.edits import harvest
from ml.evaluation.realism.figures import write_figures
from ml.evaluation.realism.galleries import plane_of, write_galleries
from ml.evaluation.realism.report import evaluate_generator, write_report
from ml.scans.cases import find_cases
from ml.scans.volume_io import write_volume


def save(folder, phantom, *, twin):
    """A phantom as a case folder, with a twin, or as a real scan comes: with labels of liver and lesions."""
    folder.mkdir(parents=True)
    write_volume(folder / "ct.nii.gz", phantom.hu, phantom.grid)
    if twin:
        write_volume(folder / "lesion_free.nii.gz", phantom.lesion_free_hu, phantom.grid)
        write_volume(folder / "liver.nii.gz", phantom.liver.astype(np.uint8), phantom.grid)
        write_volume(folder / "lesions.nii.gz", phantom.labels, phantom.grid)
    else:
        tissue = phantom.liver.astype(np.uint8)
        tissue[phantom.labels > 0] = 2
        write_volume(folder / "labels.nii.gz", tissue, phantom.grid)


@pytest.fixture(scope="module")
def scans(tmp_path_factory, phantom):
    folder = tmp_path_factory.mktemp("scans")
    save(folder / "with" / "phantom", phantom, twin=True)
    save(folder / "without" / "scan", phantom, twin=False)
    return folder


@pytest.fixture(scope="module")
def reports(scans, demo_generator):
    with pytest.MonkeyPatch.context() as patch:
        # What networks find is asked in test_realism.py.
        patch.setattr("ml.evaluation.supervised.EPOCHS", 1)
        return {
            "with": evaluate_generator(find_cases(scans / "with"), demo_generator, training=scans / "with"),
            "without": evaluate_generator(find_cases(scans / "without"), demo_generator),
        }


def by_name(report):
    return {entry["name"]: entry for entry in report["gate"]}


def test_the_report_has_the_keys_that_are_read_and_is_strict_json(reports, tmp_path):
    for report in reports.values():
        keys = {"two_sample", "measurements", "refused_edits", "held_out_cases", "generator_sha256", "gate"}
        assert keys <= set(report)
        write_report(report, tmp_path / "report.json")
        json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
        for entry in report["gate"]:
            assert {"name", "value", "low", "high", "target", "comparison", "passed"} <= set(entry)
            assert (entry["value"] is None) == (entry["passed"] is None)


def test_the_report_says_whose_scans_and_which_editor_it_is_of(reports):
    assert {name: report["measured_on"] for name, report in reports.items()} == {"with": "phantoms", "without": "scans"}
    assert all(report["editor_version"] == EDITOR_VERSION for report in reports.values())


def test_edits_leave_every_voxel_outside_their_box_alone(reports):
    for report in reports.values():
        entry = by_name(report)["differing voxels outside the box"]
        assert entry["value"] == 0
        assert entry["n"] > 4


def test_without_a_twin_its_tests_are_left_out_and_said_to_be(reports):
    gates = {name: by_name(report) for name, report in reports.items()}
    for name in (
        "removal: error inside against the twin",
        "removal: systematic residual at the edge / noise",
        "insertion: noise at the rim, relative to a real rim",
    ):
        assert gates["with"][name]["passed"] is not None
        assert gates["without"][name]["passed"] is None
        assert gates["without"][name]["note"] == "not measured: no lesion-free twin"
    assert gates["without"]["asked contrast, error (95 % of edits)"]["passed"]


def test_one_patient_is_said_to_be_one(reports):
    assert "one patient: patches, not patients, are resampled" in reports["without"]["notes"]


def test_figures_are_drawn_with_and_without_twins(reports, tmp_path):
    for name, report in reports.items():
        paths = write_figures(report, tmp_path / name)
        assert len(paths) == 4
        assert all("<svg" in path.read_text() for path in paths)


def test_galleries_show_insertions_and_removals(scans, demo_generator, tmp_path):
    paths = write_galleries(find_cases(scans / "without"), demo_generator, tmp_path, count=1)
    assert [p.name for p in paths] == ["insertion_1.png", "removal_1.png"]
    for path in paths:
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 10


def test_a_plane_keeps_physical_proportions():
    volume = np.zeros((40, 200, 300), np.int16)
    for plane, axes in enumerate(((1, 2), (0, 2), (0, 1))):
        picture, (left, right, bottom, top) = plane_of(volume, (4.0, 0.8, 0.7), np.array([20.0, 100.0, 150.0]), plane)
        assert abs(top - bottom) / picture.shape[0] == pytest.approx((4.0, 0.8, 0.7)[axes[0]])
        assert (right - left) / picture.shape[1] == pytest.approx((4.0, 0.8, 0.7)[axes[1]])


def test_processes_that_share_the_scans_give_the_result_of_one(scans, demo_generator):
    files = find_cases(scans / "with") + find_cases(scans / "without")
    alone, shared = (harvest(files, demo_generator, jobs=jobs) for jobs in (1, 2))
    assert alone.patients == shared.patients
    # As JSON, for a number that is missing on both sides is no difference.
    assert json.dumps(alone.rows) == json.dumps(shared.rows)
    for name, patches in alone.patches.items():
        assert np.array_equal(np.array(patches), np.array(shared.patches[name]), equal_nan=True)
