"""What may be ordered, by whom, and what stays counted."""

import itertools

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ctplatform.accounts.models import Role
from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, Operation, Origin, Provenance, Scan, Verdict
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.services import delete_dataset, delete_scan
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import JobStatus
from ml.editing.spec import CYST_HU, MAX_CONTRAST_HU, MIN_CONTRAST_HU, LesionSpec, usual_contrast_hu
from synthesis.atlas.services import order_atlas
from synthesis.edits import services
from synthesis.edits.placement import PlacementRules
from synthesis.generators.services import REGISTER_KIND, retire
from synthesis.models import EditOrder, Generator
from synthesis.web import edits as web_edits
from synthesis.web.forms import BatchForm, InsertionForm
from tests.factories import edited_here, make_dataset, make_generator, make_scan, make_user
from tests.pages import shown
from tests.phantoms import small_grid

pytestmark = pytest.mark.django_db


def make_source(dataset=None, *, lesion=True, **fields):
    grid = small_grid()
    liver = np.zeros(grid.size_zyx, dtype=bool)
    liver[1:-1, 4:-4, 4:-4] = True
    masks = {MaskKind.LIVER: liver}
    if lesion:
        labels = np.zeros(grid.size_zyx, dtype=np.uint8)
        middle = tuple(n // 2 for n in grid.size_zyx)
        labels[middle[0] - 1 : middle[0] + 2, middle[1] - 3 : middle[1] + 3, middle[2] - 3 : middle[2] + 3] = 1
        masks[MaskKind.LESION] = labels
    return make_scan(dataset, grid=grid, masks=masks, **fields)


def middle_lps_mm(scan):
    return [float(c) for c in scan.geometry.to_world([(n - 1) / 2 for n in scan.geometry.size_zyx])]


SPEC = LesionSpec(kind="hypodense", diameter_mm=12, contrast_hu=-40, seed=3)


@pytest.fixture
def source():
    return make_source()


def order(source, **fields):
    fields.setdefault("ordered_by", source.dataset.owner)
    fields.setdefault("generator", make_generator())
    fields.setdefault("centre_lps_mm", middle_lps_mm(source))
    return services.order_insertion(scan=source, spec=SPEC, **fields)


def finish(synthesis):
    """As if the worker had stored a result."""
    result = make_scan(
        synthesis.source_scan.dataset,
        origin=Origin.SYNTHETIC,
        source_scan=synthesis.source_scan,
        provenance=edited_here(synthesis.operation, seed=synthesis.seed),
    )
    synthesis.job.status = JobStatus.SUCCEEDED
    synthesis.job.save()
    synthesis.result_scan = result
    synthesis.save()
    return synthesis


def test_an_order_waits_for_a_worker_on_the_gpu_queue(source):
    synthesis = order(source)
    assert (synthesis.job.status, synthesis.job.queue) == (JobStatus.QUEUED, "gpu")
    assert (synthesis.diameter_mm, synthesis.contrast_hu, synthesis.seed) == (12, -40, 3)


def test_a_place_outside_the_scan_is_refused(source):
    with pytest.raises(DomainError, match="outside the scan"):
        order(source, centre_lps_mm=[9999.0, 0.0, 0.0])
    assert not EditOrder.objects.exists()


def test_a_scan_without_liver_mask_is_refused():
    scan = make_scan()
    with pytest.raises(DomainError, match="no liver mask"):
        order(scan)


def test_a_retired_generator_takes_no_orders(source):
    generator = make_generator()
    retire(generator=generator, user=make_user(role=Role.COORDINATOR), reason="A better one is here")
    generator.refresh_from_db()
    with pytest.raises(ConflictError, match="retired"):
        order(source, generator=generator)
    with pytest.raises(ConflictError, match="already retired"):
        retire(generator=generator, user=make_user(role=Role.COORDINATOR), reason="A better one is here")


def test_nothing_is_tried_again_with_a_generator_that_was_retired_meanwhile(source, client):
    generator, owner = make_generator(), source.dataset.owner
    edit = order(source, generator=generator).job
    batch = services.order_batch(ordered_by=owner, scans=[source], generator=generator, order=batch_order())
    atlas = order_atlas(ordered_by=owner, generator=generator, dataset=source.dataset).job
    for job in (edit, batch, atlas):
        jobs.cancel(job=job, actor=job.owner)
    retire(generator=generator, user=make_user(role=Role.COORDINATOR), reason="Rims too weak")
    client.force_login(owner)
    for job in (edit, batch, atlas):
        with pytest.raises(ConflictError, match="retired"):
            jobs.retry(job=job, actor=job.owner)
        page = client.post(f"/jobs/{job.pk}/retry/", {"next": "/jobs/"}, follow=True).content.decode()
        assert "Order again with another one." in page
        answer = client.post(f"/api/jobs/{job.pk}/retry/")
        assert answer.status_code == 409
        assert "Order again with another one." in answer.content.decode()
        job.refresh_from_db()
        assert job.status == JobStatus.CANCELLED
    Generator.objects.filter(pk=generator.pk).update(retired_at=None)
    for job in (edit, batch, atlas):
        jobs.retry(job=job, actor=job.owner)
        assert job.status == JobStatus.QUEUED


def test_a_registration_is_not_tried_again_without_its_files():
    user = make_user()
    job = jobs.enqueue(kind=REGISTER_KIND, title="Register", owner=user, payload={"staged": "gone", "name": "G"})
    jobs.cancel(job=job, actor=job.owner)
    with pytest.raises(ConflictError, match="Upload them again"):
        jobs.retry(job=job, actor=job.owner)


def test_an_atlas_whose_dataset_was_deleted_is_not_tried_again(source, client):
    owner, dataset = source.dataset.owner, source.dataset
    job = order_atlas(ordered_by=owner, generator=make_generator(), dataset=dataset).job
    jobs.cancel(job=job, actor=job.owner)
    delete_scan(scan=source, user=owner)
    delete_dataset(dataset=dataset, user=owner)
    client.force_login(owner)
    page = client.post(f"/jobs/{job.pk}/retry/", {"next": "/jobs/"}, follow=True).content.decode()
    assert "The dataset of this atlas was deleted" in page


def test_a_removal_knows_its_lesion(source):
    lesion = source.lesions.get()
    synthesis = services.order_removal(
        ordered_by=source.dataset.owner, lesion=lesion, generator=make_generator(), seed=1
    )
    assert (synthesis.operation, synthesis.lesion) == (Operation.REMOVE, lesion)
    assert synthesis.centre_lps_mm == lesion.centroid_lps_mm


def test_accepting_marks_the_result_for_the_study(source):
    synthesis = finish(order(source))
    services.review(synthesis=synthesis, reviewer=source.dataset.owner, accept=True)
    assert Scan.objects.get(provenance__verdict=Verdict.ACCEPTED) == synthesis.result_scan
    assert synthesis.provenance.reviewed_by == source.dataset.owner


def test_rejecting_needs_a_reason_and_stays_counted(source):
    synthesis = finish(order(source))
    with pytest.raises(DomainError, match="why"):
        services.review(synthesis=synthesis, reviewer=source.dataset.owner, accept=False, reason="  ")
    services.review(synthesis=synthesis, reviewer=source.dataset.owner, accept=False, reason="Seam")
    rejected = Provenance.objects.get(verdict=Verdict.REJECTED, verdict_reason="Seam")
    assert rejected.scan == EditOrder.objects.get().result_scan


def test_a_reason_is_measured_as_the_browser_measured_it(source):
    synthesis = finish(order(source))
    lines = "\r\n".join(["x" * 99] * 3)
    services.review(synthesis=synthesis, reviewer=source.dataset.owner, accept=False, reason=lines + "\r\n")
    assert synthesis.provenance.verdict_reason == lines.replace("\r", "")
    with pytest.raises(DomainError, match="has 301 characters"):
        services.review(synthesis=synthesis, reviewer=source.dataset.owner, accept=False, reason="x" * 301)


def test_nothing_is_reviewed_before_there_is_a_result(source):
    with pytest.raises(ConflictError, match="no result"):
        services.review(synthesis=order(source), reviewer=source.dataset.owner, accept=True)


def batch_order(**changes):
    values = {
        "per_scan": 2,
        "kinds": ("hypodense", "cystic"),
        "min_diameter_mm": 5,
        "max_diameter_mm": 8,
        "min_contrast_hu": -60,
        "max_contrast_hu": -30,
        "rules": PlacementRules(min_depth_mm=2, min_lesion_distance_mm=1, min_mutual_distance_mm=3),
        "seed": 11,
    }
    return services.BatchOrder(**{**values, **changes})


def test_a_batch_orders_edits_in_every_scan_and_draws_the_same_again(django_capture_on_commit_callbacks):
    dataset = make_dataset()
    scans = [make_source(dataset, lesion=False) for _ in range(2)]
    from synthesis.edits.batch import draw_for_scan

    arguments = {**vars(batch_order()), "kinds": ["hypodense", "cystic"], "rules": vars(batch_order().rules)}
    first = [list(draw_for_scan(scan, arguments)) for scan in scans]
    again = [list(draw_for_scan(scan, arguments)) for scan in reversed(scans)][::-1]
    assert [len(drawn) for drawn in first] == [2, 2]
    for one, other in zip(itertools.chain(*first), itertools.chain(*again), strict=True):
        assert one[0] == other[0]
        assert np.array_equal(one[1], other[1])
        assert one[2] == other[2]


def test_a_cyst_of_a_batch_is_near_water_and_the_others_as_asked():
    from synthesis.edits.batch import draw_for_scan

    source = make_source(lesion=False)
    liver = voxels.read_labels(source.masks.get(kind=MaskKind.LIVER).pk, source.geometry) > 0
    level = float(np.median(voxels.read_volume(source.pk, source.geometry)[liver]))
    for kind in ("hypodense", "cystic"):
        wanted = batch_order(kinds=(kind,))
        drawn = list(draw_for_scan(source, {**vars(wanted), "kinds": [kind], "rules": vars(wanted.rules)}))
        assert drawn
        for _, _, spec in drawn:
            near_water = spec.contrast_hu == usual_contrast_hu("cystic", level)
            assert near_water if kind == "cystic" else -60 <= spec.contrast_hu <= -30


def test_a_batch_looks_where_real_lesions_lie_in_the_datasets_of_its_hosts():
    from synthesis.edits.batch import lesion_places

    dataset = make_dataset()
    host, ill = make_source(dataset, lesion=False), make_source(dataset)
    make_source(make_dataset())  # of somebody else
    places = lesion_places([host])
    assert len(places) == Lesion.objects.filter(scan=ill).count() > 0
    assert all(0 <= share <= 1 for place in places for share in place.shares_lps)
    assert lesion_places([make_source(make_dataset(), lesion=False)]) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kinds": ()}, "at least one lesion type"),
        ({"min_diameter_mm": 20}, "ends before it starts"),
        ({"max_diameter_mm": 500}, "between"),
        ({"per_scan": 10_000}, "at most"),
    ],
)
def test_an_impossible_batch_is_refused(source, changes, message):
    with pytest.raises(DomainError, match=message):
        services.order_batch(
            ordered_by=source.dataset.owner,
            scans=[source],
            generator=make_generator(),
            order=batch_order(**changes),
        )


