"""What was measured of a generator: shown when it is sound, refused when it is damaged, never trusted."""

import json

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from ctplatform.accounts.models import Role
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job
from ml.editing import EDITOR_VERSION
from ml.generator.card import DEMO_FOLDER
from synthesis import generator_reports
from synthesis.generators import services as generators
from synthesis.models import Generator
from synthesis.report_fields import MISSED, NOT_MEASURED, PASSED
from tests.factories import make_user
from tests.pages import shown

AUC = {"auc": 0.57, "low": 0.49, "high": 0.65, "classifier": "trees", "n": [185, 195]}
REALISM = {
    "two_sample": {"insertion": {"features": AUC, "network": AUC | {"auc": 0.47}}, "removal": {"features": {}}},
    "gate": [
        {
            "name": "insertion: AUC",
            "value": 0.57,
            "low": 0.49,
            "high": 0.65,
            "n": 380,
            "target": 0.6,
            "comparison": "<=",
            "passed": True,
            "unit": "",
            "note": "trees",
        },
        {
            "name": "cycle",
            "value": 0.6,
            "low": None,
            "high": None,
            "n": 3,
            "target": 0.2,
            "comparison": "<=",
            "passed": False,
        },
        {"name": "ghost rim", "value": None, "passed": None, "target": 0.2, "comparison": "<="},
    ],
}
RATE = [0.95, 0.93, 0.97]
CLASSIFICATION = [
    {
        "features": "mean HU",
        "classifier": "LinearSVM",
        "view": "close",
        "accuracy": [0.9, 0.8, 0.95],
        "sensitivity": RATE,
        "specificity": RATE,
        "lesions": 5,
        "normals": 5,
        "patients": 4,
    },
    {
        "features": "signature demo",
        "classifier": "LinearSVM",
        "accuracy": RATE,
        "sensitivity": RATE,
        "specificity": RATE,
        "unknown": 1,
    },
    {"features": "broken", "classifier": "LinearSVM", "accuracy": [0.9, None, 1], "sensitivity": RATE},
    "nonsense",
]


def test_lines_keep_their_verdict_and_what_was_not_measured_says_so():
    lines = {line.name: line for line in generator_reports.gate_lines(REALISM)}
    assert lines["insertion: AUC"].verdict == PASSED
    assert lines["cycle"].verdict == MISSED
    assert lines["ghost rim"].verdict == NOT_MEASURED
    assert lines["ghost rim"].value is None


def test_a_report_without_a_gate_is_judged_by_its_areas():
    without = {"two_sample": {"insertion": {"features": AUC}, "removal": {"features": AUC | {"auc": 0.7}}}}
    assert [line.verdict for line in generator_reports.gate_lines(without)] == [
        PASSED,
        MISSED,
    ]


def test_every_judge_has_its_row_and_reports_from_before_there_was_one_lack_it():
    areas = {judge: AUC | {"auc": area} for judge, area in (("features", 0.6), ("bands", 0.7), ("network", 0.5))}
    rows = generator_reports.auc_rows({"two_sample": {"insertion": areas}})
    assert [(row.judge, row.auc.value) for row in rows] == [("features", 0.6), ("bands", 0.7), ("network", 0.5)]
    del areas["bands"]
    assert [row.judge for row in generator_reports.auc_rows({"two_sample": {"insertion": areas}})] == [
        "features",
        "network",
    ]


def test_only_complete_rows_are_shown_and_the_best_comes_first():
    assert [row.features for row in generator_reports.classifier_rows(CLASSIFICATION)] == ["signature demo", "mean HU"]


@pytest.mark.parametrize("hostile", [None, [], {"gate": 3}, {"two_sample": []}, {"gate": [None, 7]}, "x"])
def test_nonsense_shows_nothing_and_breaks_nothing(hostile):
    assert generator_reports.auc_rows(hostile) == []
    assert all(line.verdict == NOT_MEASURED for line in generator_reports.gate_lines(hostile))
    assert generator_reports.classifier_rows(hostile) == []
    assert isinstance(generator_reports.card_lines(hostile), list)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("phantoms", "not measured on real scans"),
        ("scans", "reached on real scans"),
        (None, "does not say"),
        (3, "does not say"),
    ],
)
def test_the_gate_says_whose_scans_it_stands_for(said, words):
    assert words in generator_reports.gate_summary({"gate": [{"passed": True}], "measured_on": said})


def test_a_gate_of_an_earlier_editor_does_not_stand_for_todays_edits():
    of_today = {"gate": [{"passed": True}], "measured_on": "phantoms", "editor_version": EDITOR_VERSION}
    assert generator_reports.gate_summary(of_today) == "1 of 1 targets reached on phantoms; not measured on real scans"
    for earlier in (EDITOR_VERSION - 1, None, "x"):
        assert "were not measured again" in generator_reports.gate_summary({**of_today, "editor_version": earlier})


