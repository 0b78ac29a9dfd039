"""Trainings that start from a generator, and what is said of lesions that nobody drew: page, API, job and card."""

import pytest

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin, Scan
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import JobStatus
from ml.training.config import FINE_TUNING
from synthesis.generators import services as generators
from synthesis.generators import training
from synthesis.models import TrainingRun
from tests.factories import edited_here, make_dataset, make_scan, make_user, token_headers
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_grid

pytestmark = pytest.mark.django_db


def source(dataset, *, lesions=True, **fields):
    grid = small_grid()
    masks = {MaskKind.LIVER: liver_box(grid)} | ({MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)} if lesions else {})
    return make_scan(dataset, grid=grid, masks=masks, **{"origin": Origin.ACQUIRED, **fields})


def order(*scans, **told):
    told = {"ordered_by": scans[0].dataset.owner, "name": "Tiny", "objective": "iae_content", "steps": 10, **told}
    return training.order_training(scans=list(scans), seed=3, **told)


@pytest.fixture
def dataset():
    return make_dataset(make_user(role=Role.RESEARCHER))


@pytest.mark.recipe
def test_the_job_begins_from_the_generator_and_the_card_says_so(phantom_scan, generator, monkeypatch, client):
    monkeypatch.setattr("ml.generator.bank.NORMAL_COUNT", 24)
    run = order(phantom_scan, initial=generator)
    run.config |= {"batch": 2, "steps": 2}
    run.save()
    execute(str(run.job_id))
    run.refresh_from_db()
    run.job.refresh_from_db()
    assert run.job.status == JobStatus.SUCCEEDED, run.job.error
    card = run.generator.card
    assert card["began_from"] == {"name": "demo", "weights_sha256": generator.digest}
    assert card["train"]["learning_rate"] == FINE_TUNING.learning_rate
    assert phantom_scan.subject in card["data"]["case_names"]
    assert generator.card["data"]["case_names"][0] in card["data"]["case_names"]
    assert "--init" in card["command"]
    client.force_login(phantom_scan.dataset.owner)
    page = shown(client.get(run.generator.get_absolute_url()))
    assert f"demo ({generator.short_digest})" in page
    assert generator.card["data"]["case_names"][0] not in page
    assert f'Started from <a href="{generator.get_absolute_url()}">' in shown(client.get(run.get_absolute_url()))


def test_weights_that_would_not_fit_are_refused_at_the_order(dataset, generator):
    with pytest.raises(DomainError, match="another kind of objective"):
        order(source(dataset), initial=generator, objective="ae")
    generators.retire(generator=generator, user=make_user(role=Role.COORDINATOR), reason="Rims")
    generator.refresh_from_db()
    with pytest.raises(ConflictError, match="retired"):
        order(source(dataset), initial=generator)


def test_a_training_whose_first_weights_were_retired_is_not_tried_again(dataset, generator):
    run, other = order(source(dataset), initial=generator), order(source(dataset))
    for one in (run, other):
        jobs.cancel(job=one.job, actor=one.job.owner)
    generators.retire(generator=generator, user=make_user(role=Role.COORDINATOR), reason="Rims")
    with pytest.raises(DomainError, match="retired"):
        jobs.retry(job=run.job, actor=run.job.owner)
    jobs.retry(job=other.job, actor=other.job.owner)


def test_what_is_known_of_a_scan_s_lesions(dataset):
    known = {
        "drawn": source(dataset),
        "liver alone": source(dataset, lesions=False),
        "phantom": source(dataset, lesions=False, origin=Origin.PHANTOM),
    }
    assert {name: training.case_of(scan).all_drawn for name, scan in known.items()} == {
        "drawn": True,
        "liver alone": False,
        "phantom": True,
    }
    assert training.case_of(known["liver alone"], "none").all_drawn
    assert not training.case_of(known["drawn"], "not all drawn").all_drawn


def test_what_is_said_reaches_the_training(dataset, monkeypatch):
    scans = [source(dataset), source(dataset), source(dataset, lesions=False)]
    run = order(*scans, lesion_free=[scans[2]], partly_drawn=[scans[1]])
    seen = {}

    class ReadError(DomainError):
        pass

    def read(cases):
        seen.update({case.name: case.all_drawn for case in cases})
        raise ReadError("read")

    monkeypatch.setattr("ml.generator.bank.lesions_to_learn", read)
    execute(str(run.job_id))
    assert seen == {scan.subject: drawn for scan, drawn in zip(scans, (True, False, True), strict=True)}


