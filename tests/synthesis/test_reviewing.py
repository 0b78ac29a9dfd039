"""Reviewing by looking: the pictures, the list, decisions about many results at once, and their history."""

import io

import numpy as np
import pytest
from PIL import Image

from ctplatform.datasets.models import Verdict
from ctplatform.errors import ConflictError
from synthesis.edits import services
from synthesis.edits.pictures import GAP_PX, SIDE_PX, pictures_png
from tests.factories import make_dataset, make_user
from tests.pages import shown
from tests.synthesis.test_orders import finish, make_source, order

pytestmark = pytest.mark.django_db


@pytest.fixture
def results():
    dataset = make_dataset()
    return [finish(order(make_source(dataset), ordered_by=dataset.owner)) for _ in range(3)]


@pytest.fixture
def owner(results, client):
    person = results[0].source_scan.dataset.owner
    client.force_login(person)
    return person


def decide(client, results, decision, reason="", seen="pending"):
    chosen = [f"{result.pk} {seen}" for result in results]
    data = {"chosen": chosen, "decision": decision, "reason": reason}
    return shown(client.post("/synthesis/review/decide/", data, follow=True))


def verdicts(results):
    for result in results:
        result.provenance.refresh_from_db()
    return [result.provenance.verdict for result in results]


def test_the_picture_shows_before_after_and_their_difference(results):
    sheet = np.asarray(Image.open(io.BytesIO(pictures_png(results[0]))))
    assert sheet.shape == (SIDE_PX, 3 * SIDE_PX + 2 * GAP_PX)
    before, after, difference = (sheet[:, n * (SIDE_PX + GAP_PX) :][:, :SIDE_PX].astype(int) for n in range(3))
    assert not np.array_equal(before, after)
    same = results[0]
    same.result_scan = same.source_scan
    unchanged = np.asarray(Image.open(io.BytesIO(pictures_png(same))))[:, -SIDE_PX:]
    assert set(np.unique(unchanged)) == {127}
    assert difference.std() > 0


def test_a_place_at_the_edge_of_a_scan_has_a_picture_too(results):
    result = results[0]
    result.centre_lps_mm = [float(c) for c in result.source_scan.geometry.to_world([0, 0, 0])]
    assert Image.open(io.BytesIO(pictures_png(result))).size == (3 * SIDE_PX + 2 * GAP_PX, SIDE_PX)


def test_the_list_begins_with_what_is_to_review(results, owner, client):
    services.review(synthesis=results[0], reviewer=owner, accept=True)
    page = shown(client.get("/synthesis/review/"))
    assert "2 to review" in page
    assert str(results[0].pk) not in page
    assert page.index(str(results[1].pk)) < page.index(str(results[2].pk))
    assert str(results[0].pk) in shown(client.get("/synthesis/review/?review="))
    assert client.get(f"/synthesis/{results[1].pk}/pictures.png")["Content-Type"] == "image/png"


def test_many_are_accepted_at_once_and_each_keeps_the_reason(results, owner, client):
    page = decide(client, results[:2], "accept", "Looked at in two planes")
    assert "2 results accepted." in page
    assert verdicts(results) == [Verdict.ACCEPTED, Verdict.ACCEPTED, Verdict.PENDING]
    assert [r.provenance.verdict_reason for r in results] == ["Looked at in two planes"] * 2 + [""]


def test_a_rejection_of_many_needs_its_reason(results, owner, client):
    assert "Say in a few words why" in decide(client, results, "reject")
    assert set(verdicts(results)) == {Verdict.PENDING}
    assert "3 results rejected." in decide(client, results, "reject", "Seam")


def test_of_many_only_those_that_are_as_they_were_seen_are_decided(results, owner, client):
    services.review(synthesis=results[0], reviewer=owner, accept=False, reason="Seam")
    page = decide(client, results, "accept")
    assert "2 results accepted." in page
    assert "Somebody has decided about this result since you opened it" in page
    assert verdicts(results)[0] == Verdict.REJECTED


def test_nobody_decides_about_results_of_others(results, client):
    client.force_login(make_user())
    decide(client, results, "accept")
    assert set(verdicts(results)) == {Verdict.PENDING}
    assert client.get(f"/synthesis/{results[0].pk}/pictures.png").status_code == 404


def test_nonsense_among_the_chosen_is_passed_over(results, owner, client):
    data = {"chosen": ["nothing", f"{results[0].pk} pending"], "decision": "accept"}
    assert "1 result accepted." in shown(client.post("/synthesis/review/decide/", data, follow=True))


def test_the_ghost_that_a_removal_left_is_told_beside_its_contrast_and_warned_of(results, owner, client):
    made = results[0].provenance
    made.measured |= {
        "ghost_noise": 0.3,
        "ghost_disc_noise": 0.1,
        "ghost_rim_noise": -0.3,
        "ghost_speckle_noise": 0.1,
    }
    made.save()
    page = shown(client.get(results[0].get_absolute_url()))
    assert "disc, rim, speckle" in page
    assert "The removal left a ghost of the lesion: a rim is left at its edge." in page
    made.measured |= {"ghost_rim_noise": 0.1}
    made.save()
    page = shown(client.get(results[0].get_absolute_url()))
    assert "disc, rim, speckle" in page
    assert "ghost" not in page
    assert "disc, rim, speckle" not in shown(client.get(results[1].get_absolute_url()))


def test_every_decision_stays_in_the_history(results, owner, client):
    result = results[0]
    for accept, reason in ((True, ""), (False, "Seam"), (True, "It is a vessel")):
        services.review(synthesis=result, reviewer=owner, accept=accept, reason=reason)
    decisions = result.result_scan.decisions.all()
    assert [(d.verdict, d.reason) for d in decisions] == [
        ("accepted", "It is a vessel"),
        ("rejected", "Seam"),
        ("accepted", ""),
    ]
    page = shown(client.get(f"/synthesis/{result.pk}/"))
    assert page.index("It is a vessel") < page.index("Seam")


def test_a_decision_that_came_too_late_is_not_in_the_history(results, owner):
    with pytest.raises(ConflictError):
        services.review(synthesis=results[0], reviewer=owner, accept=True, seen="rejected")
    assert not results[0].result_scan.decisions.exists()


def test_a_usual_reason_is_one_button_and_the_next_result_follows(results, owner, client):
    data = {"decision": "reject", "because": "Its edge is visible", "seen": "pending", "then": "next"}
    answer = client.post(f"/synthesis/{results[0].pk}/decide/", data)
    assert answer["Location"] == results[1].get_absolute_url()
    results[0].provenance.refresh_from_db()
    assert results[0].provenance.verdict_reason == "Its edge is visible"
    page = shown(client.get(answer["Location"]))
    assert f'<a href="{results[0].get_absolute_url()}">Look again</a>' in page
