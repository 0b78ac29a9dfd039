"""A study of images that other programs made: brought in, reviewed, drawn by arm, locked, read, unblinded, reported."""

import csv
import io

import pytest
from django.core.files.storage import default_storage
from django.urls import reverse

from ctplatform.datasets.models import Verdict
from readerstudy.blinding.wire import samples_of
from readerstudy.design.cases import arm_of
from readerstudy.models import CaseTruth, Stimulus, Study
from readerstudy.report.archive import text_files
from readerstudy.report.loading import report_data
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.pages import shown
from tests.readerstudy.elsewhere import BANDED, BLOB, COPY, HOSTS, brought_in, write_files
from tests.readerstudy.worlds import Browser, World, make_draft

CASES = 4 * HOSTS


def accept_all(client, dataset):
    """As a program does that reviews: what waits, and a verdict on each."""
    listed = client.get("/api/datasets/scans/", {"dataset": dataset.pk, "review": "pending", "page_size": 100})
    waiting = [row["id"] for row in listed.json()["results"]]
    for pk in waiting:
        url = reverse("datasets-api:scan-verdict", args=[pk])
        assert client.post(url, {"accept": True}, content_type="application/json").status_code == 200
    return waiting


@pytest.fixture
def drafted(cast, client, stages, tmp_path):
    def draft(**written):
        dataset = brought_in(write_files(tmp_path / "files", **written), cast.owner)
        client.force_login(cast.owner)
        assert len(accept_all(client, dataset)) == 2 * HOSTS
        people = [cast.rater, cast.second_rater, cast.idle_rater]
        return make_draft(cast, World(dataset), cases=CASES, twins_allowed=False, raters=people)

    return draft


def answers(study, *, finds, misses):
    """By token: the images of some programs are found, all others called real, but for every eighth case of an arm."""
    truths = CaseTruth.objects.filter(case__study=study).order_by("scan__name", "lesion__number")
    told = {}
    for arm in ("real", BLOB, COPY):
        for rank, truth in enumerate(truth for truth in truths if arm_of(truth).name == arm):
            synthetic = (arm in finds) != (rank % 8 == misses)
            for token in truth.case.stimuli.get().presentations.values_list("token", flat=True):
                told[token] = {"answer": "synthetic" if synthetic else "real", "confidence": 1 + rank % 3}
    return told


def read_by(study, person, **how):
    told, reader = answers(study, **how), Browser(person, study)
    for token in reader.tokens():
        response = reader.rate(token, **told[token])
        assert response.status_code == 201, response.content


def test_from_files_of_other_programs_to_a_report_by_arm(cast, client, stages, drafted):
    study = drafted()
    assert not study.datasets.get().scans.filter(provenance__verdict=Verdict.PENDING).exists()
    stages.draw(study)
    page = shown(client.get(reverse("studies:cases", args=[study.pk])))
    assert f"{2 * HOSTS} real · {HOSTS} {BLOB} · {HOSTS} {COPY}" in page
    of_one_arm = client.get(reverse("studies:cases", args=[study.pk]), {"arm": COPY})
    assert of_one_arm.context["paginator"].count == HOSTS
    stages.open(study)
    read_by(study, cast.rater, finds={COPY}, misses=1)
    read_by(study, cast.second_rater, finds={COPY}, misses=4)
    read_by(study, cast.idle_rater, finds={COPY}, misses=6)
    unblinding.close(study=study, actor=cast.owner)
    assert_sealed(client, study)
    unblinding.unblind(study=study, actor=cast.owner, typed_title=study.title)
    results = shown(client.get(reverse("studies:results", args=[study.pk])))
    assert "By arm" in results
    assert f"AUC of {BLOB} minus {COPY}" in results
    told = client.get(f"/api/studies/{study.pk}/arms/").json()
    by_arm = {reading["arm"]: reading for reading in told["readings"]}
    assert list(by_arm) == ["real", BLOB, COPY]
    shares = [reading["called_synthetic"]["value"] for reading in by_arm.values()]
    assert shares == [pytest.approx(1 / 8), pytest.approx(1 / 8), pytest.approx(7 / 8)]
    assert by_arm[COPY]["p_adjusted"] < 0.01 < 0.5 < by_arm[BLOB]["p_adjusted"]
    [contrast] = told["contrasts"]
    assert contrast["difference"]["value"] < 0
    assert contrast["p"] < 0.01
    assert_reported(study, client)


def assert_sealed(client, study):
    """Nobody learns which case is of which program; the same rows say it after the unblinding."""
    assert client.get(f"/api/studies/{study.pk}/arms/").status_code == 409
    for url in (study.get_absolute_url(), reverse("studies:export-csv", args=[study.pk])):
        content = client.get(url).getvalue().decode()
        assert "BlobGAN" not in content
        assert "Copier" not in content
    assert client.get(reverse("studies:cases", args=[study.pk])).status_code == 302


def assert_reported(study, client):
    rows = list(
        csv.DictReader(io.StringIO(client.get(reverse("studies:export-csv", args=[study.pk])).getvalue().decode()))
    )
    assert {row["arm"] for row in rows} == {"real", BLOB, COPY}
    data = report_data(UnblindedStudy(study))
    files = {name: content.decode() for name, content in text_files(data).items() if name.endswith((".txt", ".csv"))}
    assert "By arm (exploratory)" in files["results.txt"]
    assert [row["arm"] for row in csv.DictReader(io.StringIO(files["arms.csv"]))] == [
        "real",
        BLOB,
        COPY,
        f"{BLOB} – {COPY}",
    ]
    assert data.flow["edited"] == 2 * HOSTS + 1  # what was left out before the study stays in the denominator
    assert (data.flow["rejected"], data.flow["excluded_beforehand"]) == (1, 1)
    [left_out] = study.datasets.get().scans.filter(provenance__verdict=Verdict.REJECTED)
    assert left_out.provenance.verdict_reason == BANDED
    flow = client.get(reverse("studies:results", args=[study.pk])).content.decode()
    assert "excluded before the study: 1" in flow


def test_the_check_for_leaks_names_how_the_files_of_an_arm_differ(client, stages, drafted):
    """The copier's program writes even numbers only, far from its lesions too."""
    study = drafted(finish_copies=lambda volume: volume // 2 * 2)
    stages.draw(study)
    stages.lock(study)
    assert study.is_draft
    named = f"even values ({COPY})"
    assert named in study.leak_audit["leaks"]
    assert not [leak for leak in study.leak_audit["leaks"] if BLOB in leak]
    page = shown(client.get(reverse("studies:leaks", args=[study.pk])))
    assert named in page
    assert "Write its files as the real ones were written" in page
    # Real cases take the same steps: now nothing tells, and protocol and methods say what was done.
    study.round_trip_step_hu = 2
    study.save(update_fields=["round_trip_step_hu"])
    stages.open(study)
    assert study.protocol["display"]["round_trip"]["step_hu"] == 2
    assert "rounded to multiples of 2 HU" in shown(client.get(study.get_absolute_url()))
    for stimulus in Stimulus.objects.filter(case__study=study):
        assert not (slice_of(stimulus) % 2).any()
    assert verify(study).intact
    Study.objects.filter(pk=study.pk).update(round_trip_step_hu=1)
    study.refresh_from_db()
    assert "round_trip" in verify(study).sentence()


def slice_of(stimulus):
    with default_storage.open(stimulus.slice_key(0), "rb") as file:
        return samples_of(file.read(), rows=stimulus.size_zyx[1], columns=stimulus.size_zyx[2])
