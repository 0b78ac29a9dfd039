"""No identity may be found in the database, the storage, the report or the log after an import."""

import html
import json
import logging
import struct
from hashlib import sha256

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import dictionary_has_tag, tag_for_keyword
from pydicom.dataset import Dataset as DicomDataset

from ctplatform.datasets.importing import deidentify, procedure, vocabulary
from ctplatform.datasets.importing.run import ImportOrder, import_path
from ctplatform.datasets.importing.subjects import subject_label
from ctplatform.datasets.models import Scan
from ctplatform.jobs.models import Job
from tests.datasets.files import IDENTITY, write_file, write_series
from tests.factories import make_dataset, make_user
from tests.phantoms import small_ct, small_grid

pytestmark = pytest.mark.django_db

ORDINARY = {"7", "M.", "called", "from"}
SECRETS = sorted({part for value in IDENTITY.values() for part in value.replace("^", " ").split()} - ORDINARY)


def imported(path, dataset=None, **options):
    dataset = dataset or make_dataset()
    outcome = import_path(path, ImportOrder(dataset=dataset, created_by=dataset.owner, **options))
    return outcome.save()


def everything_stored(stored_files):
    """All rows of all tables as text, and the names and contents of all files."""
    rows = [json.dumps(list(model.objects.values()), default=str) for model in apps.get_models()]
    contents = []
    for name in stored_files():
        with default_storage.open(name) as file:
            contents.append(file.read())
    return "\n".join(rows) + "\n".join(stored_files()), b"\n".join(contents)


def assert_no_trace(stored_files, secrets, caplog):
    text, content = everything_stored(stored_files)
    for secret in secrets:
        assert secret.lower() not in text.lower()
        assert secret.encode() not in content
        assert secret.lower() not in caplog.text.lower()


