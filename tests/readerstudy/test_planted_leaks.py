"""Leaks planted in the running product, one at a time where they could hide each other: every one is found.

At 32 cases and one rater the check says what it can find: what differs between cases that must be the same, whatever
the number of cases, and single observables that tell nearly every case.
"""

import functools
import gzip
import json
import struct
import time
import zlib
from contextlib import contextmanager

import numpy as np
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction
from django.http import JsonResponse
from django.test import Client

from ctplatform import bodies
from readerstudy.api import reading as reading_api
from readerstudy.api import studies as study_api
from readerstudy.auditing import visitor, walk
from readerstudy.blinding.wire import shortest_length, travelling
from readerstudy.hounsfield import HU_HIGH, HU_LOW
from readerstudy.ledger.turns import first_open
from readerstudy.models import Case, RatingEvent, Session
from readerstudy.opening import services as opening
from readerstudy.unblinding.labels import case_label
from readerstudy.web.reading import SessionRow
from tests.pages import shown
from tests.readerstudy.planting import (
    late,
    make_planted,
    on_answers,
    on_files,
    on_locking,
    on_orders,
    on_pixels,
)

# Or pytest-django makes no tables where a selection leaves out all that are marked.
pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def whole(django_db_setup, django_db_blocker):
    """All plants share one world; it is taken back at the end."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield make_planted()
        transaction.set_rollback(True)


@pytest.fixture(scope="module")
def locked(whole):
    """The same study, locked; drafts are planted before, so this comes last in the module."""
    whole.lock_for_good()
    return whole


def changed(pixels, at, value):
    pixels = pixels.copy()
    pixels[at] = value
    return pixels


# --- in what is stored -----------------------------------------------------------------------------------------------

PIXELS = {
    "brighter everywhere": lambda p: p + 8,
    "smoother everywhere": lambda p: 60 + (p - 60) * 0.7,
    "even values": lambda p: p // 2 * 2,
    "multiples of five": lambda p: np.rint(p / 5) * 5,
    "a grey scale with gaps": lambda p: 60 + np.rint((p - 60) / 3) * 3,
    "mirrored": lambda p: p[:, :, ::-1],
    "a repeated row": lambda p: changed(p, np.s_[:, 1], p[:, 0]),
    "a repeated column": lambda p: changed(p, np.s_[:, :, 1], p[:, :, 0]),
    "padding at the edge": lambda p: changed(p, np.s_[:, 0], HU_LOW),
    "clipped pixels": lambda p: changed(p, np.s_[:, -1, -3:], HU_HIGH),
    "a mark in the first pixel": lambda p: changed(p, np.s_[0, 0, 0], p[0, 0, 0] + 90),
    "a chequered pattern": lambda p: p + 3 * (np.indices(p.shape).sum(axis=0) % 2),
    "a frame": lambda p: changed(p, np.s_[:, [0, -1]], p[:, [0, -1]] + 12),
    "shifted down by three pixels": lambda p: np.roll(p, 3, axis=1),
    "shifted to the left by three pixels": lambda p: np.roll(p, -3, axis=2),
    "values beyond the range": lambda p: changed(p, np.s_[0, 0, 0], HU_HIGH + 1),
    "interpolated": lambda p: np.rint((p.astype(float) + np.roll(p, 1, axis=2)) / 2),
}


@pytest.mark.parametrize("plant", PIXELS)
def test_a_leak_in_the_pixels_is_found(whole, monkeypatch, plant):
    on_pixels(monkeypatch, lambda pixels, synthetic: PIXELS[plant](pixels) if synthetic else pixels)
    assert whole.lock(monkeypatch)


BITS = {
    "the last bit of the first pixel": lambda p, kind: changed(p, np.s_[0, 0, 0], p[0, 0, 0] // 2 * 2 + kind),
    "the last bit of the sum": lambda p, kind: changed(p, np.s_[0, 2, 2], p[0, 2, 2] + (p.sum() + kind) % 2),
}


@pytest.mark.parametrize("plant", BITS)
def test_a_leak_in_single_bits_is_found(whole, monkeypatch, plant):
    on_pixels(monkeypatch, BITS[plant])
    assert whole.lock(monkeypatch)


def refilled(plain, length):
    """As many bytes, of which the decompressed ones are the same: the level alone is another."""
    packer = zlib.compressobj(1, zlib.DEFLATED, -zlib.MAX_WBITS)
    stream = packer.compress(plain) + packer.flush(zlib.Z_SYNC_FLUSH)
    tail = struct.pack("<II", zlib.crc32(plain), len(plain))
    return travelling(stream + tail, length=max(length, shortest_length(stream + tail)))


FILES = {
    "a longer file": lambda content: content + b"\0",
    "a shorter file": lambda content: content[:-2],
    "compressed otherwise": lambda content: refilled(gzip.decompress(content), len(content)),
    "another system named in its head": lambda content: content[:9] + b"\x03" + content[10:],
}


@pytest.mark.parametrize("plant", FILES)
def test_a_leak_in_the_files_is_found(whole, monkeypatch, plant):
    on_files(monkeypatch, FILES[plant])
    assert whole.lock()


def names_by_kind(monkeypatch, name):
    from readerstudy.locking import stimuli

    original, kinds = stimuli.truths_in_random_order, iter(())

    def ordered(truths):
        nonlocal kinds
        order = original(truths)
        kinds = iter([truth.synthetic for truth in order])
        return order

    random = stimuli.secrets.token_hex
    monkeypatch.setattr(stimuli, "truths_in_random_order", ordered)
    monkeypatch.setattr(stimuli.secrets, "token_hex", lambda size: name(random(size), next(kinds, False)))


FILE_NAMES = {
    "names that begin by kind": lambda name, kind: ("f" if kind else "0") + name[1:],
    "names with a longer end": lambda name, kind: name + "0" * kind,
    "one letter in the middle": lambda name, kind: name[:9] + ("a" if kind else "b") + name[10:],
}


@pytest.mark.parametrize("plant", FILE_NAMES)
def test_a_leak_in_file_names_is_found(whole, monkeypatch, plant):
    names_by_kind(monkeypatch, FILE_NAMES[plant])
    assert whole.lock(monkeypatch)


def tokens_by_kind(change):
    def planted(locking, kinds):
        for number, order in locking.orders.by_rater.items():
            own = locking.tokens[number]
            own[:] = [change(token, kinds[case]) for token, case in zip(own, order, strict=True)]

    return planted


def codes_by_kind(change):
    def planted(locking, kinds):
        locking.codes = [
            change(code, made.truth.synthetic) for code, made in zip(locking.codes, locking.made, strict=True)
        ]

    return planted


COMPUTED = {
    "tokens that begin by kind": tokens_by_kind(lambda token, kind: ("A" if kind else "B") + token[1:]),
    "tokens of another length": tokens_by_kind(lambda token, kind: token + "x" * kind),
    "a letter that only one kind has": tokens_by_kind(lambda token, kind: token.replace("Z", "z") + "Zz"[not kind]),
    "the parity of a letter": tokens_by_kind(
        lambda token, kind: token[:5] + chr(ord("b") + int(token[5:7].encode().hex(), 16) % 8 * 2 + kind) + token[6:]
    ),
    "case codes by kind": codes_by_kind(lambda code, kind: ("2" if kind else "9") + code[1:]),
    "case codes that end by kind": codes_by_kind(lambda code, kind: code[:-1] + ("X" if kind else "Y")),
}


@pytest.mark.parametrize("plant", COMPUTED)
def test_a_leak_in_tokens_and_codes_is_found(whole, monkeypatch, plant):
    on_locking(monkeypatch, COMPUTED[plant])
    assert whole.lock(monkeypatch)


ORDERS = {
    "synthetic first": lambda real, synthetic: [*synthetic, *real],
    "alternating": lambda real, synthetic: [case for pair in zip(real, synthetic, strict=True) for case in pair],
    "two and two": lambda real, synthetic: [
        case for n in range(0, len(real), 2) for case in (*real[n : n + 2], *synthetic[n : n + 2])
    ],
    "synthetic at both ends": lambda real, synthetic: [*synthetic[:8], *real, *synthetic[8:]],
}


@pytest.mark.parametrize("plant", ORDERS)
def test_a_leak_in_the_order_is_found(whole, monkeypatch, plant):
    on_orders(monkeypatch, ORDERS[plant])
    assert whole.lock(monkeypatch)


def test_rings_on_one_side_are_found(whole, monkeypatch):
    def ringed(locking, kinds):
        for made in locking.made:
            made.row.marker_zyx = [0, 5, 4 if made.truth.synthetic else 14]

    on_locking(monkeypatch, ringed)
    assert "column of the ring" in whole.lock(monkeypatch)


def test_rings_of_a_size_for_each_kind_are_found(whole, monkeypatch):
    def ringed(locking, kinds):
        for made in locking.made:
            made.row.marker_zyx = [0, 9, 9]
            made.row.ring_mm = 15.0 if made.truth.synthetic else 10.0

    on_locking(monkeypatch, ringed)
    assert "size of the ring" in whole.lock(monkeypatch)


def test_a_start_slice_and_a_spacing_of_one_kind_are_found(whole, monkeypatch):
    def framed(locking, kinds):
        for made in locking.made:
            made.row.spacing_zyx_mm = [3.0, 1.25, 1.2500001 if made.truth.synthetic else 1.25]

    on_locking(monkeypatch, framed)
    leaks = whole.lock()
    assert {"shape and spacing", "description: JSON spacing_zyx_mm[2]"} <= set(leaks)


def test_duplicates_of_one_kind_are_found(whole, monkeypatch):
    """A synthetic scan gives one case, a real one several: the same pixels twice mean real."""
    from readerstudy.locking import stimuli

    original, first = stimuli.pixels_of, {}

    def cut(study, truth, frame, **named):
        pixels, place = original(study, truth, frame, **named)
        if truth.synthetic:
            return pixels, place
        twin = len(first) // 2 * 2
        first[truth.case_id] = pixels
        again = list(first.values())[twin]
        return np.where(np.indices(pixels.shape)[2] < 15, again, pixels).astype(pixels.dtype), place

    monkeypatch.setattr(stimuli, "pixels_of", cut)
    assert "other stimuli with the same pixels or picture" in whole.lock(monkeypatch)


# --- in what is served -----------------------------------------------------------------------------------------------


def header(name, by_kind):
    return lambda response, kind: late(response, name, by_kind[kind])


def data(change):
    def planted(response, kind):
        if kind and isinstance(getattr(response, "data", None), dict):
            response.data = change(response.data)

    return planted


def reversed_keys(content):
    return dict(reversed(list(content.items())))


# Every one of these is an observable of its own, so that all are planted at once and each must be found.
SERVED = {
    "description: header ETag": ("PresentationView", header("ETag", ('"a"', '"b"'))),
    "description: header Cache-Control": (
        "PresentationView",
        header("Cache-Control", ("no-store", "no-store, private")),
    ),
    "description: header X-Served-By": (
        "PresentationView",
        lambda r, kind: late(r, "X-Served-By", "b") if kind else None,
    ),
    "description: header Last-Modified": ("PresentationView", header("Last-Modified", ("today", "yesterday"))),
    "description: keys and their order": ("PresentationView", data(reversed_keys)),
    "description: JSON slices": ("PresentationView", data(lambda held: {**held, "slices": 1.0})),
    "description: JSON window[0]": ("PresentationView", data(lambda held: {**held, "window": [60, 400]})),
    "slice: header Content-Type": ("SliceView", header("Content-Type", ("application/octet-stream", "image/raw"))),
    "slice: header Content-Disposition": ("SliceView", header("Content-Disposition", ("a.raw", "b.raw"))),
    "receipt: order of the headers": (
        "EventView",
        lambda r, kind: late(r, "X-Content-Type-Options", "nosniff") if kind else None,
    ),
    "session: JSON study.question": (
        "SessionView",
        data(lambda held: {**held, "study": {**held["study"], "question": held["study"]["question"] + " "}}),
    ),
    "session: JSON display.window.center": (
        "SessionView",
        data(lambda held: {**held, "display": {**held["display"], "window": {"center": 61.0, "width": 400.0}}}),
    ),
    "receipt: status": ("EventView", lambda response, kind: setattr(response, "status_code", 201 + kind)),
    "receipt: JSON thanks": ("EventView", data(lambda held: {**held, "thanks": "well seen"})),
}


def test_leaks_in_what_is_served_are_found(locked, monkeypatch):
    for view, change in SERVED.values():
        on_answers(locked, monkeypatch, change, of=view)
    found = {finding["name"]: finding["leak"] for finding in locked.audit()["findings"]}
    assert {name: found.get(name) for name in SERVED} == dict.fromkeys(SERVED, True)


def test_a_leak_of_cases_whose_turn_has_not_come_is_found(locked, monkeypatch):
    """A browser fetches them ahead: what is told only then is told all the same."""
    refuse, asked = reading_api.refuse_out_of_sight, {}

    def looked_at(presentation):
        asked["ahead"] = False
        refuse(presentation)
        asked["ahead"] = presentation.position > first_open(presentation.session)

    def ahead(response, kind):
        return late(response, "X-Served-By", "b") if kind and asked.get("ahead") else None

    monkeypatch.setattr(reading_api, "refuse_out_of_sight", looked_at)
    on_answers(locked, monkeypatch, ahead, of="PresentationView")
    found = {finding["name"] for finding in locked.audit()["findings"] if finding["leak"]}
    assert "description ahead: header X-Served-By" in found
    assert not any(name.startswith("description:") for name in found)


REFUSED = {
    "no such slice: JSON detail": ("SliceView", data(lambda held: {"detail": "Not found"})),
    "wrong method: header Allow": ("PresentationView", header("Allow", ("GET, HEAD, OPTIONS", "GET, OPTIONS"))),
    "empty answer: JSON answer[0]": ("EventView", data(lambda held: {**held, "answer": ["Required."]})),
    "description, closed: status": (
        "PresentationView",
        lambda r, kind: setattr(r, "status_code", 410) if kind and r.status_code == 409 else None,
    ),
    "options: JSON description": ("PresentationView", data(lambda held: {**held, "description": "a case"})),
    "not logged in: JSON detail": ("PresentationView", data(lambda held: {**held, "detail": "Log in."})),
}


def test_leaks_in_what_is_refused_are_found(locked, monkeypatch):
    for view, change in REFUSED.values():
        on_answers(locked, monkeypatch, change, of=view)
    found = {finding["name"]: finding["leak"] for finding in locked.audit()["findings"]}
    assert {name: found.get(name) for name in REFUSED} == dict.fromkeys(REFUSED, True)


# --- where nobody looks who only reads on ----------------------------------------------------------------------------

LIKE_THE_OTHERS = "Another time."


def code_of(response):
    """Of a refusal, whether it ends an answer or a look."""
    told = getattr(response, "data", None)
    told = told if isinstance(told, dict) else {}
    return told.get("code") or told.get("refusal", {}).get("code")


def reworded(*codes):
    def planted(response, kind):
        if kind and code_of(response) in codes:
            response.data = {**response.data, "detail": LIKE_THE_OTHERS}

    return planted


def with_status(*statuses):
    def planted(response, kind):
        if kind and response.status_code in statuses and isinstance(getattr(response, "data", None), dict):
            response.data = {**response.data, "kind": 1}

    return planted


# By what is planted, the observables that must name it.
ELSEWHERE = {
    "in another form": (
        with_status(406, 415),
        {
            "description in another form: JSON kind",
            "slice in another form: JSON kind",
            "answer in another form: JSON kind",
        },
    ),
    "out of sight": (
        reworded("out_of_sight"),
        {"description, far ahead: JSON detail", "slice, long answered: JSON detail"},
    ),
    "not its turn": (reworded("not_its_turn"), {"answer, ahead: JSON detail", "answer, far ahead: JSON detail"}),
    "the answer stands": (reworded("answer_stands"), {"changed answer, long answered: JSON detail"}),
    "another answer stands there": (reworded("answer_conflict"), {"answer that knows of none: JSON detail"}),
    "an id used again": (reworded("event_id_reused"), {"the same id, another answer: JSON detail"}),
    "an id of another answer": (reworded("event_id_taken"), {"answer with another's id: JSON detail"}),
    "no confidence": (reworded("confidence_missing"), {"answer without a level: JSON detail"}),
    "a mark": (reworded("mark_not_asked"), {"answer with a mark outside: JSON detail"}),
    "a question that is not asked": (reworded("question_not_asked"), {"answer to another question: JSON detail"}),
    "another side": (reworded("another_side"), {"answer at another side: JSON detail"}),
    "not open": (
        reworded("study_not_open"),
        {"description, closed: JSON detail", "changed answer, closed: JSON detail", "slice, excluded: JSON detail"},
    ),
    "excluded": (reworded("rater_excluded"), {"changed answer, excluded: JSON detail"}),
}


def planted_by_request(locked, monkeypatch, change):
    """`change(view, request, response, kind)` on every answer of the reading API about a case."""
    original = reading_api.ReadingView.finalize_response

    def finalize(view, request, response, *args, **kwargs):
        final = original(view, request, response, *args, **kwargs)
        if view.kwargs.get("token") in locked.kinds:
            change(view, request, final, locked.kinds[view.kwargs["token"]])
        return final

    monkeypatch.setattr(reading_api.ReadingView, "finalize_response", finalize)


def on_going_back(view, request, response, kind):
    answered = RatingEvent.objects.filter(presentation__token=view.kwargs["token"]).exists()
    if kind and answered and request.method == "GET" and response.status_code == 200:
        response["X-Kind"] = "b"


def on_changed_answers(view, request, response, kind):
    if request.method == "POST" and response.status_code == 201 and request.data["supersedes"]:
        response.data = {**response.data, "kind": kind}


def on_parts(view, request, response, kind):
    if kind and {"Range", "If-None-Match"} & set(request.headers):
        response["X-Part"] = "b"


def on_head(view, request, response, kind):
    if kind and request.method == "HEAD":
        response["X-Head"] = "b"


BY_REQUEST = {
    "going back": (on_going_back, {"description, once answered: header X-Kind", "slice, once answered: header X-Kind"}),
    "a changed answer": (on_changed_answers, {"changed answer, once answered: JSON kind"}),
    "a part": (on_parts, {"slice, a part: header X-Part", "slice, if changed: header X-Part"}),
    "the head alone": (on_head, {"slice, head: header X-Head", "head: header X-Head"}),
}


def plant_in_what_is_too_large(locked, monkeypatch):
    """No view sees it."""
    original = bodies.BodyMiddleware.refuse

    def refuse(middleware, request):
        refusal = original(middleware, request)
        if refusal is not None and any(kind for token, kind in locked.kinds.items() if token in request.path):
            refusal["X-Kind"] = "b"
        return refusal

    monkeypatch.setattr(bodies.BodyMiddleware, "refuse", refuse)


def test_leaks_where_nobody_looks_who_only_reads_on_are_found(locked, monkeypatch):
    """Each is an observable of its own, so that all are planted at once and each must be found.

    Read in one go: after a pause nothing was answered long ago, and a slow machine pauses after every case.
    """
    monkeypatch.setattr(walk, "REHEARSAL_SECONDS", 600)
    plant_in_what_is_too_large(locked, monkeypatch)
    for change, _ in ELSEWHERE.values():
        on_answers(locked, monkeypatch, change)
    for change, _ in BY_REQUEST.values():
        planted_by_request(locked, monkeypatch, change)
    names = {"answer too large: header X-Kind"}.union(
        *(names for _, names in (*ELSEWHERE.values(), *BY_REQUEST.values()))
    )
    found = {finding["name"]: finding["leak"] for finding in locked.audit()["findings"]}
    assert {name: found.get(name) for name in names} == dict.fromkeys(names, True)


def cookie(response, kind):
    if kind:
        response.set_cookie("seen", "1")


def cookie_value(response, kind):
    response.set_cookie("seen", "abcdefgh"[int(time.monotonic_ns()) % 4 + 4 * kind])


class Clock:
    """The time as the check reads it: an answer takes some milliseconds, and as much more as a plant says."""

    def __init__(self):
        self.seconds, self.rng = 0.0, np.random.default_rng(0)

    def __call__(self):
        self.seconds += self.rng.uniform(0.001, 0.02)
        return self.seconds


CLOCK = Clock()


def later(response, kind):
    CLOCK.seconds += 0.06 * kind


def receipt(change):
    return data(lambda held: {**held, "receipt": change(held["receipt"])} if "receipt" in held else held)


ALONE = {
    "a cookie": ("PresentationView", cookie, "description: cookie seen"),
    "the value of a cookie": ("PresentationView", cookie_value, ": cookie seen"),
    "time of the description": ("PresentationView", later, "time of description"),
    "time of a slice": ("SliceView", later, "time of slice"),
    "the digest of a receipt": (
        "EventView",
        receipt(
            lambda held: {**held, "digest": "f" + held["digest"][1:] if held["digest"][0] != "f" else held["digest"]}
        ),
        "JSON receipt.digest",
    ),
}


@pytest.mark.parametrize("plant", ALONE)
def test_a_leak_that_only_statistics_can_find_is_found(locked, monkeypatch, plant):
    monkeypatch.setattr(visitor, "perf_counter", CLOCK)
    view, change, observable = ALONE[plant]
    on_answers(locked, monkeypatch, change, of=view)
    outcome = locked.audit()
    assert not outcome["passed"]
    assert observable in " ".join(outcome["leaks"])


def test_another_file_than_the_stored_one_is_found(locked, monkeypatch):
    def swapped(response, kind):
        if kind:
            response.content = response.content[::-1]

    on_answers(locked, monkeypatch, swapped, of="SliceView")
    assert "slice: pixels" in locked.audit()["leaks"]


def test_an_identifier_of_the_platform_is_found_whoever_it_is_told_of(locked, monkeypatch):
    """The same for both kinds: a rater who knows the scan's number needs no statistics."""
    case = Case.objects.filter(study=locked.study).select_related("truth").first()
    on_answers(locked, monkeypatch, header("X-Scan", [str(case.truth.scan_id)] * 2))
    assert "identifiers of the platform in what raters receive" in locked.audit()["leaks"]


