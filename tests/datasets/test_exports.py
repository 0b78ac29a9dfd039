"""What leaves the platform: right voxels, right places, marked when synthetic, and nothing that names anybody."""

import csv
import io
import json
import os
import shutil
import subprocess
import tracemalloc
import zipfile
from itertools import pairwise

import highdicom
import numpy as np
import pydicom
import pytest
import SimpleITK
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone
from pydicom.uid import ExplicitVRLittleEndian

from ctplatform.accounts.models import Role
from ctplatform.datasets.exporting import orders
from ctplatform.datasets.exporting.described import described
from ctplatform.datasets.exporting.files import stored_as
from ctplatform.datasets.exporting.package import file_name, write_package
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.kinds import ExportFormat, MaskKind
from ctplatform.datasets.models import Export, MadeBy, Origin, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.scans.sweeping import sweep
from ctplatform.datasets.services import delete_scan
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus
from ml.geometry import Grid, same_grid
from tests.factories import edited_here, make_dataset, make_scan, make_user, token_headers
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_ct

pytestmark = pytest.mark.django_db

ACQUISITION = {
    "modality": "CT",
    "kvp": 120.0,
    "tube_current_ma": 200,
    "exposure_time_ms": 500,
    "exposure_mas": 100,
    "slice_thickness_mm": 5.0,
    "pitch": 0.9,
    "manufacturer": "Siemens",
    "model": "SOMATOM Definition AS+",
    "kernel": "B30f",
    "sex": "F",
    "age_years": 63,
    "contrast_phase": "portal venous",
    "contrast_agent": True,
    "contrast_route": "intravenous",
}
# A turned couch and a feet-first patient: nothing may lean on identity axes.
TURNED = Grid(
    (12, 40, 36),
    (3.0, 0.78125, 0.7),
    (-123.456789, 45.6789012, -901.2345678),
    (0.8, -0.6, 0.0, 0.6, 0.8, 0.0, 0.0, 0.0, 1.0),
)
CHECKERS = ("dciodvfy", "dcmftest")
HAS_CHECKERS = all(shutil.which(name) for name in CHECKERS)
NO_CHECKERS = "dicom3tools and dcmtk are not installed: exported DICOM was NOT checked by them"
# The attribute is of 2023; Debian's dicom3tools is older and knows no even group's element that it has not heard of.
TOO_NEW = ("(0008,001c)",)


def world(*, origin=Origin.ACQUIRED):
    """An acquired scan with masks, and an edit of it."""
    grid = TURNED
    lesions = np.zeros(grid.size_zyx, np.uint8)
    lesions[ball(grid, (3, 12, 12), 10)] = 1
    lesions[ball(grid, (8, 27, 24), 10)] = 3
    volume = small_ct(grid, seed=3)
    volume[0, 0, 0], volume[0, 0, 1] = -1024, 3071
    scan = make_scan(
        grid=grid,
        volume=volume,
        origin=origin,
        name="case 1",
        subject="P-01",
        acquisition=ACQUISITION,
        import_report={"profile": "as imported"},
        masks={MaskKind.LIVER: liver_box(grid, margin=4), MaskKind.LESION: lesions},
        masks_made_by=MadeBy.IMPORTED,
    )
    changed = volume.copy()
    changed[5, 20:24, 20:24] -= 40
    edit = make_scan(
        scan.dataset,
        grid=grid,
        volume=changed,
        origin=Origin.SYNTHETIC,
        name="case 1 insert",
        subject="P-01",
        acquisition=ACQUISITION,
        source_scan=scan,
        provenance=edited_here(kind="ring_enhancing", diameter_mm=12.5, seed=77, source_scan=scan),
        masks={MaskKind.CHANGED: (changed != volume).astype(np.uint8)},
    )
    return scan, edit


@pytest.fixture
def pair():
    return world()


def package(tmp_path, scans, form=ExportFormat.DICOM, *, masks=True, name="package"):
    path = tmp_path / f"{name}.zip"
    write_package(path, [described(scan) for scan in scans], form=form, masks=masks, on_progress=lambda *_: None)
    folder = tmp_path / name
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    return folder


def slices_of(folder):
    return [pydicom.dcmread(file) for file in sorted(folder.glob("CT/*.dcm"))]


def read_by_simpleitk(folder):
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    return SimpleITK.GetArrayFromImage(image), grid_of(image)


