"""Several lesions of one scan: edits of edited scans, one after another, each with a row and a verdict of its own."""

from dataclasses import asdict

import numpy as np
import pytest

from ctplatform.datasets.kinds import MaskKind
from ctplatform.datasets.models import Lesion, MadeBy, Mask, Origin, Provenance, Scan
from ctplatform.datasets.scans import voxels
from ctplatform.datasets.services import give_verdict
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs.execution import execute
from ctplatform.jobs.models import Job, JobStatus
from ml.editing.spec import LesionSpec
from readerstudy.design.candidates import lesions_of_kind
from readerstudy.models import Study, Template
from synthesis.edits import services
from synthesis.edits.batch import draw_for_scan
from synthesis.edits.chains import Insertion
from synthesis.edits.placement import PlacementRules, allowed_places, draw_places
from synthesis.edits.reviewing import review_together
from synthesis.models import EditOrder
from tests.factories import make_dataset, make_generator, make_user, token_headers
from tests.pages import shown
from tests.synthesis.test_orders import SPEC, batch_order, finish, make_source, middle_lps_mm, order

pytestmark = pytest.mark.django_db


@pytest.fixture
def places(phantom_scan):
    grid = phantom_scan.geometry
    masks = {m.kind: voxels.read_labels(m.pk, grid) > 0 for m in phantom_scan.masks.all()}
    rules = PlacementRules(min_depth_mm=8, min_mutual_distance_mm=30)
    allowed = allowed_places(
        grid=grid,
        liver=masks[MaskKind.LIVER],
        vessels=masks[MaskKind.VESSEL],
        lesions=masks[MaskKind.LESION],
        rules=rules,
        radius_mm=5,
    )
    drawn = draw_places(grid=grid, allowed=allowed, count=2, rules=rules, rng=np.random.default_rng(4))
    return [[float(c) for c in place] for place in drawn]


def spec(seed):
    return LesionSpec(kind="hypodense", diameter_mm=10, contrast_hu=-50, seed=seed)


def run_all():
    """What waits, and what comes while it is done, as a worker does it."""
    while job := Job.objects.filter(status=JobStatus.QUEUED).first():
        execute(str(job.pk))
    return list(EditOrder.objects.select_related("job").order_by("ordered_at"))


def labels(scan, kind):
    return voxels.read_labels(scan.masks.get(kind=kind).pk, scan.geometry)


def test_each_lesion_goes_into_the_result_of_the_one_before(phantom_scan, generator, places):
    first_order = services.order_insertion(
        ordered_by=phantom_scan.dataset.owner,
        scan=phantom_scan,
        generator=generator,
        centre_lps_mm=places[0],
        spec=spec(1),
        further=[Insertion(places[1], spec(2))],
    )
    assert Job.objects.filter(status=JobStatus.QUEUED).count() == 1
    first, second = run_all()
    assert first == first_order
    assert [one.job.error for one in (first, second)] == ["", ""]
    assert (second.source_scan, second.batch, second.then) == (first.result_scan, first.batch, [])
    made = Provenance.objects.get(scan=second.result_scan)
    assert (made.source_scan, made.centre_lps_mm, made.seed) == (first.result_scan, places[1], 2)
    inserted = second.result_scan.lesions.filter(inserted=True)
    assert inserted.count() == 2
    for lesion, place in zip(inserted.order_by("number"), places, strict=True):
        assert np.linalg.norm(np.subtract(lesion.centroid_lps_mm, place)) < 6
    grid = phantom_scan.geometry
    before, after = (voxels.read_volume(scan.pk, grid) for scan in (phantom_scan, second.result_scan))
    assert np.array_equal(labels(second.result_scan, MaskKind.CHANGED) > 0, before != after)
    assert second.result_scan.name.startswith(f"{phantom_scan.name} insert ")
    assert second.result_scan.name.count("insert") == 1


def test_lesions_are_removed_one_after_another(phantom_scan, generator):
    one, other = phantom_scan.lesions.order_by("-diameter_mm")[:2]
    services.order_removal(
        ordered_by=phantom_scan.dataset.owner, lesion=one, generator=generator, seed=1, further=[other]
    )
    first, second = run_all()
    assert [job.job.error for job in (first, second)] == ["", ""]
    assert (second.lesion.scan, second.lesion.number) == (first.result_scan, other.number)
    left = set(second.result_scan.lesions.values_list("number", flat=True))
    assert left == set(phantom_scan.lesions.values_list("number", flat=True)) - {one.number, other.number}