@pytest.fixture
def cast():
    """Owner, member, a stranger, a rater and nobody."""
    owner, member = make_user(role=Role.COORDINATOR), make_user()
    dataset = make_dataset(owner=owner, members=[member])
    return {
        "dataset": dataset,
        "owner": owner,
        "member": member,
        "stranger": make_user(),
        "rater": make_user(role=Role.RATER),
    }


@pytest.mark.parametrize(
    ("who", "allowed"), [("owner", True), ("member", True), ("stranger", False), ("rater", False), (None, False)]
)
def test_who_may_reach_which_endpoint(client, cast, who, allowed):
    source = make_source(cast["dataset"])
    synthesis = finish(order(source, ordered_by=cast["owner"]))
    if who:
        client.force_login(cast[who])
    pages = [f"/synthesis/{synthesis.pk}/", f"/synthesis/panel/{source.pk}/", f"/synthesis/panel/{source.pk}/orders/"]
    refused = {404} if who else {302, 401, 403}
    for path in [*pages, f"/api/synthesis/jobs/{synthesis.pk}/"]:
        assert client.get(path).status_code in ({200} if allowed else refused), path
    posts = {
        f"/synthesis/{synthesis.pk}/decide/": {"decision": "reject", "reason": "Seam"},
        f"/synthesis/panel/{source.pk}/insert/": {},
        f"/synthesis/panel/{source.pk}/remove/": {},
    }
    for path, data in posts.items():
        assert client.post(path, data).status_code in ({200, 302} if allowed else refused | {302} - {404}), path
    synthesis.provenance.refresh_from_db()
    assert (synthesis.provenance.verdict == Verdict.REJECTED) == allowed
    listed = client.get("/api/synthesis/jobs/")
    if who in {"owner", "member", "stranger"}:
        assert listed.json()["count"] == (1 if allowed else 0)
    else:
        assert listed.status_code in {401, 403, 404}


