"""Images that other programs made: what is told of them, what their files say, and what contradicts."""

import csv
import io
from contextlib import suppress

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from hypothesis import given, settings
from hypothesis import strategies as st

from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.exporting.dicom_ct import as_file, ct_series
from ctplatform.datasets.importing.manifest import COLUMNS, read_manifest
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.importing.said import Said
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Made, Operation, Origin, Scan, Verdict
from ctplatform.datasets.scans import voxels
from ctplatform.errors import DomainError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job
from ml.scans.volume_io import write_volume
from tests.factories import edited_here, make_dataset, make_scan
from tests.phantoms import ball, small_ct, small_grid

pytestmark = pytest.mark.django_db
GRID = small_grid((12, 40, 40))
LESION = ball(GRID, (6, 18, 22), 9)


def table(*rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, sorted({name for row in rows for name in row}))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


@pytest.fixture
def folder(tmp_path):
    """A scan of a patient, and what two other programs made of it: a blob with a soft edge, and a whole image."""
    top = tmp_path / "import"
    host = small_ct(GRID, seed=1)
    blob = host.copy()
    blob[LESION] -= 60
    for name, volume in {"real/case1": host, "gan/case1": blob, "diffusion/sample7": small_ct(GRID, seed=9)}.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        write_volume(top / f"{name}.nii.gz", volume, GRID)
    return top


BLOB = {
    "file": "gan/case1.nii.gz",
    "generator": "BlobGAN",
    "version": "2.1",
    "operation": "insert",
    "host": "real/case1.nii.gz",
    "kind": "ring-enhancing",
    "arm": "gan",
    "subject": "",
}
REAL = {"file": "real/case1.nii.gz", "real_or_synthetic": "real", "subject": "P-07"}
WHOLE = {"file": "diffusion/sample7.nii.gz", "generator": "Diffuser", "excluded_because": "noise unlike a scanner's"}


def bring(folder, *rows, dataset=None):
    dataset = dataset or make_dataset()
    said = Said.of(manifest=table(*rows)) if rows else Said()
    outcome = import_path(folder, ImportOrder(dataset=dataset, created_by=dataset.owner, said=said))
    outcome.save()
    return dataset, outcome


def test_each_image_becomes_what_its_row_tells(folder):
    dataset, outcome = bring(folder, WHOLE, BLOB, REAL)
    assert outcome.reasons() == []
    real = dataset.scans.get(origin=Origin.ACQUIRED)
    assert real.subject == "P-07"
    edit = dataset.scans.get(provenance__operation=Operation.INSERT)
    made = edit.provenance
    assert (made.made, made.generator_name, made.generator_version) == (Made.ELSEWHERE, "BlobGAN", "2.1")
    assert (edit.source_scan, made.source_scan, edit.subject) == (real, real, "P-07")
    assert (made.kind, made.details["arm"], made.verdict) == ("ring_enhancing", "gan", Verdict.PENDING)
    whole = dataset.scans.get(provenance__operation=Operation.WHOLE)
    assert (whole.provenance.verdict, whole.provenance.verdict_reason) == (Verdict.REJECTED, WHOLE["excluded_because"])
    assert whole.provenance.reviewed_by == dataset.owner


def test_why_a_row_is_excluded_is_kept_for_those_who_count(folder):
    dataset, _ = bring(folder, WHOLE, BLOB, REAL | {"excluded_because": "motion"})
    real, whole = dataset.scans.get(origin=Origin.ACQUIRED), dataset.scans.get(provenance__operation=Operation.WHOLE)
    assert real.import_report["excluded_because"] == "motion"
    assert "the manifest excludes it from studies: motion" in real.import_report["notes"]
    assert whole.provenance.details["excluded_because"] == WHOLE["excluded_because"]


