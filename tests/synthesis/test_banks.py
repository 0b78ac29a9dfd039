"""A generator with a dataset's lesions as exemplars: who may order it, what comes out, and who learns whose lesions."""

import json
import shutil
from datetime import timedelta

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Origin
from ctplatform.datasets.scans.corrected import correct_mask
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus
from ctplatform.jobs.tasks import requeue_lost_jobs_task
from ml.generator.card import CARD_NAME, DEMO_FOLDER, WEIGHTS_NAME, read_card
from synthesis.generators import banks
from synthesis.generators import services as generators
from synthesis.models import ExemplarBank, Generator
from tests.factories import edited_here, make_dataset, make_generator, make_scan, make_user, token_headers
from tests.pages import shown
from tests.phantoms import ball, liver_box, small_grid

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def few_normals(monkeypatch):
    monkeypatch.setattr("ml.generator.own_lesions.NORMAL_COUNT", 24)


def order(scan, generator, **told):
    told = {"ordered_by": scan.dataset.owner, "name": "Ward 7", **told}
    return banks.order_bank(generator=generator, dataset=scan.dataset, **told)


def done(bank):
    execute(str(bank.job_id))
    bank.refresh_from_db()
    bank.job.refresh_from_db()
    assert bank.job.status == JobStatus.SUCCEEDED, bank.job.error
    return bank.generator


@pytest.mark.recipe
def test_the_job_makes_another_generator_of_the_same_networks_whose_card_says_whose_lesions(
    phantom_scan, generator, client
):
    made = done(order(phantom_scan, generator))
    assert made.digest != generator.digest
    assert (made.name, made.registered_by) == ("Ward 7", phantom_scan.dataset.owner)
    (bank,) = made.card["banks"]
    assert bank["dataset"] == phantom_scan.dataset.name
    assert bank["of"]["weights_sha256"] == generator.digest
    assert bank["lesions"] + sum(bank["left_out"].values()) == phantom_scan.lesions.count()
    loaded = generators.load(made)
    assert len(loaded.bank.lesion_codes) == bank["lesions"]
    assert phantom_scan.subject in loaded.case_names
    client.force_login(phantom_scan.dataset.owner)
    page = shown(client.get(made.get_absolute_url()))
    assert f"{bank['lesions']} lesions of 1 patient of {phantom_scan.dataset.name}, instead of those" in page
    assert ExemplarBank.objects.get().job.result_url == made.get_absolute_url()
    again = done(order(phantom_scan, generator, beside=True))
    counted = sum(generator.card["data"]["bank_lesions"].values()) + bank["lesions"]
    assert sum(again.card["data"]["bank_lesions"].values()) == counted


@pytest.mark.recipe
def test_of_masks_that_lack_lesions_no_normal_liver_is_taken(phantom_scan, generator):
    made = done(order(phantom_scan, generator, all_drawn=False))
    own, before = generators.load(made).bank.normal_codes, generators.load(generator).bank.normal_codes
    assert (own == before).all()


@pytest.mark.recipe
def test_names_and_dataset_are_for_those_who_see_them(phantom_scan, generator, client):
    made = done(order(phantom_scan, generator))
    scan, dataset = phantom_scan, phantom_scan.dataset
    trained_on = generator.card["data"]["case_names"][0]
    member, stranger, administrator = make_user(), make_user(), make_user(role=Role.ADMINISTRATOR)
    dataset.members.add(member)
    # Who brought the generator that it was made of knows the names of that one, and of no more.
    expected = {
        dataset.owner: (True, True, False),
        member: (True, True, False),
        stranger: (False, False, False),
        generator.registered_by: (False, False, True),
        administrator: (True, True, True),
    }
    for user, seen in expected.items():
        client.force_login(user)
        for place in (f"/api/synthesis/generators/{made.pk}/", f"{made.get_absolute_url()}card.json"):
            answer = client.get(place)
            card = json.loads(b"".join(answer.streaming_content) if answer.streaming else answer.content)
            card = card.get("card", card)
            names = card["data"]["case_names"]
            found = (card["banks"][0].get("dataset") == dataset.name, scan.subject in names, trained_on in names)
            assert found == seen, (user, place)