def test_the_api_takes_orders_only_for_visible_scans(client, cast):
    source = make_source(cast["dataset"])
    body = {
        "scan": str(source.pk),
        "generator": str(make_generator().pk),
        "centre_lps_mm": middle_lps_mm(source),
        "kind": "hypodense",
        "diameter_mm": 12,
        "contrast_hu": -40,
        "seed": 1,
    }
    client.force_login(cast["stranger"])
    assert client.post("/api/synthesis/jobs/insert/", body, content_type="application/json").status_code == 400
    client.force_login(cast["member"])
    refused = client.post("/api/synthesis/jobs/insert/", {**body, "diameter_mm": 500}, content_type="application/json")
    assert (refused.status_code, "diameter" in refused.content.decode()) == (400, True)
    assert client.post("/api/synthesis/jobs/insert/", body, content_type="application/json").status_code == 201


def test_the_panel_keeps_what_was_typed_when_it_refuses(client, cast):
    source = make_source(cast["dataset"])
    generator = make_generator()
    client.force_login(cast["owner"])
    page = client.post(
        f"/synthesis/panel/{source.pk}/insert/",
        {
            "x": "1",
            "y": "2",
            "z": "9999",
            "kind": "cystic",
            "diameter_mm": "17",
            "contrast_hu": "-33",
            "seed": "5",
            "generator": str(generator.pk),
        },
    ).content.decode()
    assert "outside the scan" in page
    assert 'value="17"' in page
    assert 'value="9999"' in page