def test_what_was_changed_is_seen_in_the_voxels_when_nobody_tells(folder):
    dataset, _ = bring(folder, BLOB, REAL)
    edit = dataset.scans.get(origin=Origin.SYNTHETIC)
    changed = voxels.read_labels(edit.masks.get(kind=MaskKind.CHANGED).pk, GRID)
    assert np.array_equal(changed > 0, LESION)
    expected = GRID.to_world(np.argwhere(LESION).mean(axis=0))
    assert np.allclose(edit.provenance.centre_lps_mm, expected, atol=1e-6)
    assert edit.provenance.diameter_mm == pytest.approx((6 / np.pi * LESION.sum() * GRID.voxel_volume_mm3) ** (1 / 3))


def test_a_mask_and_a_place_that_are_told_hold(folder):
    write_volume(folder / "gan" / "lesion_tumor.nii.gz", LESION, GRID)
    row = BLOB | {"mask": "gan/lesion_tumor.nii.gz", "centre_mm": "1 2 3", "diameter_mm": "12.5"}
    dataset, outcome = bring(folder, row, REAL)
    assert outcome.reasons() == []
    edit = dataset.scans.get(origin=Origin.SYNTHETIC)
    assert set(edit.masks.values_list("kind", flat=True)) == {MaskKind.CHANGED, MaskKind.LESION}
    assert (edit.provenance.centre_lps_mm, edit.provenance.diameter_mm) == ([1, 2, 3], 12.5)


def with_masks(folder, of="real/case1", **masks):
    for name, mask in masks.items():
        write_volume(folder / f"{of}_{name}.nii.gz", mask, GRID)


OTHER = ball(GRID, (6, 28, 12), 7)


def test_what_came_is_a_lesion_beside_those_of_the_host(folder):
    with_masks(folder, liver=np.ones_like(LESION), tumor=OTHER)
    dataset, outcome = bring(folder, BLOB | {"diameter_mm": "6"}, REAL)
    assert outcome.reasons() == []
    edit = dataset.scans.get(origin=Origin.SYNTHETIC)
    host = edit.source_scan
    assert set(edit.masks.values_list("kind", flat=True)) == {MaskKind.CHANGED, MaskKind.LESION, MaskKind.LIVER}
    old, new = edit.lesions.order_by("inserted")
    assert (old.number, old.inserted, old.measurements) == (1, False, host.lesions.get().measurements)
    assert (new.inserted, new.kind) == (True, "ring_enhancing")
    assert np.linalg.norm(np.subtract(new.centroid_lps_mm, edit.provenance.centre_lps_mm)) < 1
    assert new.diameter_mm == pytest.approx(6, rel=0.15)  # of what changed, as much as was told
    assert new.contrast_hu == pytest.approx(-60, abs=5)


def test_of_lesions_that_are_told_those_where_voxels_changed_were_inserted(folder):
    with_masks(folder, tumor=OTHER)
    with_masks(folder, "gan/case1", tumor=OTHER | LESION)
    dataset, _ = bring(folder, BLOB, REAL)
    edit = dataset.scans.get(origin=Origin.SYNTHETIC)
    told = {lesion.inserted: lesion for lesion in edit.lesions.all()}
    assert told[True].diameter_mm > told[False].diameter_mm
    assert not edit.source_scan.lesions.get().inserted


@pytest.mark.parametrize("own_mask", [False, True])
def test_a_patients_lesion_stays_one_although_every_voxel_was_written_anew(folder, own_mask):
    with_masks(folder, tumor=OTHER)
    if own_mask:
        with_masks(folder, "gan/case1", tumor=OTHER | LESION)
    blob = small_ct(GRID, seed=1) // 2 * 2 + 1  # no voxel is as it was, or half of them
    blob[LESION] -= 60
    write_volume(folder / "gan" / "case1.nii.gz", blob, GRID)
    centre = " ".join(f"{v:.2f}" for v in GRID.to_world((6, 18, 22)))
    dataset, outcome = bring(folder, BLOB | {"centre_mm": centre, "diameter_mm": "9"}, REAL)
    assert outcome.reasons() == []
    told = dataset.scans.get(origin=Origin.SYNTHETIC).lesions.order_by("-diameter_mm")
    assert [lesion.inserted for lesion in told] == [True, False]