def test_phantoms_and_scans_of_patients_stand_apart():
    of_phantoms = {"gate": [{"passed": True}], "measured_on": "phantoms", "editor_version": EDITOR_VERSION}
    on_scans = {"gate": [{"passed": False}, {"passed": True}], "patients": 1, "lesions": 7}
    both = {**of_phantoms, "scans": {**on_scans, "editor_version": EDITOR_VERSION, "notes": ["few", None, 3]}}
    summary = generator_reports.gate_summary(both)
    assert summary == (
        "1 of 1 targets reached on phantoms; 1 of 2 targets reached on real scans (7 lesions of 1 patient)"
    )
    assert [line.passed for line in generator_reports.scan_lines(both)] == [False, True]
    assert "few" in generator_reports.scan_notes(both)
    assert "were not measured again" in generator_reports.scans_summary({**of_phantoms, "scans": on_scans})


@pytest.mark.parametrize("hostile", [None, 3, [], {"gate": 3}, {"gate": [None, 7], "patients": "x", "notes": {}}])
def test_nonsense_about_scans_is_no_measurement_of_scans(hostile):
    realism = {"gate": [{"passed": True}], "measured_on": "phantoms", "scans": hostile}
    assert generator_reports.scan_notes(realism) == []
    assert all(line.verdict == NOT_MEASURED for line in generator_reports.scan_lines(realism))
    assert generator_reports.gate_summary(realism).startswith("1 of 1")


def test_what_no_database_and_no_page_can_hold_is_taken_out():
    content = b'{"gate": [NaN, -Infinity, 1e999, %d, 0.5], "a\\u0000b": "\\ud800x"}' % 10**400
    values = generator_reports.parse("realism.json", content)
    assert values == {"gate": [None, None, None, None, 0.5], "ab": "?x"}
    json.dumps(values, allow_nan=False).encode()


@pytest.mark.django_db
def test_a_report_with_endless_numbers_is_kept_and_shown_as_not_measured(client):
    user = make_user()
    report = generator_reports.parse("realism.json", b'{"gate": [{"name": "rim", "value": NaN, "passed": null}]}')
    generator = Generator.objects.create(
        name="G", digest="d" * 64, storage_prefix="x", registered_by=user, reports={"realism.json": report}
    )
    client.force_login(user)
    page = client.get(generator.get_absolute_url()).content.decode()
    assert "not measured" in page
    assert client.get(f"/api/synthesis/generators/{generator.pk}/").status_code == 200


def test_numbers_that_are_no_shares_are_not_drawn():
    absurd = [[-1e300, -1e300, 1], [0.5, 0.4, 7], [10**400, 0, 1], [True, 0, 1], [0.5, 0.4, 0.6, 0.7]]
    for rate in absurd:
        assert generator_reports.classifier_rows([CLASSIFICATION[0] | {"accuracy": rate}]) == []
        auc = dict(zip(("auc", "low", "high"), rate[:3], strict=True))
        assert len(rate) > 3 or generator_reports.auc_rows({"two_sample": {"insertion": {"features": auc}}}) == []
    assert generator_reports.gate_lines({"gate": [{"value": 10**400}]})[0].value is None


def test_names_of_any_length_and_kind_fit_beside_a_figure():
    [row] = generator_reports.classifier_rows([CLASSIFICATION[0] | {"features": "x" * 9999, "view": 7}])
    assert (len(row.features), row.view) == (80, "7")
    assert row.counts == "5 + 5 patches of 4 patients"
    assert generator_reports.classifier_rows([CLASSIFICATION[0] | {"patients": None}])[0].counts == ""


def test_a_target_is_said_in_words():
    line = {"target": 0.2, "comparison": "absolute <=", "unit": "HU"}
    asked = [
        generator_reports.gate_lines({"gate": [line | other]})[0].asked
        for other in ({}, {"unit": None}, {"target": "x"})
    ]
    assert asked == ["within ± 0.2 HU", "within ± 0.2", ""]


def test_a_card_that_says_little_makes_no_empty_sentences():
    assert generator_reports.card_lines({"train": {"objective": "ae"}}) == [("Objective", "AE")]
    assert generator_reports.card_lines({"train": {"objective": "of tomorrow", "population": []}}) == [
        ("Objective", "of tomorrow")
    ]
    lines = dict(generator_reports.card_lines(json.loads((DEMO_FOLDER / "card.json").read_text())))
    assert lines["Training"] == "1800 steps of 16 patches, seed 0"
    assert (lines["Objective"], lines["Patches"]) == ("IAE with content term", "all patches")
    assert lines["Patch"] == "16 × 40 × 40 samples (z, y, x) of 2.5 × 1.4 × 1.4 mm"
    assert lines["Signature"] == "64 numbers"
    assert lines["Data"].startswith("56 scans with 319 lesions. 56 phantom")