def test_no_identity_of_a_dicom_series_is_kept(tmp_path, stored_files, caplog):
    caplog.set_level(logging.DEBUG)
    grid = small_grid()
    headers = write_series(tmp_path / "Mustermann Erika", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "Mustermann Erika")
    uids = {str(headers[0][keyword].value) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")}
    assert_no_trace(stored_files, [*SECRETS, *uids], caplog)
    assert scan.name.startswith("ct-")
    assert scan.subject.startswith("subject-")


def test_the_report_names_what_was_removed_by_keyword(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in")
    removed = set(scan.import_report["removed"])
    assert set(IDENTITY) <= removed
    assert {"StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SeriesDescription"} <= removed
    assert not removed & {"Rows", "KVP", "PixelSpacing", "ConvolutionKernel"}
    assert scan.import_report["removed_private_elements"] == 2
    assert "PS3.15" in scan.import_report["profile"]


def test_what_research_needs_is_kept(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in")
    assert scan.acquisition == {
        "modality": "CT",
        "kvp": 120,
        "slice_thickness_mm": 3,
        "manufacturer": "Siemens",
        "model": "Sensation 64",
        "kernel": "B30f",
        "description": "liver portal venous",
        "contrast_phase": "portal venous",
        "sex": "F",
        "age_years": 90,
    }


@pytest.mark.parametrize(
    "keyword", ["Manufacturer", "ManufacturerModelName", "ConvolutionKernel", "PatientSex", "PatientAge"]
)
def test_identities_in_kept_elements_do_not_pass(tmp_path, stored_files, caplog, keyword):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid, **{keyword: "Mustermann"})
    imported(tmp_path / "in")
    assert_no_trace(stored_files, SECRETS, caplog)


def test_the_subject_is_the_same_within_a_dataset_and_another_elsewhere():
    first, other = "MRN4711998", "MRN4711999"
    one, two = make_dataset().pk, make_dataset().pk
    assert subject_label(one, first) == subject_label(one, first)
    assert subject_label(one, first) != subject_label(two, first)
    assert subject_label(one, first) != subject_label(one, other)


def test_the_subject_cannot_be_recomputed_without_the_server_key(settings):
    dataset_id = make_dataset().pk
    before = subject_label(dataset_id, "MRN4711998")
    settings.SECRET_KEY = "another"
    assert subject_label(dataset_id, "MRN4711998") != before


def test_a_given_subject_is_taken(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in", subject="P-07")
    assert scan.subject == "P-07"


def test_texts_in_a_nifti_header_are_dropped_and_listed(tmp_path, stored_files, caplog):
    path = write_file(tmp_path / "case_1.nii", small_ct(small_grid()), small_grid())
    content = bytearray(path.read_bytes())
    struct.pack_into("80s", content, 148, b"Mustermann Erika 19570312")
    struct.pack_into("24s", content, 228, b"mustermann.txt")
    struct.pack_into("18s", content, 14, b"Sonnenberg")
    path.write_bytes(content)
    (scan,) = imported(path)
    assert {"descrip", "aux_file", "db_name"} <= set(scan.import_report["removed"])
    assert_no_trace(stored_files, ["Mustermann", "Sonnenberg", "19570312"], caplog)


def test_no_library_writes_the_name_of_a_file_to_the_process_log(tmp_path, capfd):
    """Two spacings that disagree are worth a warning to ITK."""
    path = write_file(tmp_path / "Mustermann_Erika.nii", small_ct(small_grid()), small_grid())
    content = bytearray(path.read_bytes())
    struct.pack_into("<f", content, 84, 9.0)
    path.write_bytes(content)
    imported(path)
    assert "mustermann" not in "".join(capfd.readouterr()).lower()


def test_key_value_pairs_of_nrrd_are_dropped_and_listed(tmp_path, stored_files, caplog):
    path = write_file(tmp_path / "case_1.nrrd", small_ct(small_grid()), small_grid())
    content = path.read_bytes().replace(b"\nencoding:", b"\nPatientName:=Mustermann\nencoding:", 1)
    path.write_bytes(content)
    (scan,) = imported(path)
    assert "key/value pairs" in scan.import_report["removed"]
    assert_no_trace(stored_files, ["Mustermann"], caplog)


@pytest.mark.parametrize(
    ("file_name", "stored_name"),
    [
        ("volume-12.nii", "volume-12"),
        ("liver_31_0000.nii.gz", "liver_31_0000"),
        ("LIDC-IDRI-0001.nrrd", "LIDC-IDRI-0001"),
        ("hcc048.nii.gz", "hcc048"),
        ("case 3 portal venous.mha", "case 3 portal venous"),
        ("Mustermann_Erika.nii.gz", None),
        ("erika1.nii", None),
        ("case_19570312.nii", None),
        ("MRN4711998.nrrd", None),
        ("CT_Mustermann.mha", None),
        ("Müller.nii", None),
        ("Li_Wu.nii", None),
        ("case_Åsa.nii", None),
        ("em1957.nii", None),
        ("case_12-03-57.nii", None),
        ("12_03_1957.nii", None),
        ("FLARE22_0047.nii.gz", "FLARE22_0047"),
        ("amos_0001_0000.nii.gz", "amos_0001_0000"),
    ],
)
def test_file_names(tmp_path, stored_files, caplog, file_name, stored_name):
    write_file(tmp_path / "in" / file_name, small_ct(small_grid()), small_grid())
    (scan,) = imported(tmp_path / "in")
    assert scan.name == (stored_name or f"ct-{scan.content_digest[:8]}")
    if stored_name is None:
        assert_no_trace(stored_files, [file_name.split(".")[0]], caplog)


@given(st.text(alphabet=st.characters(categories=["L"]), min_size=1, max_size=12))
def test_a_word_that_is_not_in_the_vocabulary_never_passes(word):
    if word.lower() not in vocabulary.ALL_WORDS:
        assert vocabulary.harmless_name(f"case {word} 7") == ""
        assert word.lower() not in vocabulary.measured_words(f"liver {word}").split()


@pytest.mark.parametrize("good", [True, False])
def test_an_upload_leaves_no_trace_of_its_names(
    client, tmp_path, stored_files, caplog, good, django_capture_on_commit_callbacks
):
    """Whether it succeeds or fails: job, title, error and storage know nothing of the file's name."""
    owner = make_user()
    client.force_login(owner)
    dataset = make_dataset(owner)
    path = write_file(tmp_path / "Mustermann_Erika.nii.gz", small_ct(small_grid()), small_grid())
    content = path.read_bytes() if good else b"nothing"
    with django_capture_on_commit_callbacks(execute=True):
        client.post(
            reverse("datasets:upload", args=[dataset.pk]),
            {"files": SimpleUploadedFile(path.name, content), "files_paths": "Erika Mustermann 19570312/ct.nii.gz"},
        )
    assert Scan.objects.count() == int(good)
    assert Job.objects.get().status == ("succeeded" if good else "failed")
    assert_no_trace(stored_files, ["Mustermann", "Erika", "19570312"], caplog)
    assert not any("uploads" in name for name in stored_files())


def facts_of(**values):
    header = DicomDataset()
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return deidentify.acquisition_facts(header)


def not_kept(**values):
    header = DicomDataset()
    for keyword, value in values.items():
        setattr(header, keyword, value)
    return dict(line.split(": ") for line in deidentify.dicom_report([header]).get("not_kept_as_written", []))


@pytest.mark.parametrize(
    ("agent", "route", "given_by"),
    [
        (None, "ORAL & IV", (True, "oral, intravenous")),
        ("", "Intravenous route", (True, "intravenous")),
        ("NONE", "IV", (True, "intravenous")),
        ("APPLIED", None, (True, None)),
        ("Omnipaque 350 100ML", None, (True, None)),
        ("NO ORAL, 100cc Optiray IV", None, (True, "intravenous")),
        ("Oral and I.V.", None, (True, "oral, intravenous")),
        ("NO IV/ORAL CONTRAST", None, (False, None)),
        ("w/o", None, (False, None)),
        ("ohne KM", None, (False, None)),
        ("NO ORAL", None, (None, None)),
        ("N/A", None, (None, None)),
        ("", None, (None, None)),
        (None, None, (None, None)),
    ],
)
def test_contrast_is_told_only_where_the_file_tells_it(agent, route, given_by):
    given_values = {"ContrastBolusAgent": agent, "ContrastBolusRoute": route}
    facts = facts_of(**{keyword: value for keyword, value in given_values.items() if value is not None})
    assert (facts.get("contrast_agent"), facts.get("contrast_route")) == given_by


def test_contrast_is_read_from_codes():
    route, agent = DicomDataset(), DicomDataset()
    route.CodeMeaning, agent.CodeMeaning = "Intravenous route", "Iohexol"
    agent.ContrastBolusAdministrationRouteSequence = [route]
    facts = facts_of(ContrastBolusAgentSequence=[agent])
    assert (facts["contrast_agent"], facts["contrast_route"]) == (True, "intravenous")


def test_the_description_of_the_series_tells_the_phase_before_that_of_the_study():
    study = "Abdomen arterial and portal venous"
    assert facts_of(SeriesDescription="portal venous 3 mm", StudyDescription=study)["contrast_phase"] == "portal venous"
    assert facts_of(SeriesDescription="Leber spät")["contrast_phase"] == "delayed"
    assert "contrast_phase" not in facts_of(SeriesDescription="3 mm", StudyDescription=study)


KERNELS = """B30f B31s H31s I31f\\3 Br38f\\3 Br40d Qr40 Hc44h Bv36
    STANDARD STND+ STND HD_STD CHST SOFT LUNG BONEPLUS DETAIL HD_LUNG HD_STND
    FC18-H FC18 FC08-H FC03 FL03 FC51
    B_SOFT_B B_VSHARP_C B_SHARP_AA H_SOFT_A
    B C YA YB UB EC L XCB
    32 41a F20"""


@pytest.mark.parametrize("written", KERNELS.split())
def test_kernels_of_every_maker_are_kept_as_written(written):
    kernel = written.replace("HD_", "HD ")
    assert facts_of(ConvolutionKernel=kernel.split("\\"))["kernel"] == kernel.replace("\\", " ")


@pytest.mark.parametrize("text", ["Erika", "Mustermann", "EM1957", "MRN4711998", "Li Wu", "B30f Erika", "19570312"])
def test_other_kernels_are_dropped_with_a_note(text):
    assert "kernel" not in facts_of(ConvolutionKernel=text)
    assert not_kept(ConvolutionKernel=text) == {"ConvolutionKernel": "not in the list of known names"}


@pytest.mark.parametrize("values", [["19", "54", "03", "21"], ["54", "03"], ["B30f", "3", "21"]])
def test_a_date_in_pieces_is_no_kernel(values):
    assert "kernel" not in facts_of(ConvolutionKernel=values)


@pytest.mark.parametrize(
    ("maker", "written", "kept"),
    [
        ("SIEMENS", "SOMATOM Definition AS+", "SOMATOM Definition AS+"),
        ("Siemens Healthineers", "Biograph40_mCT 4R", "Biograph 40 mCT 4R"),
        ("GE MEDICAL SYSTEMS", "LightSpeed QX/i", "LightSpeed QX/i"),
        ("GE MEDICAL SYSTEMS", "LightSpeed16", "LightSpeed 16"),
        ("GE MEDICAL SYSTEMS", "Discovery CT750 HD", "Discovery CT750 HD"),
        ("Philips", "IQon - Spectral CT", "IQon Spectral CT"),
        ("TOSHIBA_MEC", "Aquilion PRIME/SP", "Aquilion PRIME SP"),
        ("CANON_MEC", "TSX-306A", "TSX-306A"),
        ("UIH", "uCT 960+", "uCT 960+"),
        ("Hitachi Medical Corporation", "SCENARIA", "SCENARIA"),
        ("NMS", "NeuViz64", "NeuViz 64"),
        ("SIEMENS", "Sensation 64 Erika 1957", "Sensation 64"),
        ("SIEMENS", "Erika Mustermann", None),
        ("SIEMENS", "64", None),
        ("SIEMENS", "LightSpeed VCT", None),
        ("Mustermann", "Sensation 64", None),
    ],
)
def test_models_are_reduced_to_words_that_their_maker_uses(maker, written, kept):
    assert facts_of(Manufacturer=maker, ManufacturerModelName=written).get("model") == kept
    lost = kept is None or "Erika" in written
    assert ("ManufacturerModelName" in not_kept(Manufacturer=maker, ManufacturerModelName=written)) == lost


@pytest.mark.parametrize(
    ("written", "kept"),
    [("064Y", 64), ("018M", 1.5), ("006W", 0.115), ("010D", 0.027), ("089Y", 89), ("090Y", 90), ("103Y", 90)],
)
def test_ages_are_years_and_those_above_89_are_one(written, kept):
    assert facts_of(PatientAge=written)["age_years"] == kept
    assert ("PatientAge" in not_kept(PatientAge=written)) == (kept == 90)


@pytest.mark.parametrize("written", ["126Y", "731Y", "64", "Erika", "1957"])
def test_what_is_no_age_is_dropped_with_a_note(written):
    assert "age_years" not in facts_of(PatientAge=written)
    assert not_kept(PatientAge=written) == {"PatientAge": "not an age"}


NUMBERS = [rule for rule in procedure.DICOM if isinstance(rule, procedure.Number)]


@pytest.mark.parametrize("rule", NUMBERS, ids=lambda rule: rule.fact)
def test_numbers_outside_their_limits_are_dropped_with_a_note_without_the_number(rule):
    (keyword,) = rule.attributes
    for number in (rule.lowest, rule.highest):
        assert facts_of(**{keyword: number})[rule.fact] == number
        assert not_kept(**{keyword: number}) == {}
    for number in (19_570_312, -1, 0, rule.highest * 1.01):
        assert rule.fact not in facts_of(**{keyword: number})
        assert not_kept(**{keyword: number}) == {keyword: rule.why_dropped}


def test_the_digits_of_a_number_hold_nothing_more():
    assert facts_of(KVP="120.4711998")["kvp"] == 120.5


# What the table said when its version was made: a change of the table needs a new version.
TABLES = {3: "70598e381c5b0085"}


def test_a_change_of_the_procedure_is_a_new_version():
    rows = [(*rule.attributes, rule.action, rule.reason) for rule in procedure.DICOM]
    rows += [(part.what, part.action, part.reason) for part in procedure.OTHER]
    assert max(procedure.VERSIONS) == procedure.VERSION
    assert TABLES[procedure.VERSION] == sha256(json.dumps(rows).encode()).hexdigest()[:16]


def test_no_attribute_is_named_twice_by_the_procedure():
    named = [attribute for rule in procedure.DICOM for attribute in rule.attributes]
    assert len(named) == len(set(named))
    assert all(dictionary_has_tag(tag_for_keyword(keyword)) for keyword in named)


def test_every_report_names_the_version_of_the_procedure(tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in" / "series", small_ct(grid), grid)
    write_file(tmp_path / "in" / "case_1.nii", small_ct(grid, 7), grid)
    reports = [scan.import_report for scan in imported(tmp_path / "in")]
    assert [report["procedure_version"] for report in reports] == [procedure.VERSION] * 2


def test_the_page_of_the_procedure_is_reached_from_a_report_and_shows_the_table(client, tmp_path):
    grid = small_grid()
    write_series(tmp_path / "in", small_ct(grid), grid)
    (scan,) = imported(tmp_path / "in")
    client.force_login(scan.created_by)
    address = reverse("datasets:procedure")
    assert f'href="{address}"' in client.get(scan.get_absolute_url()).text
    page = html.unescape(client.get(address).text)
    for rule in procedure.DICOM:
        assert ", ".join(rule.attributes) in page
        assert rule.reason in page
    assert f"Version {procedure.VERSION}" in page