def test_a_cancelled_bank_reads_no_further_scan_and_leaves_no_generator(drawn, generator, monkeypatch):
    grid = small_grid()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    make_scan(drawn["scan"].dataset, grid=grid, masks=masks)
    bank = order(drawn["scan"], generator)
    original, read = banks.case_of, []

    def cancelled(scan, said):
        read.append(scan)
        jobs.cancel(job=Job.objects.get(pk=bank.job_id), actor=bank.job.owner)
        return original(scan, said)

    monkeypatch.setattr(banks, "case_of", cancelled)
    execute(str(bank.job_id))
    assert len(read) == 1
    bank.refresh_from_db()
    bank.job.refresh_from_db()
    assert bank.job.status == JobStatus.CANCELLED
    assert bank.generator is None
    assert Generator.objects.count() == 1


def test_a_scan_that_went_meanwhile_takes_its_bank_along(phantom_scan, generator, monkeypatch):
    bank = order(phantom_scan, generator)
    monkeypatch.setattr(banks, "make", lambda *_: phantom_scan.delete())
    monkeypatch.setattr(generators, "note_digest", lambda *_: None)
    monkeypatch.setattr(generators, "store", lambda **_: None)
    execute(str(bank.job_id))
    bank.job.refresh_from_db()
    assert bank.job.status == JobStatus.FAILED
    assert "was deleted meanwhile" in bank.job.error


def test_a_dataset_without_fit_lesions_says_why(generator):
    grid = small_grid()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    bank = order(make_scan(grid=grid, masks=masks), generator)
    execute(str(bank.job_id))
    bank.job.refresh_from_db()
    assert bank.job.status == JobStatus.FAILED
    assert "No lesion of these scans is fit to be an exemplar. Left out: " in bank.job.error


@pytest.fixture
def drawn():
    """A dataset with a drawn lesion, as its owner, a member, a stranger and a rater meet it."""
    grid = small_grid()
    owner, member = make_user(role=Role.RESEARCHER), make_user()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    scan = make_scan(make_dataset(owner, members=[member]), grid=grid, masks=masks)
    people = {"owner": owner, "member": member, "stranger": make_user(role=Role.COORDINATOR)}
    return {
        "scan": scan,
        **people,
        "rater": make_user(role=Role.RATER),
        "administrator": make_user(role="administrator"),
    }


@pytest.mark.parametrize(
    ("who", "page", "form", "api"),
    [
        ("owner", 200, 302, 201),
        ("member", 200, 302, 201),
        ("administrator", 200, 302, 201),
        ("stranger", 200, 200, 400),
        ("rater", 404, 404, 404),
        (None, 302, 302, 401),
    ],
)
def test_who_may_order_one(drawn, client, who, page, form, api):
    generator, dataset = make_generator(), drawn["scan"].dataset
    told = {"name": "Ward 7", "dataset": str(dataset.pk)}
    if who:
        client.force_login(drawn[who])
    place = f"{generator.get_absolute_url()}bank/"
    assert client.get(place).status_code == page
    assert client.post(place, told).status_code == form
    other = {**told, "beside": True}
    assert client.post(f"/api/synthesis/generators/{generator.pk}/bank/", other).status_code == api
    assert ExemplarBank.objects.count() == (2 if api == 201 else 0)
    if who == "stranger":
        assert dataset.name not in client.get(place).content.decode()
        with pytest.raises(DomainError, match="not shared"):
            order(drawn["scan"], generator, ordered_by=drawn["stranger"])
    if who == "rater":
        with pytest.raises(DomainError, match="Raters"):
            order(drawn["scan"], generator, ordered_by=drawn["rater"])


def test_a_refused_form_keeps_what_was_typed_and_says_what_to_do(drawn, client):
    generator = make_generator()
    empty = make_dataset(drawn["owner"], name="Nothing drawn")
    client.force_login(drawn["owner"])
    told = {"name": "Ward 7", "dataset": str(empty.pk), "beside": "yes", "partly_drawn": "on"}
    page = shown(client.post(f"{generator.get_absolute_url()}bank/", told))
    assert "No scan of this dataset has a liver mask and lesions. Import or draw them first." in page
    for kept in ('value="Ward 7"', f'value="{empty.pk}" selected', 'value="yes" selected', "checked"):
        assert kept in page, kept


