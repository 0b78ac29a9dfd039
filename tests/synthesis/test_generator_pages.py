"""Generators, their atlases and their training, page by page: who may see what, who may do what, and what is said."""

import json
import re

import pytest
from django.core.files.storage import default_storage

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Scan
from ctplatform.datasets.scans.voxels import save_bytes
from ctplatform.datasets.services import delete_scan
from ctplatform.errors import ConflictError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, JobStatus
from synthesis.atlas.patches import write_patches
from synthesis.atlas.services import order_atlas
from synthesis.generators import services as generators
from synthesis.generators.training import TRAIN_KIND
from synthesis.models import Generator, SignatureAtlas, TrainingRun
from synthesis.web.forms import BatchForm
from tests.factories import make_dataset, make_generator, make_scan, make_user
from tests.pages import shown
from tests.phantoms import liver_box, small_grid

pytestmark = pytest.mark.django_db


def make_source(dataset):
    grid = small_grid()
    return make_scan(dataset, grid=grid, masks={MaskKind.LIVER: liver_box(grid)})


def finish(atlas, scan):
    """As if the worker had drawn it."""
    Job.objects.filter(pk=atlas.job_id).update(status=JobStatus.SUCCEEDED)
    atlas.sheet_key = f"atlas/{atlas.pk}.png"
    save_bytes(atlas.sheet_key, b"png")
    point = {"scan": str(scan.pk), "name": "s", "at": [1, 2, 3], "lesion": 0, "kind": "normal", "diameter_mm": None}
    atlas.content = {"points": [point | {"components": [0, 1, 2]}]}
    atlas.scans_shown, atlas.scans_left_out = 1, 7
    atlas.save()
    write_patches(atlas, atlas.content["points"])
    return atlas


@pytest.fixture
def cast():
    owner, member = make_user(role=Role.COORDINATOR), make_user()
    return {
        "dataset": make_dataset(owner, members=[member]),
        "owner": owner,
        "member": member,
        "stranger": make_user(role=Role.COORDINATOR),
        "rater": make_user(role=Role.RATER),
    }


@pytest.fixture
def atlas(cast):
    make_source(cast["dataset"])
    return order_atlas(ordered_by=cast["owner"], generator=make_generator(), dataset=cast["dataset"])


@pytest.mark.parametrize(("who", "status"), [("owner", 200), ("stranger", 200), ("rater", 404), (None, 302)])
def test_generator_pages_are_for_staff(client, cast, who, status):
    if who:
        client.force_login(cast[who])
    generator = make_generator()
    pages = ["/synthesis/generators/", "/synthesis/generators/register/", "/synthesis/training/new/"]
    for path in [*pages, generator.get_absolute_url()]:
        assert client.get(path).status_code == status, path


@pytest.mark.parametrize(
    ("who", "status"), [("owner", 200), ("member", 200), ("stranger", 404), ("rater", 404), (None, 302)]
)
def test_an_atlas_and_its_pictures_are_for_those_who_see_the_dataset(client, cast, atlas, who, status):
    finish(atlas, cast["dataset"].scans.get())
    if who:
        client.force_login(cast[who])
    for tail in ("", "patches/", "points.json", "pictures.png"):
        assert client.get(atlas.get_absolute_url() + tail).status_code == status, tail


@pytest.mark.parametrize(("who", "status"), [("stranger", 200), ("rater", 404), (None, 302)])
def test_the_files_of_a_generator_can_be_taken_home_by_staff(client, cast, who, status):
    generator = make_generator()
    Generator.objects.update(storage_prefix=f"generators/{generator.digest}")
    for name in ("card.json", "weights.safetensors"):
        save_bytes(f"generators/{generator.digest}/{name}", name.encode())
    if who:
        client.force_login(cast[who])
    for name in ("card.json", "weights.safetensors"):
        answer = client.get(generator.get_absolute_url() + name)
        assert answer.status_code == status
        if status == 200:
            assert b"".join(answer.streaming_content) == name.encode()
            assert f'filename="{name}"' in answer["Content-Disposition"]


