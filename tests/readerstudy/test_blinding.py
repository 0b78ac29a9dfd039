"""Invariant 1: all that a rater's browser can receive, crawled over HTTP, says nothing about the kind of a case."""

import json
import re

import numpy as np
import pytest
from django.urls import reverse

from ctplatform.datasets.models import Scan
from readerstudy.blinding import leaks
from readerstudy.models import Case, CaseTruth, Presentation
from tests.readerstudy.worlds import Browser, make_draft

ALLOWED_SESSION = {"study", "display", "progress", "state", "next", "previous", "preview"}
ALLOWED_STUDY = {"title", "instructions", "question", "answers", "confidence"}
ALLOWED_PRESENTATION = {"rows", "columns", "slices", "spacing_zyx_mm", "start_slice", "marker"}
ALLOWED_HEADERS = {
    *("Content-Type", "Content-Length", "Cache-Control", "Vary", "Allow", "X-Frame-Options"),
    *("X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy", "Content-Security-Policy"),
}


@pytest.fixture(params=["patch", "slice", "stack"])
def study(request, cast, world, stages):
    return stages.open(make_draft(cast, world, display_mode=request.param, stack_slices=5))


def crawl(user, study):
    """Everything each case lets a browser receive: JSON, headers, pixels."""
    browser = Browser(user, study)
    client = browser.client
    received = []
    for position, token in enumerate(browser.tokens()):
        url = reverse("reading-api:presentation", args=[token])
        about = client.get(url)
        slices = [client.get(f"{url}slices/{index}/") for index in range(about.json()["slices"])]
        assert client.get(f"{url}slices/{about.json()['slices']}/").status_code == 404
        truth = Presentation.objects.get(token=token).stimulus.case.truth
        received.append({"token": token, "about": about, "slices": slices, "position": position, "truth": truth})
    return received


def test_a_rater_receives_tokens_pixels_question_and_progress_and_nothing_else(study, cast):
    session = Browser(cast.rater, study).standing()
    assert set(session) == ALLOWED_SESSION
    assert set(session["study"]) == ALLOWED_STUDY
    for item in crawl(cast.rater, study):
        assert set(item["about"].json()) == ALLOWED_PRESENTATION
        for response in (item["about"], *item["slices"]):
            assert set(response.headers) <= ALLOWED_HEADERS
            assert response.cookies == {}
            assert response["Cache-Control"] == "private, no-store"


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
    for body in about:
        body.pop("marker")
    pixels = [np.stack([np.frombuffer(s.content, "<i2") for s in item["slices"]]) for item in received]
    observables = [
        *leaks.fixed_observables("json", about),
        *leaks.fixed_observables("slice header", [dict(item["slices"][0].headers) for item in received]),
        *leaks.text_observables("token", [item["token"] for item in received]),
        leaks.number_observable("slot", [item["position"] for item in received]),
        leaks.number_observable("padding", [float((p == -1024).mean()) for p in pixels]),
    ]
    report = leaks.audit(observables, synthetic=kinds)
    assert report["passed"], [finding for finding in report["findings"] if finding["leak"]]
    assert len({p.shape for p in pixels}) == 1


def test_pixels_are_the_scans_own(study, cast):
    """The middle of a patch, and the marked pixel of a slice or stack, is the voxel at the place of the case."""
    from ctplatform.datasets.scans import voxels

    for item in crawl(cast.rater, study):
        about, truth = item["about"].json(), item["truth"]
        shape = (about["slices"], about["rows"], about["columns"])
        pixels = np.stack([np.frombuffer(s.content, "<i2").reshape(shape[1:]) for s in item["slices"]])
        grid = truth.scan.geometry
        z, y, x = grid.nearest_voxel(truth.place_lps_mm)
        marker = about["marker"] or {"slice": 0, "row": shape[1] // 2, "column": shape[2] // 2}
        box = (slice(z, z + 1), slice(y, y + 1), slice(x, x + 1))
        expected = int(voxels.read_box(truth.scan_id, grid, box)[0, 0, 0])
        assert pixels[marker["slice"], marker["row"], marker["column"]] == expected


def test_rows_and_files_are_not_made_in_order_of_the_kind(study):
    """Order of ids, of storage keys and of creation: shuffled, so that none of them sorts the kinds."""
    truths = CaseTruth.objects.filter(case__study=study).select_related("case__stimulus")
    by_row = [t.synthetic for t in truths.order_by("case__stimulus__pk")]
    by_key = [t.synthetic for t in truths.order_by("case__stimulus__key")]
    for kinds in (by_row, by_key):
        assert kinds != sorted(kinds)
        assert kinds != sorted(kinds, reverse=True)
    keys = {len(t.case.stimulus.key) for t in truths}
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