@pytest.mark.parametrize("kind", ["cystic", "hypodense"])
def test_an_empty_contrast_is_what_is_usual_for_the_kind_in_this_liver(client, cast, kind):
    source = make_source(cast["dataset"])
    x, y, z = middle_lps_mm(source)
    typed = {"x": x, "y": y, "z": z, "kind": kind, "diameter_mm": 12, "contrast_hu": "", "seed": 5}
    client.force_login(cast["owner"])
    client.post(f"/synthesis/panel/{source.pk}/insert/", {**typed, "generator": str(make_generator().pk)})
    liver = voxels.read_labels(source.masks.get(kind=MaskKind.LIVER).pk, source.geometry) > 0
    level = float(np.median(voxels.read_volume(source.pk, source.geometry)[liver]))
    ordered = EditOrder.objects.get()
    assert ordered.contrast_hu == usual_contrast_hu(kind, level)


def test_a_cyst_is_near_water_and_the_others_follow_the_liver():
    for liver_hu in (60, 105, 140):
        assert liver_hu + usual_contrast_hu("cystic", liver_hu) == CYST_HU
        assert 0.5 * liver_hu < liver_hu + usual_contrast_hu("hypodense", liver_hu) < 0.7 * liver_hu
    assert usual_contrast_hu("cystic", 190) == MIN_CONTRAST_HU
    assert usual_contrast_hu("hypodense", 5) == MAX_CONTRAST_HU


