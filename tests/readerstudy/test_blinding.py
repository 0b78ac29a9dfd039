"""Invariant 1: all that a rater's browser can receive, crawled over HTTP, says nothing about the kind of a case."""

import json
import re

import numpy as np
import pytest
from django.urls import reverse

from ctplatform.datasets.models import Scan
from readerstudy.blinding import leaks, observables
from readerstudy.blinding.wire import samples_of
from readerstudy.models import Case, CaseTruth, Presentation
from tests.e2e.harness import FakeReading
from tests.readerstudy.worlds import Browser, make_draft

# What is the rater's own: name, last answer, its number, and two secrets made of account and sitting.
OWN = {"reader", "previous_answer", "counter", "voice", "drawer_key"}
# What comes before the first case.
AROUND = {"practice", "display_check"}
ALLOWED_SESSION = {"study", "display", "progress", "state", "next", "previous", "preview", *AROUND, *OWN}
ALLOWED_STUDY = {
    "title",
    "instructions",
    "question",
    "answers",
    "confidence",
    "scale",
    "mark",
    "further",
    "at_the_end",
    "feedback",
}
ALLOWED_PRESENTATION = {"rows", "columns", "slices", "spacing_zyx_mm", "start_slice", "marker", "samples", "images"}
ALLOWED_HEADERS = {
    *("Content-Type", "Content-Length", "Cache-Control", "Vary", "Allow", "X-Frame-Options"),
    *("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Content-Security-Policy"),
    *("Content-Encoding", "Content-Language"),
}


@pytest.fixture(params=["patch", "slice", "stack"])
def study(request, recorded, cast, world, stages):
    def make():
        return stages.open(make_draft(cast, world, display_mode=request.param, stack_slices=5))

    return recorded(f"shown as {request.param}", make)


def crawl(user, study):
    """Everything each case lets a browser receive as it comes to it: JSON, headers, pixels."""
    browser = Browser(user, study)
    client = browser.client
    received = []
    for position, token in enumerate(browser.tokens()):
        if position:
            assert browser.rate(browser.tokens()[position - 1]).status_code == 201
        url = reverse("reading-api:presentation", args=[token])
        about = client.get(url)
        slices = [client.get(f"{url}slices/{index}/") for index in range(about.json()["slices"])]
        assert client.get(f"{url}slices/{about.json()['slices']}/").status_code == 404
        truth = Presentation.objects.get(token=token).stimulus.case.truth
        received.append({"token": token, "about": about, "slices": slices, "position": position, "truth": truth})
    return received


def pixels_of(item):
    about = item["about"].json()
    return np.stack([samples_of(one.content, rows=about["rows"], columns=about["columns"]) for one in item["slices"]])


def test_the_server_that_browser_tests_are_given_sends_the_same():
    sent = json.loads(FakeReading([np.zeros((3, 8, 8), dtype=np.int16)])._session(None).body)
    assert set(sent) == ALLOWED_SESSION
    assert set(sent["study"]) == ALLOWED_STUDY


def test_a_rater_receives_tokens_pixels_question_and_progress_and_nothing_else(study, cast):
    session = Browser(cast.rater, study).standing()
    assert set(session) == ALLOWED_SESSION
    assert set(session["study"]) == ALLOWED_STUDY
    for item in crawl(cast.rater, study):
        assert set(item["about"].json()) == ALLOWED_PRESENTATION
        for response in (item["about"], *item["slices"]):
            assert set(response.headers) <= ALLOWED_HEADERS
            assert response.cookies == {}
            assert response["Cache-Control"] == "private, no-store, no-transform"