@pytest.mark.parametrize("who", ["rater", None])
def test_raters_and_strangers_to_the_platform_order_and_decide_nothing(client, cast, who):
    if who:
        client.force_login(cast[who])
    make_source(cast["dataset"])
    generator = make_generator()
    for tail in ("retire/", "reinstate/", "atlas/"):
        data = {"reason": "x", "dataset": str(cast["dataset"].pk)}
        assert client.post(generator.get_absolute_url() + tail, data).status_code == (404 if who else 302)
    for path in ("/synthesis/training/new/", "/synthesis/generators/register/"):
        assert client.post(path, {}).status_code == (404 if who else 302)
    assert Generator.objects.usable().count() == 1
    assert not Job.objects.exists()


def test_a_researcher_can_not_retire_a_generator(client):
    client.force_login(make_user(role=Role.RESEARCHER))
    generator = make_generator()
    assert "Retire" not in client.get(generator.get_absolute_url()).content.decode()
    client.post(f"{generator.get_absolute_url()}retire/", {"reason": "no"})
    assert Generator.objects.usable().exists()


def test_a_retired_generator_draws_no_new_atlas_and_keeps_the_old(client, cast, atlas):
    generators.retire(generator=atlas.generator, user=cast["owner"], reason="Rims are too weak")
    atlas.generator.refresh_from_db()
    with pytest.raises(ConflictError, match="retired"):
        order_atlas(ordered_by=cast["owner"], generator=atlas.generator, dataset=cast["dataset"])
    client.force_login(cast["owner"])
    page = client.get(atlas.generator.get_absolute_url()).content.decode()
    assert "Make an atlas" not in page
    assert atlas.get_absolute_url() in page


def test_an_atlas_under_way_is_shared_instead_of_being_drawn_twice(cast, atlas):
    def again():
        return order_atlas(ordered_by=cast["member"], generator=atlas.generator, dataset=cast["dataset"])

    assert again() == atlas
    jobs.cancel(job=atlas.job, actor=atlas.job.owner)
    assert again() != atlas


def test_only_those_who_may_steer_the_job_are_offered_to(client, cast, atlas):
    for who, offered in (("owner", True), ("member", False)):
        client.force_login(cast[who])
        assert ("jobs/" in client.get(atlas.get_absolute_url()).content.decode().split("page-head")[1]) == offered
    Job.objects.update(status=JobStatus.RUNNING, cancel_requested=True)
    client.force_login(cast["owner"])
    assert "Stops at its next report" in client.get(atlas.get_absolute_url()).content.decode()


def test_the_waiting_page_loads_itself_anew_when_the_job_has_ended(client, cast, atlas):
    client.force_login(cast["owner"])
    polled = {"headers": {"HX-Request": "true"}}
    assert "HX-Refresh" not in client.get(atlas.get_absolute_url(), **polled)
    finish(atlas, cast["dataset"].scans.get())
    assert client.get(atlas.get_absolute_url(), **polled)["HX-Refresh"] == "true"
    assert "HX-Refresh" not in client.get(atlas.get_absolute_url())


def test_the_atlas_says_how_many_scans_it_holds_and_leaves_out(client, cast, atlas):
    finish(atlas, cast["dataset"].scans.get())
    client.force_login(cast["owner"])
    page = shown(client.get(atlas.get_absolute_url()))
    assert "1 liver patch of 1 scan (7 more of this dataset left out" in page