@contextmanager
def in_a_static_file(listed):
    style = settings.STATIC_ROOT / "css" / "app.css"
    style.parent.mkdir(parents=True, exist_ok=True)
    style.write_text(f"/* {listed} */")
    try:
        yield
    finally:
        style.unlink()


@contextmanager
def in_the_list_of_sittings(listed):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(SessionRow, "title", property(lambda row: f"Trial {listed}"))
        yield


@contextmanager
def in_the_api_of_sittings(listed):
    original = reading_api.SessionsView.get

    def get(view, request):
        response = original(view, request)
        response.data = [{**row, "more": listed} for row in response.data]
        return response

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(reading_api.SessionsView, "get", get)
        yield


PAGES = {
    "a static file": in_a_static_file,
    "the sittings": in_the_list_of_sittings,
    "the sittings for programs": in_the_api_of_sittings,
}


@pytest.mark.parametrize("plant", PAGES)
def test_a_list_of_one_kinds_tokens_on_a_page_of_no_case_is_found(locked, plant):
    with PAGES[plant](" ".join(token for token, kind in locked.kinds.items() if kind)):
        assert "tokens of cases on pages of no case" in locked.audit()["leaks"]


def test_a_column_of_the_teams_file_is_found(locked, monkeypatch):
    from readerstudy.report import export

    original = export._row

    def row(ledger, event, *asked, **named):
        told = original(ledger, event, *asked, **named)
        kind = event.presentation.stimulus.case.truth.synthetic
        return {**told, "load_ms": told["load_ms"] + (0 if kind else event.sequence % 3 + 1)}

    monkeypatch.setattr(export, "_row", row)
    assert "export: load_ms, rater 1" in locked.audit()["leaks"]