def test_a_chain_that_broke_goes_on_from_where_it_was_ordered_again():
    source = make_source()
    place = middle_lps_mm(source)
    failed = order(source)
    EditOrder.objects.filter(pk=failed.pk).update(then=[Insertion(place, SPEC).as_dict()])
    failed.refresh_from_db()
    failed.job.status = JobStatus.FAILED
    failed.job.save()
    again = services.order_again(order=failed, ordered_by=source.dataset.owner)
    assert again.then == [{"centre_lps_mm": place, **asdict(SPEC)}]


@pytest.mark.parametrize(
    ("count", "apart_mm", "words"), [(2, 5, "lie 5 mm apart, and their lesions need 12 mm"), (11, 0, "10 lesions")]
)
def test_lesions_that_would_run_into_each_other_are_refused(count, apart_mm, words):
    source = make_source()
    x, y, z = middle_lps_mm(source)
    further = [Insertion([x + apart_mm * n, y, z], SPEC) for n in range(1, count)]
    with pytest.raises(DomainError, match=words):
        order(source, further=further)
    assert not EditOrder.objects.exists()


def test_removals_of_several_scans_or_of_one_lesion_twice_are_no_chain():
    one, other = (make_source().lesions.get() for _ in range(2))
    common = {"ordered_by": one.scan.dataset.owner, "generator": make_generator(), "seed": 1, "lesion": one}
    with pytest.raises(DomainError, match="named twice"):
        services.order_removal(**common, further=[one])
    with pytest.raises(DomainError, match="several scans"):
        services.order_removal(**common, further=[other])


def chain_of_two(owner=None):
    source = make_source(make_dataset(owner or make_user()))
    first = finish(order(source))
    second = finish(EditOrder.objects.create(**fields_of(order(source), source_scan=first.result_scan)))
    return first, second


def fields_of(template, **changes):
    """Of an order that takes the place of another one."""
    names = ("operation", "generator", "centre_lps_mm", "kind", "diameter_mm", "contrast_hu", "seed", "ordered_by")
    job, fields = template.job, {name: getattr(template, name) for name in names}
    template.delete()
    return {**fields, "job": job, **changes}


def test_what_an_edit_builds_on_is_accepted_first_and_rejected_last():
    first, second = chain_of_two()
    owner = first.ordered_by
    with pytest.raises(ConflictError, match="Accept that one first"):
        services.review(synthesis=second, reviewer=owner, accept=True)
    for one in (first, second):
        services.review(synthesis=one, reviewer=owner, accept=True)
    with pytest.raises(ConflictError, match=second.result_scan.name):
        services.review(synthesis=first, reviewer=owner, accept=False, reason="Seam")
    for one in (second, first):
        services.review(synthesis=one, reviewer=owner, accept=False, reason="Seam")


@pytest.mark.parametrize("accept", [True, False])
def test_a_decision_about_a_whole_chain_takes_its_edits_in_turn(accept):
    chain = chain_of_two()
    if not accept:
        for one in chain:
            services.review(synthesis=one, reviewer=one.ordered_by, accept=True)
    for chosen in (chain, chain[::-1]):
        done = review_together(
            chosen=chosen, reviewer=chain[0].ordered_by, accept=accept, reason="" if accept else "Seam", seen={}
        )
        assert (len(done.decided), done.refused) == (2, [])


def test_of_a_chain_each_scan_gives_a_study_the_lesion_that_came_last(phantom_scan, generator, places):
    services.order_insertion(
        ordered_by=phantom_scan.dataset.owner,
        scan=phantom_scan,
        generator=generator,
        centre_lps_mm=places[0],
        spec=spec(1),
        further=[Insertion(places[1], spec(2))],
    )
    owner, results = phantom_scan.dataset.owner, [one.result_scan for one in run_all()]
    for scan in results:
        give_verdict(scan=scan, reviewer=owner, accept=True)
    study = Study(owner=owner, template=Template.INSERTED_LESIONS, diameter_min_mm=1, diameter_max_mm=99)
    study.save()
    found = lesions_of_kind(study, synthetic=True)
    newest = [scan.lesions.filter(inserted=True).order_by("-number").first() for scan in results]
    assert set(found) == set(newest)
    # Also where the last one is of another size than the study's: the first is its source's case, not its own.
    Lesion.objects.filter(pk=newest[1].pk).update(diameter_mm=500)
    assert set(lesions_of_kind(study, synthetic=True)) == {newest[0]}