def test_patches_come_in_pages_and_are_sorted_by_any_column(client, cast, atlas):
    scan = cast["dataset"].scans.get()
    finish(atlas, scan)
    (point,) = atlas.content["points"]
    kinds = {5: ("cystic", 7.25), 9: ("lesion", 30.0)}
    atlas.content["points"] = [
        point
        | {"name": f"s{number:03}", "components": [(7 * number) % 120, -number, 0]}
        | ({"lesion": number, "kind": kinds[number][0], "diameter_mm": kinds[number][1]} if number in kinds else {})
        for number in range(120)
    ]
    atlas.save()
    write_patches(atlas, atlas.content["points"])
    client.force_login(cast["owner"])
    url = f"{atlas.get_absolute_url()}patches/"

    def names(**query):
        return re.findall(r"<td>(s\d+)</td>", client.get(url, query).content.decode())

    assert f'href="{url}"' in client.get(atlas.get_absolute_url()).content.decode()
    assert names() == [f"s{number:03}" for number in range(50)]
    assert names(page=3) == [f"s{number:03}" for number in range(100, 120)]
    assert names(ordering="-name")[0] == "s119"
    assert names(ordering="pc2")[:2] == ["s119", "s118"]
    assert [(7 * int(name[1:])) % 120 for name in names(ordering="pc1", page=2)] == list(range(50, 100))
    assert names(ordering="-diameter")[:2] == ["s009", "s005"]
    assert names(ordering="kind")[:2] == ["s005", "s009"]
    assert names(ordering="nonsense") == names()
    page = client.get(url, {"ordering": "-diameter"}).content.decode()
    assert 'aria-sort="descending"' in page
    for said in ("Cystic lesion 5", "Lesion 9", "Normal liver", "7.3", "Page 1 of 3", "ordering=-diameter&amp;page=2"):
        assert said in page, said
    assert f"{scan.get_absolute_url()}?at=1.00,2.00,3.00" in page


def test_there_is_no_table_of_an_atlas_that_is_not_drawn(client, cast, atlas):
    client.force_login(cast["owner"])
    assert client.get(f"{atlas.get_absolute_url()}patches/").status_code == 404


def test_names_of_scans_are_for_those_who_see_the_scans(client, cast):
    """Members of one of the two datasets that a generator was trained on see the names of that one."""
    other = make_dataset(make_user())
    scans = [make_scan(cast["dataset"], subject="subject-north"), make_scan(other, subject="subject-south")]
    make_scan(make_dataset(cast["stranger"]), subject="subject-north")  # of another patient, by chance
    card = {"data": {"cases": 2, "lesions": 3, "case_names": [scan.subject for scan in scans]}}
    generator = make_generator(registered_by=cast["owner"], card=card)
    Generator.objects.update(storage_prefix=f"generators/{generator.digest}")
    save_bytes(f"generators/{generator.digest}/card.json", json.dumps(card).encode())
    job = Job.objects.create(kind=TRAIN_KIND, title="t", owner=cast["owner"])
    run = TrainingRun.objects.create(job=job, name="t", config={}, generator=generator)
    run.scans.set(scans)
    administrator = make_user(role=Role.ADMINISTRATOR)
    expected = {
        cast["member"]: (True, False),
        cast["owner"]: (True, False),
        other.owner: (False, True),
        cast["stranger"]: (False, False),
        administrator: (True, True),
    }
    places = [generator.get_absolute_url(), f"{generator.get_absolute_url()}card.json"]
    places += [f"/api/synthesis/generators/{generator.pk}/", "/api/synthesis/generators/"]
    for user, seen in expected.items():
        client.force_login(user)
        for place in places:
            answer = client.get(place)
            text = (b"".join(answer.streaming_content) if answer.streaming else answer.content).decode()
            assert tuple(scan.subject in text for scan in scans) == seen, (user, place)
            if place != places[0]:
                assert ("case_names_left_out" in text) == (seen != (True, True))
        page = client.get(places[0]).content.decode()
        assert "2 scans with 3 lesions" in page
        assert ("left out; they are in the card for people who" in page) == (seen != (True, True))
    delete_scan(scan=scans[1], user=other.owner)
    client.force_login(other.owner)
    assert "subject-south" not in client.get(places[0]).content.decode()