def grid_of(image):
    return Grid(image.GetSize()[::-1], image.GetSpacing()[::-1], image.GetOrigin(), image.GetDirection())


def test_other_programs_read_the_same_voxels_at_the_same_places(tmp_path, pair):
    folder = package(tmp_path, pair)
    for scan, name in zip(pair, ["0001_case_1", "0002_case_1_insert"], strict=True):
        stored = voxels.read_volume(scan.pk, scan.geometry)
        array, grid = read_by_simpleitk(folder / name / "CT")
        assert np.array_equal(array, stored)
        assert same_grid(grid, scan.geometry)
        assert np.array_equal(np.stack([made.pixel_array for made in slices_of(folder / name)]), stored)


def test_nifti_holds_the_same_voxels_masks_and_places(tmp_path, pair):
    folder = package(tmp_path, pair, ExportFormat.NIFTI)
    image = SimpleITK.ReadImage(str(folder / "0001_case_1" / "ct.nii.gz"))
    assert np.array_equal(SimpleITK.GetArrayFromImage(image), voxels.read_volume(pair[0].pk, TURNED))
    assert same_grid(grid_of(image), TURNED)
    for mask in pair[0].masks.all():
        labels = SimpleITK.ReadImage(str(folder / "0001_case_1" / "masks" / f"{mask.kind}.nii.gz"))
        assert np.array_equal(SimpleITK.GetArrayFromImage(labels), voxels.read_labels(mask.pk, TURNED))
    synthetic = SimpleITK.ReadImage(str(folder / "0002_case_1_insert" / "ct.nii.gz"))
    assert synthetic.GetMetaData("descrip").startswith("SYNTHETIC DATA")
    assert "SYNTHETIC" not in image.GetMetaData("descrip")


def test_segmentations_hold_every_lesion_by_its_number_on_the_scans_grid(tmp_path, pair):
    folder = package(tmp_path, pair)
    lesions = highdicom.seg.segread(folder / "0001_case_1" / "SEG" / "lesion.dcm")
    labels = voxels.read_labels(pair[0].masks.get(kind=MaskKind.LESION).pk, TURNED)
    for number in lesions.segment_numbers:
        label = int(lesions.get_segment_description(number).segment_label.removeprefix("Lesion "))
        volume = lesions.get_volume(segment_numbers=[number], combine_segments=True, allow_missing_positions=True)
        marked = np.argwhere(np.asarray(volume.array) > 0)
        places = volume.map_indices_to_reference(marked)
        expected = TURNED.to_world(np.argwhere(labels == label))
        assert np.allclose(np.sort(places, axis=0), np.sort(expected, axis=0), atol=1e-3)
    assert lesions.number_of_segments == 2
    changed = highdicom.seg.segread(folder / "0002_case_1_insert" / "SEG" / "changed.dcm")
    assert (
        changed.ReferencedSeriesSequence[0].SeriesInstanceUID
        == slices_of(folder / "0002_case_1_insert")[0].SeriesInstanceUID
    )


def test_a_package_holds_no_whole_scan_in_memory_and_no_volume_for_every_lesion(monkeypatch):
    grid = Grid((40, 128, 128), (3.0, 0.8, 0.8))
    lesions = np.zeros(grid.size_zyx, np.uint8)
    for number in range(20):
        lesions[2 * number : 2 * number + 2, 60:70, 60:70] = number + 1
    scan = make_scan(
        grid=grid, volume=small_ct(grid, seed=5), masks={MaskKind.LIVER: liver_box(grid), MaskKind.LESION: lesions}
    )
    seen = described(scan)
    read, original = [], voxels._unpacked_box

    def slices_read(key, dtype, whole, box):
        read.append((np.dtype(dtype).itemsize, box[0].stop - box[0].start))
        return original(key, dtype, whole, box)

    monkeypatch.setattr(voxels, "_unpacked_box", slices_read)
    peaks = {}
    for form in ExportFormat:
        with stored_as(f"exports/{form}/scans.zip") as (target, _):
            write_package(target, [seen], form=form, masks=True, on_progress=lambda *_: None)
            tracemalloc.start()
            write_package(target, [seen], form=form, masks=True, on_progress=lambda *_: None)
            peaks[form] = tracemalloc.get_traced_memory()[1] / lesions.nbytes
            tracemalloc.stop()
    assert {slices for bytes_each, slices in read if bytes_each == 2} == {1}, "of the voxels one slice at a time"
    # In volumes of one byte a voxel. A volume for every lesion would be twenty, and each was held three times.
    assert peaks[ExportFormat.NIFTI] < 3, peaks
    assert peaks[ExportFormat.DICOM] < 14