@pytest.mark.parametrize("together", [True, False])
def test_a_batch_puts_lesions_into_one_scan_or_each_into_its_own(django_capture_on_commit_callbacks, together):
    dataset = make_dataset()
    scans = [make_source(dataset, lesion=False) for _ in range(2)]
    with django_capture_on_commit_callbacks(execute=False):
        job = services.order_batch(
            ordered_by=dataset.owner,
            scans=scans,
            generator=make_generator(),
            order=batch_order(together=together, min_diameter_mm=5, max_diameter_mm=5),
        )
    execute(str(job.pk))
    job.refresh_from_db()
    assert job.result["ordered"] == 4, job.error
    orders = EditOrder.objects.filter(batch=job.result["batch"])
    assert sorted(len(one.then) for one in orders) == ([1, 1] if together else [0, 0, 0, 0])


def test_lesions_of_one_scan_keep_from_each_other_what_they_keep_from_its_own():
    scan = make_source(lesion=False)
    rules = PlacementRules(min_depth_mm=2, min_lesion_distance_mm=9, min_mutual_distance_mm=3)
    wanted = {**asdict(batch_order(rules=rules)), "kinds": ["hypodense"]}
    (_, one, first), (_, other, second) = draw_for_scan(scan, {**wanted, "together": True})
    assert np.linalg.norm(np.subtract(one, other)) >= 9 + max(first.diameter_mm, second.diameter_mm)


def test_the_page_of_a_batch_asks_where_lesions_go(client):
    source = make_source(lesion=False)
    client.force_login(source.dataset.owner)
    page = shown(client.get("/synthesis/batch/"))
    assert "All of a scan into one, one after another" in page
    data = {
        "scans": [str(source.pk)],
        "per_scan": 2,
        "together": "yes",
        "kinds": ["hypodense"],
        "generator": str(make_generator().pk),
        "min_diameter_mm": 8,
        "max_diameter_mm": 12,
        "min_contrast_hu": -60,
        "max_contrast_hu": -30,
        "min_depth_mm": 1,
        "min_vessel_distance_mm": 1,
        "min_lesion_distance_mm": 1,
        "seed": 1,
    }
    client.post("/synthesis/batch/", data)
    assert Job.objects.get(kind=services.BATCH_KIND).payload["order"]["together"] is True


def test_the_review_names_what_came_before_and_after(client):
    first, second = chain_of_two()
    client.force_login(first.ordered_by)
    page = shown(client.get(second.get_absolute_url()))
    assert "It is accepted first." in page
    assert first.get_absolute_url() in page
    assert second.get_absolute_url() in shown(client.get(first.get_absolute_url()))
    EditOrder.objects.filter(pk=first.pk).update(result_scan=None, then=[{}, {}])
    assert "2 more edits of this scan follow when this one is done." in shown(client.get(first.get_absolute_url()))
    Mask.objects.create(scan=first.result_scan, kind=MaskKind.LIVER, made_by=MadeBy.IMPORTED)
    assert "This scan was edited already." in shown(client.get(f"/synthesis/panel/{first.result_scan_id}/"))


def test_the_api_takes_several_lesions_in_one_order(client):
    source = make_source()
    x, y, z = middle_lps_mm(source)
    place = {"kind": "hypodense", "diameter_mm": 5, "contrast_hu": -40, "seed": 1}
    body = {
        "scan": str(source.pk),
        "generator": str(make_generator().pk),
        "centre_lps_mm": [x - 4, y, z],
        **place,
        "further": [{"centre_lps_mm": [x + 4, y, z], **place}],
    }
    headers = token_headers(source.dataset.owner)

    def post(what, body):
        return client.post(f"/api/synthesis/jobs/{what}/", body, content_type="application/json", headers=headers)

    answer = post("insert", body)
    assert answer.status_code == 201, answer.content
    assert [one["centre_lps_mm"] for one in answer.json()["then"]] == [[x + 4, y, z]]
    refused = post("insert", {**body, "further": [{"centre_lps_mm": [x, y, z], **place, "diameter_mm": 500}]})
    assert refused.status_code == 400
    stranger = make_source().lesions.get()
    removal = {"lesion": source.lesions.get().pk, "generator": body["generator"], "seed": 1}
    assert post("remove", {**removal, "further": [stranger.pk]}).status_code == 400
    assert post("remove", removal).status_code == 201
    assert Scan.objects.filter(origin=Origin.SYNTHETIC).count() == 0