def test_an_edit_on_a_grid_of_its_own_says_where_its_lesion_is(folder):
    finer = small_grid((12, 44, 44))
    lesion = ball(finer, (6, 18, 22), 9)
    (folder / "gan" / "case1.nii.gz").unlink()
    write_volume(folder / "gan" / "case1.nii.gz", small_ct(finer, seed=3), finer)
    write_volume(folder / "gan" / "case1_tumor.nii.gz", lesion | ball(finer, (6, 36, 36), 5), finer)
    centre = " ".join(f"{v:.2f}" for v in finer.to_world((6, 18, 22)))
    dataset, outcome = bring(folder, BLOB | {"centre_mm": centre, "diameter_mm": "9"}, REAL)
    assert outcome.reasons() == []
    edit = dataset.scans.get(origin=Origin.SYNTHETIC)
    assert [one.inserted for one in edit.lesions.order_by("-diameter_mm")] == [True, False]


def test_a_change_of_everything_says_nothing_of_a_lesion(folder, monkeypatch):
    monkeypatch.setattr("ctplatform.datasets.importing.changed.LARGEST_CHANGE_MM", 20.0)
    noisy = {"file": "diffusion/sample7.nii.gz", "generator": "Noiser", "operation": "insert", "host": REAL["file"]}
    dataset, outcome = bring(folder, noisy, REAL)
    assert "differ from its host's nearly everywhere" in outcome.reasons()[0]
    centre = " ".join(f"{v:.2f}" for v in GRID.to_world((6, 18, 22)))
    dataset, outcome = bring(folder, noisy | {"centre_mm": centre, "diameter_mm": "9"}, REAL)
    [lesion] = dataset.scans.get(origin=Origin.SYNTHETIC).lesions.all()
    assert lesion.inserted
    assert lesion.diameter_mm == pytest.approx(9, rel=0.1)
    outside = noisy | {"centre_mm": "900 900 900", "diameter_mm": "5"}
    assert "No voxel changed where the manifest says" in bring(folder, outside, REAL)[1].reasons()[0]


REMOVED = BLOB | {"operation": "remove", "kind": ""}


def test_a_removal_is_where_the_lesion_of_its_host_was(folder):
    with_masks(folder, tumor=OTHER | LESION)
    dataset, outcome = bring(folder, REMOVED, REAL)
    assert outcome.reasons() == []
    edit = dataset.scans.get(origin=Origin.SYNTHETIC)
    host = edit.source_scan
    gone, stays = host.lesions.order_by("number")
    assert edit.provenance.centre_lps_mm == gone.centroid_lps_mm
    assert edit.provenance.diameter_mm == gone.diameter_mm
    assert [(one.number, one.inserted) for one in edit.lesions.all()] == [(stays.number, False)]


def test_a_removal_of_nothing_that_is_known_is_refused(folder):
    dataset, outcome = bring(folder, REMOVED, REAL)
    assert "no lesion of its host lies where voxels changed" in outcome.reasons()[0]
    assert not dataset.scans.filter(origin=Origin.SYNTHETIC).exists()
    dataset, outcome = bring(folder, REMOVED | {"centre_mm": "1 2 3", "diameter_mm": "8"}, REAL)
    assert dataset.scans.get(origin=Origin.SYNTHETIC).provenance.diameter_mm == 8


def test_lesions_of_a_whole_image_are_no_patients(folder):
    with_masks(folder, "diffusion/sample7", tumor=OTHER)
    dataset, _ = bring(folder, WHOLE, REAL)
    assert dataset.scans.get(origin=Origin.SYNTHETIC).lesions.get().inserted


def test_what_was_made_of_a_refused_scan_is_refused_too(folder):
    again = WHOLE | {"operation": "insert", "host": "gan/case1.nii.gz", "excluded_because": ""}
    dataset, outcome = bring(folder, again, BLOB | {"host": "elsewhere.nii.gz"}, REAL)
    assert [scan.origin for scan in dataset.scans.all()] == [Origin.ACQUIRED]
    assert any("Its host was refused" in reason for reason in outcome.reasons())