def test_our_own_import_reads_a_package_back(tmp_path, pair):
    folder = package(tmp_path, pair[:1])
    other = make_dataset(pair[0].dataset.owner)
    import_path(folder, ImportOrder(dataset=other, created_by=other.owner), lambda *_: None).save()
    back = other.scans.get()
    assert back.content_digest == pair[0].content_digest
    assert same_grid(back.geometry, TURNED)
    for kind in (MaskKind.LIVER, MaskKind.LESION):
        first, second = (voxels.read_labels(s.masks.get(kind=kind).pk, TURNED) > 0 for s in (pair[0], back))
        assert np.array_equal(first, second)
    kept = {name: value for name, value in ACQUISITION.items() if name != "slice_thickness_mm"}
    assert kept.items() <= back.acquisition.items()


@pytest.mark.parametrize("form", ExportFormat)
def test_what_no_patient_was_scanned_for_is_marked_in_every_file(tmp_path, pair, form):
    phantom = make_scan(pair[0].dataset, origin=Origin.PHANTOM)
    folder = package(tmp_path, [*pair, phantom], form)
    [acquired, edited, made] = csv.DictReader((folder / "scans.csv").read_text().splitlines())
    assert [row["synthetic"] for row in (acquired, edited, made)] == ["no", "yes", "yes"]
    facts = json.loads((folder / edited["folder"] / "scan.json").read_text())
    assert facts["provenance"]["seed"] == 77
    assert facts["provenance"]["generator_digest"] == "d" * 64


def test_synthetic_slices_name_what_made_them_and_what_they_were(tmp_path, pair):
    folder = package(tmp_path, pair)
    sources = {made.SOPInstanceUID for made in slices_of(folder / "0001_case_1")}
    for made in slices_of(folder / "0002_case_1_insert"):
        assert made.SyntheticData == "YES"
        assert made.ImageType[0] == "DERIVED"
        [scanner, maker] = made.ContributingEquipmentSequence
        assert maker.PurposeOfReferenceCodeSequence[0].CodeValue == "109100"
        assert scanner.Manufacturer == "Siemens"
        assert "ring-enhancing; 12.5 mm" in maker.ContributionDescription
        assert "d" * 64 in maker.ContributionDescription
        assert made.SourceImageSequence[0].ReferencedSOPInstanceUID in sources
    for made in slices_of(folder / "0001_case_1"):
        assert made.SyntheticData == "NO"
        assert made.ImageType[0] == "ORIGINAL"
        assert "ContributingEquipmentSequence" not in made
        assert "SourceImageSequence" not in made


def test_identifiers_are_new_one_for_each_thing_and_the_same_each_time(tmp_path, pair):
    first, second = package(tmp_path, pair), package(tmp_path, pair, name="again")
    found = [
        [made for name in ("0001_case_1", "0002_case_1_insert") for made in slices_of(f / name)]
        for f in (first, second)
    ]
    instances = [[made.SOPInstanceUID for made in slices] for slices in found]
    assert instances[0] == instances[1]
    assert len(set(instances[0])) == 2 * TURNED.size_zyx[0]
    assert len({made.SeriesInstanceUID for made in found[0]}) == 2
    assert len({made.StudyInstanceUID for made in found[0]}) == 1
    assert len({made.FrameOfReferenceUID for made in found[0]}) == 1
    pair[0].subject = "P-02"
    renamed = slices_of(package(tmp_path, pair[:1], name="renamed") / "0001_case_1")
    assert not {made.StudyInstanceUID for made in renamed} & {made.StudyInstanceUID for made in found[0]}


def test_slices_are_whole_files_in_a_syntax_that_everybody_reads(tmp_path, pair):
    for made in slices_of(package(tmp_path, pair[:1]) / "0001_case_1"):
        assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
        assert made.PatientIdentityRemoved == "YES"
        assert str(made.PatientName) == "P-01^"
        assert (made.PatientBirthDate, made.StudyDate, made.AccessionNumber) == ("", "", "")
        assert made.PatientAge == "063Y"