@pytest.mark.parametrize("names", ["Anna", {"a": "Anna"}, ["Anna", ["Berta"], 3], None])
def test_a_card_of_any_shape_is_shown_without_the_names_that_are_not_seen(names):
    card = {"name": "G", "data": {"cases": 3, "case_names": names}}
    shown = generator_reports.with_names_of(card, {"Clara"})
    assert "Anna" not in str(shown)
    assert generator_reports.names_left_out(shown) == (3 if isinstance(names, list) else 0)
    assert (shown["name"], shown["data"]["cases"]) == ("G", 3)


def test_training_is_told_in_numbers_and_without_a_name():
    card = {
        "train": {"objective": "l1", "batch": 8, "seed": 3},
        "steps_done": 900,
        "data": {"cases": 40, "lesions": 120, "note": "of HOSPITAL A", "case_names": ["P01"]},
        "banks": [{"dataset": "HOSPITAL B", "lesions": 7, "patients": 3}, "nonsense"],
    }
    words = generator_reports.training_in_words(card)
    for known in ("900 steps of 8 patches, seed 3", "40 scans with 120 lesions", "7 lesions of 3 patients"):
        assert known in words
    assert not any(name in words for name in ("HOSPITAL", "P01"))


@pytest.mark.parametrize("card", [None, {}, [], {"train": 3, "data": "x", "banks": {}}])
def test_a_card_without_a_training_tells_nothing_of_it(card):
    assert generator_reports.training_in_words(card) == ""


def test_a_command_is_told_where_nothing_is_left_out_of_the_card():
    """It names folders and datasets as whoever typed it called them."""
    trained = {"command": "python -m ml.train --data /ct/Anna", "data": {"case_names": ["Anna"]}}
    bank = {"command": 'python -m ml.bank --dataset "Ward 7"', "banks": [{"dataset": "Ward 7", "lesions": 3}]}
    assert generator_reports.with_names_of(trained, {"Anna"}) == trained
    assert generator_reports.with_names_of(bank, set(), ["Ward 7"]) == bank
    for hidden in (generator_reports.with_names_of(trained, set()), generator_reports.with_names_of(bank, set())):
        assert "command" not in hidden
        assert not {"Anna", "Ward 7"} & set(str(hidden).replace("/", "'").split("'"))


def test_names_left_out_twice_are_counted_together():
    once = generator_reports.with_names_of({"data": {"case_names": ["a", "b", "c"]}}, {"a", "b"})
    assert generator_reports.with_names_of(once, {"a"})["data"] == {"case_names": ["a"], "case_names_left_out": 2}
    assert generator_reports.with_names_of({"name": "says nothing of data"}, set()) == {"name": "says nothing of data"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("card.json", b"[]"),
        ("realism.json", b'{"a": ' + b"[" * 30 + b"]" * 30 + b"}"),
        ("realism.json", b"{"),
        ("realism.json", b"[]"),
        ("classification.json", b"{}"),
        ("classification.json", b"[" * 100_000),
        ("realism.json", b" " * (generator_reports.MAX_REPORT_BYTES + 1)),
    ],
)
def test_damaged_and_oversized_reports_are_refused(name, content):
    with pytest.raises(DomainError, match=name):
        generator_reports.parse(name, content)


def upload(name, content):
    return SimpleUploadedFile(name, content if isinstance(content, bytes) else json.dumps(content).encode())


def files():
    parts = ("card", "card.json"), ("weights", "weights.safetensors")
    return {key: upload(name, (DEMO_FOLDER / name).read_bytes()) for key, name in parts}


@pytest.mark.django_db
@pytest.mark.recipe
def test_reports_come_with_an_upload_and_are_drawn_on_the_page(client):
    user = make_user(role=Role.COORDINATOR)
    client.force_login(user)
    hostile = [CLASSIFICATION[0] | {"features": "<script>alert(1)</script>"}]
    answer = client.post(
        "/synthesis/generators/register/",
        {
            "name": "Measured",
            **files(),
            "realism": upload("r.json", REALISM),
            "classification": upload("c.json", hostile),
        },
    )
    assert answer.status_code == 302
    job = Job.objects.get()
    execute(str(job.pk))
    job.refresh_from_db()
    generator = Generator.objects.get()
    assert job.result_url == generator.get_absolute_url()
    page = shown(client.get(generator.get_absolute_url()))
    assert "Two-sample tests" in page
    assert "not reached" in page
    assert "0.570 (0.490 to 0.650)" in page
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page
    assert f"(report of {user}, 20" in page