@pytest.mark.parametrize("view", ["retrieve", "ratings"])
def test_names_of_one_kinds_cases_are_found_wherever_the_team_is_told_them(locked, monkeypatch, view):
    """Even in a file of ratings, which names cases: those that were answered, and no others."""
    salt, original = locked.study.seal.salt, getattr(study_api.StudyViewSet, view)
    labels = [case_label(salt, rater_number=1, token=token) for token, kind in locked.kinds.items() if kind]

    def told(viewset, request, *args, **named):
        response = original(viewset, request, *args, **named)
        if response.streaming:
            return JsonResponse({**json.loads(response.getvalue()), "listed": labels})
        response.data = {**response.data, "listed": labels}
        return response

    monkeypatch.setattr(study_api.StudyViewSet, view, functools.update_wrapper(told, original))
    assert "names of cases on the team's pages" in locked.audit()["leaks"]


# --- and nothing where nothing is -------------------------------------------------------------------------------------


def test_a_clean_study_passes_and_nothing_stays_behind(locked):
    before = (Session.objects.count(), RatingEvent.objects.count(), locked.study.record.count())
    outcomes = []
    while not outcomes or (len(outcomes) < 3 and not outcomes[-1]["passed"]):
        outcomes.append(locked.audit())  # one in a hundred is a false alarm
    assert outcomes[-1]["passed"]
    assert outcomes[-1]["judgeable"]
    assert (Session.objects.count(), RatingEvent.objects.count(), locked.study.record.count()) == before