def test_a_host_may_be_in_the_dataset_already(folder):
    dataset, _ = bring(folder / "real")
    host = dataset.scans.get()
    _, outcome = bring(folder / "gan", BLOB | {"file": "case1.nii.gz", "host": host.name}, dataset=dataset)
    assert outcome.reasons() == []
    assert dataset.scans.get(origin=Origin.SYNTHETIC).source_scan == host


def test_a_table_may_write_its_paths_as_windows_does_the_host_too(folder):
    windows = {name: BLOB[name].replace("/", "\\") for name in ("file", "host")}
    dataset, outcome = bring(folder, BLOB | windows, REAL | {"file": "real\\case1.nii.gz"}, WHOLE)
    assert outcome.reasons() == []
    edit = dataset.scans.get(provenance__generator_name="BlobGAN")
    assert edit.source_scan == dataset.scans.get(origin=Origin.ACQUIRED)


def test_a_chain_is_kept_and_a_ring_is_refused(folder):
    again = WHOLE | {"operation": "insert", "host": "gan/case1.nii.gz", "excluded_because": ""}
    dataset, _ = bring(folder, again, BLOB, REAL)
    assert dataset.scans.get(provenance__generator_name="Diffuser").source_scan.provenance.generator_name == "BlobGAN"
    dataset, outcome = bring(folder, again, BLOB | {"host": WHOLE["file"]}, REAL)
    assert [scan.origin for scan in dataset.scans.all()] == [Origin.ACQUIRED]
    assert len(outcome.reasons()) == 2


def test_a_file_without_a_row_and_a_row_without_a_file_are_told(folder):
    dataset, outcome = bring(folder, REAL, BLOB | {"file": "gan/case2.nii.gz"})
    assert any("row 3 of the manifest" in reason for reason in outcome.reasons())
    noted = [
        scan for scan in dataset.scans.all() if "the manifest has no row for it" in scan.import_report.get("notes", [])
    ]
    assert len(noted) == 2


def test_a_host_that_is_nowhere_refuses_the_edit_and_leaves_no_file(folder, stored_files):
    dataset, outcome = bring(folder, BLOB | {"host": "elsewhere.nii.gz"}, REAL)
    assert "names a host that is not here" in outcome.reasons()[0]
    assert not dataset.scans.filter(origin=Origin.SYNTHETIC).exists()
    kept = {str(pk) for pk in dataset.scans.values_list("pk", flat=True)}
    assert {path.split("/")[2] for path in stored_files() if "/scans/" in path and path.endswith("gz")} == kept


def dicom_folder(tmp_path, **scan):
    made = make_scan(grid=GRID, volume=small_ct(GRID, seed=31), **scan)
    (tmp_path / "dicom").mkdir()
    for index, one in enumerate(ct_series(described(made))):
        (tmp_path / "dicom" / f"{index}.dcm").write_bytes(as_file(one))
    return tmp_path / "dicom"


def synthetic_series(tmp_path):
    source = make_scan(grid=GRID)
    return dicom_folder(
        tmp_path, origin=Origin.SYNTHETIC, source_scan=source, provenance=edited_here(source_scan=source)
    )


def test_a_series_that_says_that_it_is_synthetic_is(tmp_path):
    dataset, _ = bring(synthetic_series(tmp_path))
    scan = dataset.scans.get()
    assert scan.origin == Origin.SYNTHETIC
    assert (scan.provenance.made, scan.provenance.operation) == (Made.ELSEWHERE, Operation.WHOLE)


def test_a_series_of_before_the_attribute_says_it_by_its_equipment(tmp_path):
    import pydicom

    folder = synthetic_series(tmp_path)
    for file in folder.iterdir():
        one = pydicom.dcmread(file)
        del one.SyntheticData
        one.save_as(file)
    assert bring(folder)[0].scans.get().origin == Origin.SYNTHETIC


def test_an_acquired_series_stays_acquired(tmp_path):
    assert bring(dicom_folder(tmp_path, origin=Origin.ACQUIRED))[0].scans.get().origin == Origin.ACQUIRED