@pytest.mark.skipif(not HAS_CHECKERS and not os.environ.get("CT_REQUIRE_SERVICES"), reason=NO_CHECKERS)
def test_independent_checkers_find_no_error(tmp_path, pair):
    folder = package(tmp_path, [*pair, make_scan(pair[0].dataset)])
    files = sorted(folder.rglob("*.dcm"))
    # slices of a scan differ in place and pixels only
    chosen = [file for file in files if file.parent.name == "SEG" or file.stem in {"0001", "0003"}]
    assert len(chosen) == 9
    for file in chosen:
        said = subprocess.run(["dciodvfy", "-new", file], capture_output=True, text=True, check=False).stderr
        errors = [line for line in said.splitlines() if line.startswith(("Error", "Abort"))]
        assert [line for line in errors if not any(tag in line for tag in TOO_NEW)] == []
        assert subprocess.run(["dcmftest", file], capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("../../etc/passwd", "etc_passwd"),
        ("a/b\\c:d", "a_b_c_d"),
        ("...", "scan"),
        ("Füße 3", "F_e_3"),
        ("x" * 99, "x" * 60),
    ],
)
def test_a_scans_name_can_lead_nowhere(name, written):
    assert file_name(name) == written


def order(user, scans, **options):
    options = {"form": ExportFormat.DICOM, "masks": False} | options
    return orders.request_export(user=user, scans=scans, **options)


def run(job):
    execute(str(job.pk))
    job.refresh_from_db()
    return job


def test_a_package_is_ordered_made_fetched_and_removed(client, pair):
    member = make_user()
    pair[0].dataset.members.add(member)
    client.force_login(member)
    page = client.get(reverse("datasets:export", args=[pair[0].dataset_id]))
    assert "case 1 insert" in shown(page)
    sent = {"scans": [pair[0].pk], "form": "nifti", "masks": "on"}
    assert client.post(reverse("datasets:export", args=[pair[0].dataset_id]), sent).status_code == 302
    job = run(Job.objects.get(kind=orders.KIND))
    assert job.status == JobStatus.SUCCEEDED
    export = Export.objects.get()
    assert "Download" in shown(client.get(reverse("datasets:exports")))
    fetched = b"".join(client.get(reverse("datasets:export-file", args=[export.pk])).streaming_content)
    with zipfile.ZipFile(io.BytesIO(fetched)) as archive:
        assert "0001_case_1/masks/liver.nii.gz" in archive.namelist()
    assert len(fetched) == export.size_bytes
    client.post(reverse("datasets:delete-export", args=[export.pk]))
    assert not Export.objects.exists()


def test_one_scan_is_ticked_where_its_page_led_here(client, pair):
    client.force_login(pair[0].dataset.owner)
    page = client.get(reverse("datasets:export", args=[pair[0].dataset_id]), {"id": str(pair[1].pk)})
    assert page.context["form"].initial["scans"] == [pair[1]]


def test_programs_order_and_fetch_packages(client, pair):
    owner = pair[0].dataset.owner
    sent = {"scans": [str(scan.pk) for scan in pair], "form": "nifti", "masks": False}
    answer = client.post(
        reverse("datasets-api:export-list"), sent, content_type="application/json", headers=token_headers(owner)
    )
    assert answer.status_code == 202
    run(Job.objects.get(pk=answer.json()["id"]))
    [export] = client.get(reverse("datasets-api:export-list"), headers=token_headers(owner)).json()["results"]
    fetched = client.get(export["file_url"], headers=token_headers(owner))
    assert len(b"".join(fetched.streaming_content)) == export["size_bytes"]


def test_nobody_takes_out_what_they_may_not_use(client, pair):
    stranger = make_user()
    with pytest.raises(DomainError, match="Ask the dataset"):
        order(stranger, [pair[0]])
    run(order(pair[0].dataset.owner, [pair[0]]))
    export = Export.objects.get()
    for person in (stranger, make_user(Role.ADMINISTRATOR), make_user(Role.RATER)):
        client.force_login(person)
        for name in ("datasets:export-file", "datasets:delete-export"):
            address = reverse(name, args=[export.pk])
            assert (client.post if "delete" in name else client.get)(address).status_code == 404
    assert Export.objects.exists()