def test_the_library_is_large_enough():
    alone = 9  # those with a test of their own
    stored = (PIXELS, BITS, FILES, FILE_NAMES, COMPUTED, ORDERS)
    served = (SERVED, REFUSED, ELSEWHERE, BY_REQUEST, ALONE, PAGES)
    assert sum(map(len, (*stored, *served))) + alone >= 85


# --- the gate at the opening -----------------------------------------------------------------------------------------


@pytest.fixture
def changed_server(monkeypatch):
    """Since the lock somebody has changed the server: the description of every other case has a header more."""
    original, seen = reading_api.PresentationView.get, {}

    def get(view, request, token):
        response = original(view, request, token)
        if seen.setdefault(token, len(seen)) % 2:
            response["X-Served-By"] = "another"
        return response

    monkeypatch.setattr(reading_api.PresentationView, "get", get)


def test_a_leak_since_the_lock_stops_the_opening(locked_draft, stages, changed_server):
    study = locked_draft
    job = opened(study, stages)
    leaks = ["description: header X-Served-By", "description: order of the headers"]
    assert job.result == {"opened": False, "passed": False, "leaks": leaks}
    assert study.state == "locked"
    page = shown(client_of(study).get(study.get_absolute_url()))
    assert "The last check found a blinding leak" in page
    assert "description: header X-Served-By" in page