@pytest.mark.django_db
@pytest.mark.recipe
def test_reports_of_weights_that_are_known_are_added_with_the_name_of_who_brought_them(tmp_path):
    first, second = make_user(), make_user()
    for name in ("card.json", "weights.safetensors"):
        (tmp_path / name).write_bytes((DEMO_FOLDER / name).read_bytes())
    (tmp_path / "classification.json").write_text(json.dumps(CLASSIFICATION))
    made = generators.register(folder=tmp_path, name="First", registered_by=first)
    (tmp_path / "classification.json").unlink()
    (tmp_path / "realism.json").write_text(json.dumps(REALISM | {"generator_sha256": made.digest}))
    assert generators.register(folder=tmp_path, name="Second", registered_by=second) == made
    made.refresh_from_db()
    assert made.name == "First"
    brought = generator_reports.received(made.reports)
    assert brought["classification"].startswith(f"{first}, 20")
    assert brought["realism"].startswith(f"{second}, 20")
    (tmp_path / "realism.json").write_text(json.dumps({"gate": []}))
    with pytest.raises(DomainError, match=r"has a realism\.json already"):
        generators.register(folder=tmp_path, name="Third", registered_by=second)
    made.refresh_from_db()
    assert generator_reports.gate_lines(made.reports["realism.json"])
    for number, allowed in enumerate((first, make_user(role=Role.COORDINATOR))):
        (tmp_path / "realism.json").write_text(json.dumps({"gate": [], "held_out_cases": number}))
        generators.register(folder=tmp_path, name="Third", registered_by=allowed)
        made.refresh_from_db()
        assert generator_reports.received(made.reports)["realism"].startswith(str(allowed))
    # What is there already replaces nothing, whoever brings it.
    generators.register(folder=tmp_path, name="Third", registered_by=second)
    made.refresh_from_db()
    assert generator_reports.received(made.reports)["realism"].startswith(str(allowed))
    (tmp_path / "realism.json").write_text(json.dumps(REALISM | {"generator_sha256": "0" * 64}))
    with pytest.raises(DomainError, match="measured on other weights"):
        generators.register(folder=tmp_path, name="Third", registered_by=second)


@pytest.mark.django_db
def test_a_damaged_report_is_refused_at_the_form_and_nothing_is_ordered(client):
    client.force_login(make_user(role=Role.COORDINATOR))
    answer = client.post("/synthesis/generators/register/", {"name": "x", **files(), "realism": upload("r.json", b"{")})
    assert answer.status_code == 200
    page = answer.content.decode()
    assert "realism.json is not readable JSON" in page
    assert 'value="x"' in page
    assert not Job.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"card": "realism.json"}, None),
        ({"card": "classification.json"}, "card.json does not hold what python -m ml.train writes"),
        ({"card": "weights.safetensors"}, "card.json is not readable JSON"),
        ({"realism": REALISM | {"generator_sha256": "0" * 64}}, "realism.json was measured on other weights"),
        (
            {"classification": [*CLASSIFICATION, {"features": "signature x", "generator_sha256": "0" * 64}]},
            "classification.json was measured on other weights",
        ),
        ({"classification": {}}, "classification.json does not hold"),
    ],
)
def test_wrong_files_are_refused_at_the_form(client, changed, message):
    client.force_login(make_user(role=Role.COORDINATOR))
    uploaded = {
        field: upload("f", (DEMO_FOLDER / file).read_bytes() if isinstance(file, str) else file)
        for field, file in changed.items()
    }
    answer = client.post("/synthesis/generators/register/", {"name": "x", **files(), **uploaded})
    if message is None:
        # Any mapping passes here; the worker sees that it is no card.
        assert answer.status_code == 302
        return
    assert message in answer.content.decode()
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_retiring_needs_a_reason_and_can_be_taken_back(client):
    user = make_user(role=Role.COORDINATOR)
    generator = Generator.objects.create(name="G", digest="d" * 64, storage_prefix="x", registered_by=user)
    with pytest.raises(DomainError, match="Say why"):
        generators.retire(generator=generator, user=user, reason="  ")
    client.force_login(user)
    client.post(f"/synthesis/generators/{generator.pk}/retire/", {"reason": "Rims are too weak"})
    assert "Rims are too weak" in client.get(generator.get_absolute_url()).content.decode()
    assert not Generator.objects.usable().exists()
    client.post(f"/synthesis/generators/{generator.pk}/reinstate/")
    assert Generator.objects.usable().exists()
    with pytest.raises(ConflictError):
        generators.reinstate(generator=generator, user=user)
    researcher = make_user(role=Role.RESEARCHER)
    with pytest.raises(DomainError, match="Only coordinators"):
        generators.retire(generator=generator, user=researcher, reason="no")