def test_edits_are_no_exemplars_and_retired_generators_get_none(drawn):
    generator, scan = make_generator(), drawn["scan"]
    grid = small_grid()
    masks = {MaskKind.LIVER: liver_box(grid), MaskKind.LESION: ball(grid, (2.5, 12, 16), 9.0)}
    make_scan(
        scan.dataset,
        grid=grid,
        masks=masks,
        origin=Origin.SYNTHETIC,
        source_scan=scan,
        provenance=edited_here(),
    )
    assert list(order(scan, generator).scans.all()) == [scan]
    generators.retire(generator=generator, user=drawn["stranger"], reason="Rims")
    generator.refresh_from_db()
    with pytest.raises(ConflictError, match="retired"):
        order(scan, generator)
    bank = ExemplarBank.objects.get()
    jobs.cancel(job=bank.job, actor=bank.job.owner)
    with pytest.raises(DomainError, match="retired"):
        jobs.retry(job=bank.job, actor=bank.job.owner)


def test_a_program_s_order_names_its_job(drawn, client):
    generator = make_generator()
    answer = client.post(
        f"/api/synthesis/generators/{generator.pk}/bank/",
        {"name": "Ward 7", "dataset": str(drawn["scan"].dataset_id), "all_drawn": False},
        headers=token_headers(drawn["owner"]),
    )
    made = answer.json()
    assert made["job"]["status"] == "queued"
    assert (made["source"], made["beside"], made["all_drawn"]) == (str(generator.pk), False, False)


@pytest.fixture
def quick(monkeypatch):
    """Banks whose networks are the demo's files: everything but the computation."""
    monkeypatch.setattr(banks, "make", lambda _bank, _scans, folder, _context: take_demo(folder))


def take_demo(folder):
    shutil.copytree(DEMO_FOLDER, folder, dirs_exist_ok=True)


def demo_files():
    prefix = f"generators/{read_card(DEMO_FOLDER).digest}"
    return [default_storage.exists(f"{prefix}/{name}") for name in (CARD_NAME, WEIGHTS_NAME)]


def test_the_same_bank_is_not_ordered_again_and_whoever_orders_it_is_led_to_the_first(drawn, client, quick):
    generator, scan = make_generator(), drawn["scan"]
    made = done(order(scan, generator))
    told = {"name": "Again", "dataset": str(scan.dataset_id)}
    client.force_login(drawn["member"])
    refused = client.post(f"/api/synthesis/generators/{generator.pk}/bank/", told)
    assert refused.status_code == 409
    assert refused.json()["code"] == "bank_there"
    assert refused.json()["details"] == [made.get_absolute_url()]
    place = f"{generator.get_absolute_url()}bank/"
    for page in (client.get(place), client.post(place, told)):
        assert f'href="{made.get_absolute_url()}"' in page.content.decode()
    page = shown(client.post(place, told))
    assert f"would give what is there already, the generator {made}. Nothing was ordered." in page
    assert 'value="Again"' in page
    assert ExemplarBank.objects.count() == Job.objects.count() == 1
    client.force_login(drawn["stranger"])
    assert made.name not in client.get(place).content.decode()


def test_another_way_other_masks_or_other_kinds_are_another_bank(drawn, quick):
    generator, scan = make_generator(), drawn["scan"]
    order(scan, generator)
    order(scan, generator, beside=True)
    order(scan, generator, all_drawn=False)
    correct_mask(
        scan=scan,
        user=drawn["owner"],
        kind=MaskKind.LIVER,
        base=scan.masks.get(kind=MaskKind.LIVER).pk,
        lengths=[0, 1],
    )
    order(scan, generator)
    scan.lesions.update(kind="cystic")
    order(scan, generator)
    assert ExemplarBank.objects.count() == 5


def test_while_one_is_being_made_its_job_is_named_to_who_may_see_it(drawn, client, quick):
    generator, scan = make_generator(), drawn["scan"]
    bank = order(scan, generator)
    place = f"{generator.get_absolute_url()}bank/"
    for who, led in (("owner", True), ("member", False)):
        client.force_login(drawn[who])
        page = client.post(place, {"name": "Again", "dataset": str(scan.dataset_id)}).content.decode()
        assert f"{drawn['owner']} has ordered the same already, and it is being made." in page
        assert (f"/jobs/{bank.job_id}/" in page) == led
    assert ExemplarBank.objects.count() == 1


def test_what_was_cancelled_may_be_ordered_again_and_is_not_tried_again_then(drawn, quick):
    generator, scan = make_generator(), drawn["scan"]
    first = order(scan, generator)
    jobs.cancel(job=first.job, actor=drawn["owner"])
    order(scan, generator)
    first.job.refresh_from_db()
    with pytest.raises(ConflictError, match="ordered again meanwhile"):
        jobs.retry(job=first.job, actor=drawn["owner"])