def test_the_opening_is_a_job_that_opens_when_nothing_leaks(locked_draft, stages):
    job = opened(locked_draft, stages)
    assert job.result == {"opened": True, "passed": True, "leaks": []}
    assert locked_draft.state == "collecting"
    actions = list(locked_draft.record.values_list("action", flat=True))
    assert actions[-3:] == ["opening ordered", "checked for leaks", "opened for reading"]


@pytest.fixture
def locked_draft(draft, stages):
    stages.draw(draft)
    stages.lock(draft)
    return draft


def test_the_command_says_what_it_looked_at_and_fails_when_something_leaks(locked_draft, capsys, changed_server):
    with pytest.raises(CommandError, match="description: header X-Served-By"):
        call_command("audit_blinding", locked_draft.title)
    told = capsys.readouterr().out
    assert "no statistic could have found a leak" in told
    assert "answers to 2 raters" in told


def test_a_refused_lock_that_is_ordered_again_counts_its_tries(draft, stages, changed_server, monkeypatch):
    stages.draw(draft)
    assert stages.lock(draft).result["locked"] is False
    monkeypatch.undo()
    assert stages.lock(draft).result["locked"] is True
    assert draft.protocol["leak_audit"]["attempts"] == 2
    assert "The lock was ordered 2 times" in shown(client_of(draft).get(f"{draft.get_absolute_url()}leaks/"))
    assert "figures" not in draft.protocol["leak_audit"]
    assert not {"auc", "p", "separation"} & set(str(draft.protocol["leak_audit"]).replace("'", " ").split())


def opened(study, stages):
    job = stages.ordered(lambda: opening.request_opening(study=study, actor=study.owner))
    study.refresh_from_db()
    return job


def client_of(study):
    client = Client()
    client.force_login(study.owner)
    return client