def test_without_a_liver_around_an_empty_contrast_is_refused(client, cast):
    source = make_source(cast["dataset"])
    x, y, z = (float(v) for v in source.geometry.to_world([n // 2 for n in source.geometry.size_zyx]))
    typed = {"x": x, "y": y, "z": z, "kind": "cystic", "diameter_mm": 12, "contrast_hu": "", "seed": 5}
    typed["generator"] = str(make_generator().pk)
    client.force_login(cast["owner"])
    url = f"/synthesis/panel/{source.pk}/insert/"
    assert "This place lies outside the scan" in shown(client.post(url, {**typed, "z": 9999}))
    source.masks.filter(kind=MaskKind.LIVER).delete()
    assert "There is no liver around this place" in str(InsertionForm(typed, scan=source).errors)
    assert not EditOrder.objects.exists()


def test_the_list_filters_and_pages(client, cast):
    source = make_source(cast["dataset"])
    finish(order(source))
    order(source)
    client.force_login(cast["owner"])
    assert client.get("/synthesis/").context["page_obj"].paginator.count == 2
    assert client.get("/synthesis/?status=succeeded").context["page_obj"].paginator.count == 1
    assert client.get("/synthesis/?operation=remove").context["page_obj"].paginator.count == 0
    assert "No edit fits this filter" in client.get("/synthesis/?operation=remove").content.decode()


def test_without_a_usable_generator_nothing_can_be_ordered_and_the_pages_say_so(client, cast):
    source = make_source(cast["dataset"])
    client.force_login(cast["owner"])
    generator = make_generator(retired_at=timezone.now())
    for url in (f"/synthesis/panel/{source.pk}/", "/synthesis/batch/"):
        assert "No generator is in use" in client.get(url).content.decode()
    Generator.objects.filter(pk=generator.pk).update(retired_at=None)
    for url in (f"/synthesis/panel/{source.pk}/", "/synthesis/batch/"):
        assert "No generator is in use" not in client.get(url).content.decode()


def test_the_review_says_what_an_edit_was_computed_in(client, cast):
    synthesis = finish(order(make_source(cast["dataset"])))
    client.force_login(cast["owner"])
    told = "<dt>Computed in</dt> <dd>{}</dd>"
    assert told.format("–") in shown(client.get(f"/synthesis/{synthesis.pk}/"))
    Provenance.objects.filter(scan=synthesis.result_scan).update(precision="float32", processor="AVX2")
    assert told.format("float32, AVX2") in shown(client.get(f"/synthesis/{synthesis.pk}/"))


def test_a_removal_is_shown_as_before_and_after_not_as_asked(client, cast):
    source = make_source(cast["dataset"])
    removal = services.order_removal(
        ordered_by=cast["owner"], lesion=source.lesions.get(), generator=make_generator(), seed=1
    )
    client.force_login(cast["owner"])
    for synthesis, there, missing in (
        (finish(removal), "Before and after", "Asked and measured"),
        (finish(order(source)), "Asked and measured", "Before and after"),
    ):
        page = client.get(f"/synthesis/{synthesis.pk}/").content.decode()
        assert there in page
        assert missing not in page


def test_a_decision_on_an_outdated_page_is_refused(client, cast):
    synthesis = finish(order(make_source(cast["dataset"])))
    address = f"/synthesis/{synthesis.pk}/decide/"
    client.force_login(cast["owner"])
    client.post(address, {"decision": "reject", "reason": "Seam", "seen": "pending"})
    page = client.post(address, {"decision": "accept", "seen": "pending"}, follow=True).content.decode()
    assert "Somebody has decided about this result since you opened it" in page
    refused = client.post(
        f"/api/synthesis/jobs/{synthesis.pk}/review/", {"accept": True, "seen": "pending"}, "application/json"
    )
    assert refused.status_code == 409
    assert Provenance.objects.get(scan=synthesis.result_scan).verdict == Verdict.REJECTED
    client.post(address, {"decision": "accept", "seen": "rejected"})
    assert Provenance.objects.get(scan=synthesis.result_scan).verdict == Verdict.ACCEPTED


def test_the_api_tells_an_order_the_verdict_of_its_result(client, cast):
    waiting = order(make_source(cast["dataset"]))
    client.force_login(cast["owner"])
    told = client.get(f"/api/synthesis/jobs/{waiting.pk}/").json()
    assert (told["review"], told["review_reason"], told["reviewed_at"], told["measured"]) == ("pending", "", None, {})
    done = finish(waiting)
    services.review(synthesis=done, reviewer=cast["owner"], accept=False, reason="Seam")
    told = client.get(f"/api/synthesis/jobs/{done.pk}/").json()
    assert (told["review"], told["review_reason"]) == ("rejected", "Seam")
    assert told["reviewed_at"]


def test_lists_of_edits_ask_no_more_for_more_rows(client, cast, django_assert_max_num_queries):
    def review_one_more():
        synthesis = finish(order(make_source(cast["dataset"])))
        services.review(synthesis=synthesis, reviewer=cast["owner"], accept=True)

    client.force_login(cast["owner"])
    review_one_more()
    for address in ("/synthesis/", "/synthesis/?review=accepted", "/api/synthesis/jobs/?review=accepted"):
        with CaptureQueriesContext(connection) as few:
            client.get(address)
        review_one_more()
        with django_assert_max_num_queries(len(few)):
            client.get(address)


def test_a_failed_edit_is_ordered_again_with_another_seed(source, client):
    failed = order(source)
    client.force_login(source.dataset.owner)
    address = f"/synthesis/{failed.pk}/again/"
    assert "Only an edit that failed" in shown(client.post(address, follow=True))
    failed.job.status = JobStatus.FAILED
    failed.job.error = "The ring could not be placed."
    failed.job.save()
    assert "Order again with another seed" in shown(client.get(failed.get_absolute_url()))
    assert "Ordered again with the seed 4." in shown(client.post(address, follow=True))
    again = EditOrder.objects.exclude(pk=failed.pk).get()
    for name in ("operation", "generator", "source_scan", "centre_lps_mm", "kind", "diameter_mm", "contrast_hu"):
        assert getattr(again, name) == getattr(failed, name), name
    assert again.seed == failed.seed + 1
    client.force_login(make_user())
    assert client.post(address).status_code == 404


def test_a_failed_removal_is_ordered_again_too(source):
    lesion = source.lesions.get()
    failed = services.order_removal(ordered_by=source.dataset.owner, lesion=lesion, generator=make_generator(), seed=7)
    failed.job.status = JobStatus.FAILED
    again = services.order_again(order=failed, ordered_by=source.dataset.owner)
    assert (again.operation, again.lesion, again.seed) == ("remove", lesion, 8)


def test_a_batch_removes_lesions_of_the_wanted_sizes(django_capture_on_commit_callbacks):
    dataset = make_dataset()
    scans = [make_source(dataset) for _ in range(3)]
    Lesion.objects.filter(scan=scans[2]).update(diameter_mm=90)
    with django_capture_on_commit_callbacks(execute=False):
        job = services.order_batch(
            ordered_by=dataset.owner,
            scans=scans,
            generator=make_generator(),
            order=batch_order(operation="remove", kinds=(), min_diameter_mm=1, max_diameter_mm=60),
        )
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.result["ordered"] == 2, job.error
    removals = EditOrder.objects.filter(batch=job.result["batch"])
    assert {removal.lesion.scan for removal in removals} == set(scans[:2])
    assert {removal.operation for removal in removals} == {"remove"}


def test_the_page_of_a_batch_is_filtered_and_says_how_long_edits_take(client):
    dataset, other = make_dataset(), make_dataset()
    owner = dataset.owner
    other.members.add(owner)
    with_lesion, bare, elsewhere = make_source(dataset), make_source(dataset, lesion=False), make_source(other)
    done = order(with_lesion, ordered_by=owner).job
    done.status, done.finished_at = JobStatus.SUCCEEDED, timezone.now()
    done.started_at = done.finished_at - timezone.timedelta(seconds=6)
    done.save()
    client.force_login(owner)
    for query, wanted in (
        ("", {with_lesion, bare, elsewhere}),
        (f"?dataset={dataset.pk}", {with_lesion, bare}),
        ("?has_lesions=true", {with_lesion, elsewhere}),
        (f"?dataset={dataset.pk}&has_lesions=false", {bare}),
    ):
        page = shown(client.get(f"/synthesis/batch/{query}"))
        assert {scan for scan in (with_lesion, bare, elsewhere) if f'value="{scan.pk}"' in page} == wanted, query
    assert "Lately an edit took about 6 s: a hundred of them take 10 minutes." in page


@pytest.mark.parametrize("path", ["/synthesis/batch/", "/synthesis/training/new/"])
def test_scans_are_listed_by_the_page_and_ordered_all_at_once(client, monkeypatch, path):
    monkeypatch.setattr(web_edits, "SCANS_SHOWN", 2)
    dataset = make_dataset()
    scans = [make_source(dataset, name=name) for name in ("north 1", "north 2", "north 3", "south 1")]
    client.force_login(dataset.owner)

    def listed(query):
        page = shown(client.get(path + query))
        return [scan.name for scan in scans if f'value="{scan.pk}"' in page]

    assert [listed(query) for query in ("", "?page=2", "?page=9")] == [
        ["north 1", "north 2"],
        ["north 3", "south 1"],
        ["north 3", "south 1"],
    ]
    assert listed("?q=north&page=2") == ["north 3"]
    assert "All 3 scans that fit the filter, on every page" in shown(client.get(path + "?q=north"))
    assert "No scan fits this filter." in shown(client.get(path + "?q=east"))
    fields = {"name": "T", "generator": str(make_generator().pk), "objective": "iae", "population": "all", "steps": 10}
    fields |= {name: field.initial for name, field in BatchForm.base_fields.items() if field.initial is not None}
    refused = client.post(path, fields)
    assert refused.context["form"].errors == {"scans": ["Choose at least one scan."]}
    ordered = []

    def note(**order):
        ordered.append({scan.name for scan in order["scans"]})
        raise DomainError("noted")

    monkeypatch.setattr(services, "order_batch", note)
    monkeypatch.setattr(web_edits, "order_training", note)
    for chosen in ({"all_fitting": "on"}, {"scans": [scans[2].pk]}):
        client.post(path + "?q=north&page=2", fields | chosen)
    assert ordered == [{"north 1", "north 2", "north 3"}, {"north 3"}]