def test_where_the_same_came_out_all_the_same_the_job_says_so_and_leads_there(drawn, client, quick):
    generator, scan = make_generator(), drawn["scan"]
    made = done(order(scan, generator))
    second = order(scan, generator, all_drawn=False)
    assert done(second) == made
    assert second.job.result == {"generator": str(made.pk), "digest": made.digest, "already_there": True}
    client.force_login(drawn["owner"])
    page = shown(client.get(f"/jobs/{second.job_id}/"))
    assert f"Nothing new came out: the same generator was there already, {made}." in page
    assert f'href="{made.get_absolute_url()}"' in page
    assert Generator.objects.filter(digest=made.digest).count() == 1


def test_what_a_bank_without_result_had_stored_goes_with_it(
    drawn, quick, monkeypatch, django_capture_on_commit_callbacks
):
    bank, stored = order(drawn["scan"], make_generator()), []
    original = generators.store

    def withdrawn_meanwhile(**told):
        made = original(**told)
        stored.extend(demo_files())
        drawn["scan"].delete()
        return made

    monkeypatch.setattr(generators, "store", withdrawn_meanwhile)
    with django_capture_on_commit_callbacks(execute=True):
        execute(str(bank.job_id))
    bank.job.refresh_from_db()
    assert bank.job.status == JobStatus.FAILED
    assert stored == [True, True]
    assert demo_files() == [False, False]


@pytest.mark.parametrize("wanted", ["nobody", "registered", "being made", "being registered"])
def test_what_killed_workers_had_stored_goes_unless_somebody_wants_it(
    drawn, quick, monkeypatch, django_capture_on_commit_callbacks, wanted
):
    scan, generator = drawn["scan"], make_generator()
    bank = order(scan, generator)
    original = generators.store

    class Killed(BaseException):
        pass

    def killed(**told):
        original(**told)
        raise Killed

    monkeypatch.setattr(generators, "store", killed)
    with pytest.raises(Killed):
        execute(str(bank.job_id))
    monkeypatch.setattr(generators, "store", original)
    Job.objects.filter(pk=bank.job_id).update(
        attempts=3, lease_expires_at=timezone.now() - timedelta(hours=1), sent_at=None
    )
    if wanted == "registered":
        generators.register(folder=DEMO_FOLDER, name="Demo", registered_by=drawn["owner"])
    if wanted == "being made":
        other = order(scan, generator, beside=True)
        ExemplarBank.objects.filter(pk=other.pk).update(stored_digest=read_card(DEMO_FOLDER).digest)
        Job.objects.filter(pk=other.job_id).update(sent_at=timezone.now())
    if wanted == "being registered":
        order_registration_of_the_demo(drawn["owner"])
    with django_capture_on_commit_callbacks(execute=True):
        requeue_lost_jobs_task()
    bank.job.refresh_from_db()
    assert bank.job.status == JobStatus.FAILED
    assert demo_files() == ([False, False] if wanted == "nobody" else [True, True])


def order_registration_of_the_demo(owner):
    parts = {
        name: SimpleUploadedFile(file, (DEMO_FOLDER / file).read_bytes())
        for name, file in (("card", CARD_NAME), ("weights", WEIGHTS_NAME))
    }
    return generators.order_registration(ordered_by=owner, name="Demo", **parts)


@pytest.mark.parametrize("registered", [False, True])
def test_a_registration_that_ends_without_its_row_leaves_no_files_but_those_of_others(
    drawn, monkeypatch, django_capture_on_commit_callbacks, registered
):
    if registered:
        generators.register(folder=DEMO_FOLDER, name="Demo", registered_by=drawn["owner"])
    job, store, stored = order_registration_of_the_demo(drawn["owner"]), generators.store, []

    def refused_after(**told):
        store(**told)
        stored.extend(demo_files())
        raise DomainError("The disk is full.")

    monkeypatch.setattr(generators, "store", refused_after)
    with django_capture_on_commit_callbacks(execute=True):
        execute(str(job.pk))
    job.refresh_from_db()
    assert job.status == JobStatus.FAILED
    assert stored == [True, True]
    assert demo_files() == [registered, registered]
    assert not default_storage.exists(f"{job.payload['staged']}/{WEIGHTS_NAME}")