def test_on_normal_patches_patients_are_held_out_only_of_those_that_show_normal_liver(dataset):
    scans = [source(dataset), *(source(dataset, lesions=False) for _ in range(4))]
    assert "validation_share" in order(*scans).config
    assert "validation_share" not in order(*scans, population="normal").config
    assert "validation_share" in order(*scans, population="normal", lesion_free=scans[1:]).config


@pytest.mark.parametrize(
    ("told", "message"),
    [
        (lambda drawn, bare, other: {"lesion_free": [drawn]}, "has lesions that are drawn, so it is not free of them"),
        (lambda drawn, bare, other: {"lesion_free": [other]}, "is none of the chosen scans"),
        (lambda drawn, bare, other: {"lesion_free": [bare], "partly_drawn": [bare]}, "Name it once"),
        (lambda drawn, bare, other: {"partly_drawn": [drawn]}, "Of none of these scans is it known"),
    ],
)
def test_what_can_not_be_is_refused(dataset, told, message):
    drawn, bare, other = source(dataset), source(dataset, lesions=False), source(dataset)
    with pytest.raises(DomainError, match=message):
        order(drawn, bare, **told(drawn, bare, other))
    assert not TrainingRun.objects.exists()


def test_edited_scans_teach_no_generator(dataset):
    real = source(dataset)
    edited = source(dataset, origin=Origin.SYNTHETIC, source_scan=real, provenance=edited_here())
    with pytest.raises(DomainError, match="is synthetic"):
        order(real, edited)


def test_the_page_takes_names_and_keeps_what_was_typed(dataset, generator, client):
    scans = [source(dataset, name="north"), source(dataset, name="south, portal", lesions=False)]
    elsewhere = source(make_dataset(owner=dataset.owner), name="south, portal", lesions=False)
    client.force_login(dataset.owner)
    page = client.get(f"/synthesis/training/new/?from={generator.pk}").content.decode()
    assert f'value="{generator.pk}" selected' in page
    assert f'name="steps" value="{FINE_TUNING.steps}"' in page
    told = {
        "scans": [str(scan.pk) for scan in scans],
        "name": "Tiny",
        "objective": "iae_content",
        "population": "all",
        "steps": "20",
        "seed": "1",
        "initial": str(generator.pk),
        "lesion_free": "south, portal\nwest",
    }
    page = shown(client.post("/synthesis/training/new/", told))
    assert "“west” is none of the chosen scans." in page
    assert "south, portal west</textarea>" in page
    assert f'value="{generator.pk}" selected' in page
    told |= {"lesion_free": "south, portal"}
    # A name is one scan's within a dataset only: the other one's lesions may not be drawn.
    both = told | {"scans": [*told["scans"], str(elsewhere.pk)]}
    assert "is the name of 2 chosen scans" in shown(client.post("/synthesis/training/new/", both))
    assert client.post("/synthesis/training/new/", told).status_code == 302
    run = TrainingRun.objects.get()
    assert run.initial == generator
    assert run.lesions_said == {str(scans[1].pk): "none"}


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 201), ("member", 201), ("stranger", 400), ("rater", 404), (None, 401)]
)
def test_programs_order_a_training_of_scans_that_their_owner_sees(dataset, client, who, status):
    member = make_user()
    dataset.members.add(member)
    people = {"owner": dataset.owner, "member": member, "stranger": make_user(), "rater": make_user(role=Role.RATER)}
    scan, bare = source(dataset), source(dataset, lesions=False)
    if who:
        client.force_login(people[who])
    told = {
        "name": "Tiny",
        "scans": [str(scan.pk), str(bare.pk)],
        "steps": 20,
        "lesion_free": [str(bare.pk)],
    }
    answer = client.post("/api/synthesis/trainings/", told, content_type="application/json")
    assert answer.status_code == status, answer.content
    assert TrainingRun.objects.count() == (status == 201)
    if status == 201:
        run = TrainingRun.objects.get()
        assert run.lesions_said == {str(bare.pk): "none"}
        listed = client.get("/api/synthesis/trainings/").json()
        assert [row["id"] for row in listed["results"]] == [str(run.pk)]
        client.force_login(make_user(role=Role.COORDINATOR))
        assert client.get(f"/api/synthesis/trainings/{run.pk}/").status_code == 404
        client.logout()
        theirs = token_headers(people[who])
        assert client.get(f"/api/synthesis/trainings/{run.pk}/", headers=theirs).status_code == 200
    assert Scan.objects.count() == 2