def test_a_contradiction_of_header_and_manifest_is_refused(tmp_path):
    folder = synthetic_series(tmp_path)
    with pytest.raises(DomainError, match="row 2 of the manifest says"):
        bring(folder, {"file": "dicom", "real_or_synthetic": "real"})
    dataset, _ = bring(folder, {"file": "dicom", "generator": "Theirs", "version": "3"})
    assert dataset.scans.get().provenance.generator_name == "Theirs"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "first row"),
        (b"name\nx", "none of its columns"),
        (b"file,file\nx,y", "there twice"),
        (b"file\n", "no row"),
        (b"file\n../../etc/passwd\n", "Row 2"),
        (b"file\n/etc/passwd\n", "Row 2"),
        (b"file\na\na\n", "same file as in row 2"),
        (b"file,real_or_synthetic\na,fake\n", "not .fake"),
        (b"file,real_or_synthetic\na,synthetic\n", "names the generator"),
        (b"file,real_or_synthetic,generator\na,real,G\n", "has no generator"),
        (b"file,generator,operation\na,G,paint\n", "operation is one of"),
        (b"file,generator,operation\na,G,insert\n", "names its host"),
        (b"file,generator,centre_mm\na,G,1 2\n", "three numbers"),
        (b"file,generator,centre_mm\na,G,1 2 nan\n", "three numbers"),
        (b"file,generator,diameter_mm\na,G,-3\n", "diameter_mm"),
        (b"file,generator\na,G,too,many\n", "4 cells"),
        (b"file,kind\na," + b"x" * 31 + b"\n", "too long"),
        ("file\nÄ".encode("latin-1"), "UTF-8"),
        (b'file\n"a', "can't be read"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused_with_its_row(content, told):
    with pytest.raises(DomainError, match=told):
        read_manifest(content)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(st.text(max_size=12), max_size=5), max_size=6), st.sampled_from(",;\t"))
def test_whatever_is_sent_is_rows_or_a_refusal(lines, separator):
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows([list(COLUMNS[:5]), *lines])
    with suppress(DomainError):
        rows = read_manifest(text.getvalue().encode(errors="replace"))
        assert all(row.file and ".." not in row.file.split("/") for row in rows)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_spreadsheets_of_any_country_are_read(separator):
    text = "\ufefffile;generator;centre_mm\r\ngan/a.nii;My GAN;1,5 2 3\r\n" if separator == ";" else None
    text = text or f"file{separator}generator\ngan\\a.nii{separator}My GAN\n"
    [row] = read_manifest(text.encode())
    assert (row.file, row.generator, row.synthetic) == ("gan/a.nii", "My GAN", True)


def test_page_and_command_take_a_manifest(folder, client, tmp_path, django_capture_on_commit_callbacks, stored_files):
    dataset = make_dataset()
    client.force_login(dataset.owner)
    content = table(BLOB | {"file": "case1.nii.gz", "host": ""} | {"operation": "whole"})
    sent = {
        "files": SimpleUploadedFile("case1.nii.gz", (folder / "gan" / "case1.nii.gz").read_bytes()),
        "manifest": SimpleUploadedFile("list.csv", content),
    }
    assert client.post(reverse("datasets:upload", args=[dataset.pk]), sent).status_code == 302
    with django_capture_on_commit_callbacks(execute=True):
        execute(str(Job.objects.get().pk))
    assert dataset.scans.get().provenance.generator_name == "BlobGAN"
    assert not [path for path in stored_files() if "uploads" in path]
    bad = sent | {
        "files": SimpleUploadedFile("case1.nii.gz", b"x"),
        "manifest": SimpleUploadedFile("list.csv", b"nonsense\n"),
    }
    refused = client.post(reverse("datasets:upload", args=[dataset.pk]), bad)
    assert refused.status_code == 422
    assert "none of its columns" in refused.content.decode()
    (tmp_path / "list.csv").write_bytes(table(BLOB, REAL, WHOLE))
    call_command(
        "import_scans", folder, dataset="By command", manifest=tmp_path / "list.csv", owner=dataset.owner.username
    )
    assert Scan.objects.filter(dataset__name="By command", origin=Origin.SYNTHETIC).count() == 2