def test_names_of_scans_that_lie_elsewhere_are_for_who_brought_the_generator(client, cast):
    generator = make_generator(registered_by=cast["member"], card={"data": {"case_names": ["subject-west"]}})
    for who, seen in (("member", True), ("owner", False)):
        client.force_login(cast[who])
        assert ("subject-west" in client.get(generator.get_absolute_url()).content.decode()) == seen


def test_an_atlas_goes_with_its_scans(cast, atlas, django_capture_on_commit_callbacks):
    scan, other = cast["dataset"].scans.get(), make_source(cast["dataset"])
    finish(atlas, scan)
    with django_capture_on_commit_callbacks(execute=True):
        delete_scan(scan=other, user=cast["owner"])
    assert SignatureAtlas.objects.exists()
    with django_capture_on_commit_callbacks(execute=True):
        delete_scan(scan=scan, user=cast["owner"])
    assert not SignatureAtlas.objects.exists()
    assert not default_storage.exists(atlas.sheet_key)


def test_the_list_of_generators_pages(client, cast):
    for _ in range(31):
        make_generator()
    client.force_login(cast["owner"])
    assert "Page 1 of 2" in client.get("/synthesis/generators/").content.decode()


def test_scans_to_train_on_say_their_dataset_and_what_was_typed_stays(client, cast):
    make_source(cast["dataset"])
    client.force_login(cast["owner"])
    scan = cast["dataset"].scans.get()
    typed = {"name": "Mine", "scans": [str(scan.pk)], "objective": "ae", "population": "normal", "steps": 5, "seed": 9}
    page = client.post("/synthesis/training/new/", typed).content.decode()
    assert f"{scan.name} · {cast['dataset'].name}" in page
    assert "greater than or equal to 10" in page
    for kept in ('value="Mine"', 'value="ae" selected', 'value="normal" selected', 'value="9"', "checked"):
        assert kept in page
    assert not TrainingRun.objects.exists()


def test_a_fresh_experiment_is_not_what_the_next_edit_is_made_with(client, cast):
    gate = [{"passed": True}, {"passed": False}, {}]
    measured = make_generator(reports={"realism.json": {"gate": gate, "measured_on": "phantoms"}})
    fresh = make_generator()
    choices = [label for _, label in BatchForm(scans=Scan.objects.none()).fields["generator"].choices]
    assert choices == [str(measured), f"{fresh} · realism not measured"]
    client.force_login(cast["owner"])
    listed = client.get("/synthesis/generators/").content.decode()
    # What phantoms show never stands for scans of patients.
    on_phantoms = "1 of 3 targets reached on phantoms; not measured on real scans"
    assert on_phantoms in listed
    assert "<td>not measured</td>" in listed
    assert on_phantoms in client.get(measured.get_absolute_url()).content.decode()


def test_a_generators_page_shows_what_was_measured_on_scans_of_patients_apart(client, cast):
    of_patients = {
        "gate": [
            {"name": "insertion: features", "value": 0.8, "n": 6, "passed": False, "note": "leave one patient out"}
        ],
        "patients": 1,
        "lesions": 6,
        "notes": ["patches are resampled"],
    }
    realism = {"gate": [{"name": "of a phantom", "passed": True}], "measured_on": "phantoms", "scans": of_patients}
    measured = make_generator(reports={"realism.json": realism})
    client.force_login(cast["owner"])
    page = client.get(measured.get_absolute_url()).content.decode()
    phantoms, patients = page.split("On scans of patients")
    assert "of a phantom" in phantoms
    assert "insertion: features" not in phantoms
    for said in ("insertion: features", "0.800", "leave one patient out", "6 lesions of 1 patient", "are resampled"):
        assert said in patients
    assert "0 of 1 targets reached on real scans" in client.get("/synthesis/generators/").content.decode()