def test_a_package_is_closed_to_those_for_whom_its_dataset_was(client, pair):
    member = make_user()
    pair[0].dataset.members.add(member)
    waiting = order(member, [pair[0]])
    run(order(member, [pair[0]]))
    pair[0].dataset.members.remove(member)
    client.force_login(member)
    assert client.get(reverse("datasets:export-file", args=[Export.objects.get().pk])).status_code == 404
    assert "no longer shared" in run(waiting).error


def test_too_much_at_once_is_refused_before_it_begins(monkeypatch, pair):
    monkeypatch.setattr(orders, "MOST_SCANS", 1)
    with pytest.raises(DomainError, match="at most 1"):
        order(pair[0].dataset.owner, list(pair))
    monkeypatch.setattr(orders, "estimated_bytes", lambda scans: 10**18)
    with pytest.raises(DomainError, match="GB left"):
        order(pair[0].dataset.owner, [pair[0]])


def test_a_package_that_fails_leaves_nothing(monkeypatch, pair, stored_files):
    before = stored_files()
    monkeypatch.setattr("ctplatform.datasets.exporting.execution._write", lambda *_: 1 / 0)
    job = run(order(pair[0].dataset.owner, [pair[0]]))
    assert job.status == JobStatus.FAILED
    assert stored_files() == before
    assert not Export.objects.exists()


def test_packages_go_when_their_days_are_over(pair):
    run(order(pair[0].dataset.owner, [pair[0]]))
    export = Export.objects.get()
    sweep(before=timezone.now() + timezone.timedelta(hours=1))
    assert default_storage.exists(export.key)
    Export.objects.update(kept_until=timezone.now())
    sweep(before=timezone.now() + timezone.timedelta(hours=1))
    assert not default_storage.exists(export.key)
    assert not Export.objects.exists()


def test_a_deleted_scan_leaves_its_packages_too(pair, django_capture_on_commit_callbacks):
    run(order(pair[0].dataset.owner, list(pair)))
    export = Export.objects.get()
    with pytest.raises(ConflictError), django_capture_on_commit_callbacks(execute=True):
        delete_scan(scan=pair[0], user=pair[0].dataset.owner)
    assert default_storage.exists(export.key)
    with django_capture_on_commit_callbacks(execute=True):
        delete_scan(scan=pair[1], user=pair[0].dataset.owner)
    assert not default_storage.exists(export.key)
    assert not Export.objects.exists()


def test_the_command_writes_chosen_scans_or_says_what_is_missing(tmp_path, pair, capsys):
    out = tmp_path / "out.zip"
    call_command("export_scans", out, dataset=pair[0].dataset.name, scan=["case 1", str(pair[1].pk)], format="nifti")
    with zipfile.ZipFile(out) as archive:
        assert len([name for name in archive.namelist() if name.endswith("ct.nii.gz")]) == 2
    assert "2 scan(s)" in capsys.readouterr().out
    for options, reason in [
        ({"dataset": "nothing"}, "no dataset"),
        ({"dataset": pair[0].dataset.name, "scan": ["nobody"]}, "no scan nobody"),
    ]:
        with pytest.raises(CommandError, match=reason):
            call_command("export_scans", tmp_path / "other.zip", **options)
    with pytest.raises(CommandError, match="exists already"):
        call_command("export_scans", out, dataset=pair[0].dataset.name)


def test_a_chain_of_edits_is_one_study(tmp_path, pair):
    again = make_scan(
        pair[0].dataset,
        grid=TURNED,
        origin=Origin.SYNTHETIC,
        subject="P-01",
        source_scan=pair[1],
        provenance=edited_here(source_scan=pair[1]),
    )
    scans = [described(Scan.objects.get(pk=scan.pk)) for scan in (*pair, again)]
    assert {scan.root for scan in scans} == {pair[0].pk}
    twin = make_scan(pair[0].dataset, source_scan=pair[0])
    assert described(twin).root == twin.pk
    assert all(first.id != second.id for first, second in pairwise(scans))


def test_the_page_lists_no_more_scans_than_one_package_takes(client, pair, monkeypatch):
    monkeypatch.setattr(orders, "MOST_SCANS", 1)
    dataset = pair[0].dataset
    client.force_login(dataset.owner)
    address = reverse("datasets:export", args=[dataset.pk])
    for answer in (client.get(address), client.post(address, {})):
        page = shown(answer)
        assert page.count('name="scans"') == 1
        assert "1 more of this dataset are not listed" in page