def test_no_identifier_of_the_platform_reaches_a_rater(study, cast):
    texts = [json.dumps(Browser(cast.rater, study).standing())]
    texts += [item["about"].content.decode() + str(item["about"].headers) for item in crawl(cast.rater, study)]
    room = Browser(cast.rater, study).client.get(
        reverse("reading:room", args=[Browser(cast.rater, study).session.token])
    )
    texts.append(room.content.decode())
    whole = "\n".join(texts)
    forbidden = {str(case.pk) for case in Case.objects.all()} | {case.code for case in Case.objects.all()}
    for scan in Scan.objects.all():
        forbidden |= {str(scan.pk), scan.name, scan.subject}
    forbidden |= {str(study.pk), study.protocol_digest, study.seal.schedule_seed}
    assert not {word for word in forbidden if word in whole}
    assert not re.search(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}", whole)  # no uuid at all


def test_what_is_received_does_not_go_with_the_kind(study, cast):
    received = crawl(cast.rater, study)
    kinds = [item["truth"].synthetic for item in received]
    assert sum(kinds) == 6
    about = [
        {
            **item["about"].json(),
            **{f"header {k}": v for k, v in item["about"].headers.items() if k != "Content-Length"},
        }
        for item in received
    ]
    for item, body in zip(received, about, strict=True):
        body.pop("marker")
        assert body.pop("images") == [item["token"]]
    pixels = [pixels_of(item) for item in received]
    assert len({len(response.content) for item in received for response in item["slices"]}) == 1
    seen = [
        *observables.fixed_observables("json", about),
        *observables.fixed_observables("slice header", [dict(item["slices"][0].headers) for item in received]),
        *observables.text_observables("token", [item["token"] for item in received]),
        observables.number_observable("slot", [item["position"] for item in received]),
        observables.number_observable("padding", [float((p == -1024).mean()) for p in pixels]),
    ]
    report = leaks.audit(seen, synthetic=kinds)
    assert report["passed"], [finding for finding in report["findings"] if finding["leak"]]
    assert len({p.shape for p in pixels}) == 1


def test_pixels_are_the_scans_own(study, cast):
    """The middle of a patch, and the marked pixel of a slice or stack, is the voxel at the place of the case."""
    from ctplatform.datasets.scans import voxels

    for item in crawl(cast.rater, study):
        about, truth = item["about"].json(), item["truth"]
        shape = (about["slices"], about["rows"], about["columns"])
        pixels = pixels_of(item)
        grid = truth.scan.geometry
        z, y, x = grid.nearest_voxel(truth.place_lps_mm)
        marker = about["marker"] or {"slice": 0, "row": shape[1] // 2, "column": shape[2] // 2}
        box = (slice(z, z + 1), slice(y, y + 1), slice(x, x + 1))
        expected = int(voxels.read_box(truth.scan_id, grid, box)[0, 0, 0])
        assert pixels[marker["slice"], marker["row"], marker["column"]] == expected


def test_rows_and_files_are_not_made_in_order_of_the_kind(study):
    """Order of ids, of storage keys and of creation: shuffled, so that none of them sorts the kinds."""
    truths = CaseTruth.objects.filter(case__study=study).select_related("case")
    by_row = [t.synthetic for t in truths.order_by("case__stimuli__pk")]
    by_key = [t.synthetic for t in truths.order_by("case__stimuli__key")]
    for kinds in (by_row, by_key):
        assert kinds != sorted(kinds)
        assert kinds != sorted(kinds, reverse=True)
    keys = {len(t.case.stimuli.get().key) for t in truths}
    assert len(keys) == 1
    assert study.leak_audit["passed"]


def test_a_rater_cannot_reach_other_sessions_or_the_rest_of_the_platform(study, cast):
    mine, theirs = Browser(cast.rater, study), Browser(cast.second_rater, study)
    token = theirs.tokens()[0]
    for url in (
        reverse("reading-api:session", args=[theirs.session.token]),
        reverse("reading-api:presentation", args=[token]),
        reverse("reading-api:slice", args=[token, 0]),
        reverse("reading:room", args=[theirs.session.token]),
        reverse("studies:studies"),
        reverse("studies:study", args=[study.pk]),
        reverse("study-list"),
        reverse("datasets:datasets"),
        reverse("jobs:jobs"),
    ):
        assert mine.client.get(url).status_code == 404, url
    assert mine.rate(token).status_code == 404
    assert study.events.count() == 0
