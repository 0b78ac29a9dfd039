"""From the answers of a walk to observables: status, headers, cookies, JSON with its keys' order, sizes, times."""

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from http.cookies import SimpleCookie
from statistics import median
from typing import Any

import numpy as np

from readerstudy.auditing.received import Received, Walk, seen_of
from readerstudy.auditing.stored import Stored
from readerstudy.auditing.told import OF_THE_ANSWER, as_planned, is_told
from readerstudy.auditing.visitor import Answer
from readerstudy.blinding.observables import Observable, fixed_observable, number_observable, ranks
from readerstudy.blinding.presentation import SLICE_CONTENT_TYPE

SERVED, TIMES, TEAM = "answers of the server", "times of the answers", "what the team can fetch"
TIMED = ("description", "slice", "receipt")

# Where a rater is in the order, and what names the answer that was sent: all else is the same for every case.
OF_THE_POSITION = ("progress", "next", "previous", "previous_answer", "state", "counter", "receipt")
OF_THE_PLACE = ("marker.row", "marker.column", "marker.radius_mm")
# When this visit began, which the audit does anew after every pause.
OF_THE_VISIT = ("display_check.last.at",)
# Of several images the one that the browser chose, now this, now that one, told again where it stands in the way.
OF_THE_CHOICE = ("refusal.current.side",)
LEAST_NAME = 8
OK = 200
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
WORDS = re.compile(rb"[A-Za-z0-9_-]{20,}")
# Names that the team may know cases by are shorter, and have neither.
NAMES = re.compile(rb"[A-Za-z0-9]{5,}")
OF_THE_SITTING = ": session"
EXPIRES = re.compile(r"; expires=[^;]*", re.IGNORECASE)

_ABSENT = "absent"
SAID = "<said>"


@dataclass(frozen=True, kw_only=True)
class _Told:
    """One answer with what is known beforehand taken out: what must be the same for all cases, and what may vary."""

    fixed: Mapping[str, str]
    varying: Mapping[str, str]


def served_observables(walked: Walk, stored: Sequence[Stored]) -> list[Observable]:
    """In the order of the cases in `stored`, which has every picture, also of cases that come again."""
    cases = [str(one.stimulus.case_id) for one in stored if not one.stimulus.again]
    return [
        *_answers(walked, stored, cases),
        *_times(walked, cases),
        *_exports(walked, cases),
        _identifiers(walked, stored, cases),
        _tokens_elsewhere(walked, cases),
        _names_before_the_team(walked, stored, cases),
    ]


def _answers(walked: Walk, stored: Sequence[Stored], cases: Sequence[str]) -> list[Observable]:
    known = {slot.token for sitting in walked.sittings for slot in sitting.slots}
    known |= {sitting.token for sitting in walked.sittings}
    pictures = {(str(one.stimulus.case_id), one.stimulus.again): one for one in stored}
    kinds = {case: one.stimulus.case.truth.synthetic for (case, _), one in pictures.items()}
    fixed: dict[tuple[str, str], dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    asked: dict[str, set[str]] = defaultdict(set)
    varying: dict[str, dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    again: dict[str, dict[int, dict[str, str]]] = defaultdict(lambda: defaultdict(dict))
    for received in walked.received:
        told = _told(received, known)
        if is_told(received):
            told = _as_planned(told, _truth_told(walked, received, kinds))
        asked[received.request].add(received.case_id)
        picture = pictures[received.case_id, received.slot.again]
        compared = {**told.fixed, **_as_stored(received, picture)}
        for name, value in compared.items():
            fixed[received.request, name][received.case_id].append(f"{received.rater}={value}")
        for name, value in told.varying.items():
            times = again if received.slot.again else varying
            times[f"{received.request}: {name}"][received.rater][received.case_id] = value
    return [*_fixed(fixed, asked, cases), *_varying(varying, cases), *_told_again(varying, again, cases)]


def _truth_told(walked: Walk, received: Received, kinds: Mapping[str, bool]) -> str:
    slots = next(sitting.slots for sitting in walked.sittings if sitting.rater_number == received.rater)
    trial = [slot for slot in slots if slot.position == received.slot.position]
    return as_planned(received, trial, kinds, finds=walked.finds)


def _as_planned(told: _Told, of_which: str) -> _Told:
    """Without the truth of the own case, by which the length differs too."""
    planned = tuple(f"JSON {name}" for name in OF_THE_ANSWER)
    fixed = {
        name: value for name, value in told.fixed.items() if name not in (*planned, "bytes", "header Content-Length")
    }
    return _Told(fixed={**fixed, "truth": of_which}, varying={})


def _told_again(
    first: Mapping[str, Mapping[int, Mapping[str, str]]],
    again: Mapping[str, Mapping[int, Mapping[str, str]]],
    cases: Sequence[str],
) -> list[Observable]:
    """A case that comes again has its place where it had it; what belongs to the position in the order may differ."""
    observables = []
    for name, by_rater in sorted(again.items()):
        if not name.endswith(tuple(f"JSON {path}" for path in OF_THE_PLACE)):
            continue
        moved = {
            case
            for rater, by_case in by_rater.items()
            for case, value in by_case.items()
            if first[name][rater].get(case, value) != value
        }
        told = ["elsewhere" if case in moved else "" for case in cases]
        observables.append(fixed_observable(f"{name}, when it comes again", told, family=SERVED))
    return observables


def _fixed(
    told: Mapping[tuple[str, str], Mapping[str, list[str]]], asked: Mapping[str, set[str]], cases: Sequence[str]
) -> list[Observable]:
    """Per rater the same for all cases of which it was `asked`: what one alone has, or lacks, is another value."""
    observables = []
    for (request, name), by_case in sorted(told.items()):
        usual: dict[str, str] = {}
        for values in by_case.values():
            for value in values:
                usual.setdefault(value.split("=", 1)[0], value)
        of_cases = [by_case.get(case, [_ABSENT] if case in asked[request] else []) for case in cases]
        odd = [sorted(set(of_case) - set(usual.values())) for of_case in of_cases]
        observables.append(fixed_observable(f"{request}: {name}", odd, family=SERVED))
    return observables


def _varying(told: Mapping[str, Mapping[int, Mapping[str, str]]], cases: Sequence[str]) -> list[Observable]:
    """One observable where all raters are told the same, else one per rater; of raters who read every case."""
    observables: list[Observable] = []
    for name, by_rater in sorted(told.items()):
        together = _together(by_rater.values())
        rows = {
            rater: [by_case[case] for case in cases]
            for rater, by_case in by_rater.items()
            if set(by_case) >= set(cases)
        }
        if len({tuple(row) for row in rows.values()}) > 1:
            for rater, row in rows.items():
                observables += _of_texts(f"{name}, rater {rater}", row, family=SERVED)
        elif set(together) >= set(cases):
            observables += _of_texts(name, [together[case] for case in cases], family=SERVED)
    return observables


def _together(rows: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {case: value for row in rows for case, value in row.items()}


def _of_texts(name: str, texts: Sequence[str], *, family: str) -> list[Observable]:
    """As numbers where all of them are; texts that may differ in length are not fixed."""
    try:
        return [number_observable(name, [float(text) for text in texts], family=family)]
    except ValueError:
        return [Observable(name=name, sort="blind", values=list(texts), family=family)]


def _told(received: Received, known: set[str]) -> _Told:
    answer = received.answer
    fixed: dict[str, str] = {"status": answer.status}
    varying: dict[str, str] = {}
    replaced = _replacer(known, received.said)
    json_told = _json(answer, replaced)
    fixed["order of the headers"] = " ".join(name for name, _ in answer.headers)
    for name, value in answer.headers:
        if name.lower() == "set-cookie":
            for cookie in SimpleCookie(value).values():
                told = cookie.OutputString().removeprefix(f"{cookie.key}={cookie.coded_value}")
                fixed[f"cookie {cookie.key}"] = EXPIRES.sub("", told)
                varying[f"cookie {cookie.key}"] = cookie.value
        elif name.lower() == "content-length" and json_told.varying:
            varying["header Content-Length"] = value
        else:
            fixed[f"header {name}"] = replaced(value)
    if json_told.varying:
        varying["bytes"] = str(len(answer.body))
    else:
        fixed["bytes"] = str(len(answer.body))
    if not json_told.fixed and _is_text(answer):
        fixed["body"] = replaced(answer.body.decode(errors="replace"))
    return _Told(fixed={**fixed, **json_told.fixed}, varying={**varying, **json_told.varying})


def _is_text(answer: Answer) -> bool:
    return answer.header("Content-Type").startswith(("text/", "application/json"))


def _replacer(known: set[str], said: Sequence[str]) -> Callable[[str], str]:
    """Puts a placeholder for what the rater's browser knows anyway, or said itself."""

    def replaced(text: str) -> str:
        if text in known:
            return "<token>"
        for word in said:
            text = text.replace(word, SAID)
        for token in re.findall(r"[A-Za-z0-9_-]{20,}", text):
            if token in known:
                text = text.replace(token, "<token>")
        return text

    return replaced


def _json(answer: Answer, replaced: Callable[[str], str]) -> _Told:
    """Keys in their order, every value as it is written; values of the position and the place apart."""
    if not answer.header("Content-Type").startswith("application/json"):
        return _Told(fixed={}, varying={})
    text = answer.body.decode(errors="replace")
    try:
        content = json.loads(text, object_pairs_hook=_Pairs, parse_int=_Literal, parse_float=_Literal)
    except ValueError:
        return _Told(fixed={"body": replaced(text)}, varying={})
    leaves = list(_leaves(content, ""))
    apart = [(path, value) for path, value in leaves if _apart(path)]
    kinds = [_key_of(path) if _apart(path) else f"{path}:{type(value).__name__}" for path, value in leaves]
    fixed = {
        "keys and their order": " ".join(dict.fromkeys(kinds)),
        "spaces": str(len(re.findall(r"\s", STRINGS.sub("", text)))),
        **{f"JSON {path}": replaced(value) for path, value in leaves if not _apart(path)},
        **{f"form of {_key_of(path)}": _form(replaced(value)) for path, value in apart if path in OF_THE_PLACE},
        "names of others": " ".join(_strangers(apart, replaced)),
    }
    varying = {f"JSON {path}": replaced(value) for path, value in apart if not path.startswith(("next", "previous"))}
    return _Told(fixed=fixed, varying={name: value for name, value in varying.items() if value != SAID})


class _Literal(str):
    """A number as it was written."""

    __slots__ = ()


class _Word(str):
    """true, false or null."""

    __slots__ = ()


class _Pairs(list[tuple[str, Any]]):
    """An object with its keys in the order in which they came."""


def _leaves(value: Any, path: str) -> Iterable[tuple[str, str]]:
    if isinstance(value, _Pairs):
        for key, held in value:
            yield from _leaves(held, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        yield f"{path}[]", str(len(value))
        for index, held in enumerate(value):
            yield from _leaves(held, f"{path}[{index}]")
    else:
        yield path, value if isinstance(value, str) else _Word(json.dumps(value))


def _apart(path: str) -> bool:
    return (
        path in (*OF_THE_PLACE, *OF_THE_VISIT, *OF_THE_CHOICE)
        or re.split(r"[.\[]", path, maxsplit=1)[0] in OF_THE_POSITION
    )


def _key_of(path: str) -> str:
    """What belongs to the position comes and goes with it: the key alone counts."""
    head = re.split(r"[.\[]", path, maxsplit=1)[0]
    return head if head in OF_THE_POSITION else path


def _form(literal: str) -> str:
    return re.sub(r"\d+", "9", literal)


def _strangers(apart: Sequence[tuple[str, str]], replaced: Callable[[str], str]) -> list[str]:
    """What stands where only the rater's own tokens may stand."""
    named = [(path, value) for path, value in apart if path.startswith("next[") or path == "previous"]
    held = [value for path, value in named if not path.endswith("[]")]
    return [value for value in held if value != "null" and replaced(value) != "<token>" and len(value) >= 20]


def _as_stored(received: Received, stored: Stored) -> dict[str, str]:
    """Is a slice sent as it lies in the storage?"""
    is_slice = received.answer.code == OK and received.answer.header("Content-Type") == SLICE_CONTENT_TYPE
    if received.request not in {"slice", "other slice", "slice ahead"} and not is_slice:
        return {}
    return {"pixels": "as stored" if received.answer.body in stored.slices else "not as stored"}


def _times(walked: Walk, cases: Sequence[str]) -> list[Observable]:
    """Per case the median over raters and repetitions; each rater's times as ranks, for one may be slower."""
    observables = []
    for request in TIMED:
        by_rater: dict[int, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
        for received in walked.received:
            if received.request == request:
                by_rater[received.rater][received.case_id].append(received.answer.seconds)
        found: dict[str, list[float]] = defaultdict(list)
        for times in by_rater.values():
            order = ranks([median(times[case]) for case in times]) / len(times)
            for case, rank in zip(times, order, strict=True):
                found[case].append(float(rank))
        if set(found) >= set(cases):
            typical = [float(np.median(found[case])) for case in cases]
            observables.append(number_observable(f"time of {request}", typical, family=TIMES, spread=False))
    return observables


def _exports(walked: Walk, cases: Sequence[str]) -> list[Observable]:
    """The columns of the team's file, per rater."""
    rows: dict[int, dict[str, dict[str, str]]] = defaultdict(dict)
    named: dict[str, set[str]] = defaultdict(set)
    for rater, slot, columns in walked.exported:
        named[slot.case_id].add(" ".join(columns))
        if not slot.again:
            rows[rater][slot.case_id] = columns
    observables: list[Observable] = []
    observables.append(fixed_observable("export: columns", [sorted(named[case]) for case in cases], family=TEAM))
    for rater, by_case in rows.items():
        if not set(by_case) >= set(cases):
            continue
        for column in by_case[cases[0]]:
            texts = [by_case[case].get(column, _ABSENT) for case in cases]
            if len(set(texts)) > 1:
                observables += _of_texts(f"export: {column}, rater {rater}", texts, family=TEAM)
    return observables


def _identifiers(walked: Walk, stored: Sequence[Stored], cases: Sequence[str]) -> Observable:
    """Names by which a case is known elsewhere, in anything that raters receive."""
    texts = {seen_of(received.answer) for received in walked.received if _is_text(received.answer)}
    texts |= set(walked.pages.values())
    heads = {
        seen_of(received.answer).split(b"\n\n", 1)[0] for received in walked.received if not _is_text(received.answer)
    }
    whole = b"\n".join(sorted(texts | heads))
    names: dict[str, list[str]] = defaultdict(list)
    for one in stored:
        names[str(one.stimulus.case_id)] += _names_of(one)
    found = [" ".join(word for word in names[case] if word.encode() in whole) for case in cases]
    return Observable(
        name="identifiers of the platform in what raters receive", sort="absent", values=found, family=SERVED
    )


def _tokens_elsewhere(walked: Walk, cases: Sequence[str]) -> Observable:
    """Pages that belong to no case name none: which tokens a static file lists could tell their kinds."""
    pages = [page for name, page in walked.pages.items() if not name.endswith(OF_THE_SITTING)]
    words = {word for page in pages for word in WORDS.findall(page)}
    tokens: dict[str, list[str]] = defaultdict(list)
    for slot in (slot for sitting in walked.sittings for slot in sitting.slots):
        tokens[slot.case_id].append(slot.token)
    found = [" ".join(token for token in tokens[case] if token.encode() in words) for case in cases]
    return Observable(name="tokens of cases on pages of no case", sort="absent", values=found, family=SERVED)


def _names_before_the_team(walked: Walk, stored: Sequence[Stored], cases: Sequence[str]) -> Observable:
    """Outside of exports of ratings the team is told no name of a case, and there only of those that were answered."""
    labels = {(rater, slot.token): columns.get("case_label", "") for rater, slot, columns in walked.exported}
    names: dict[str, set[str]] = defaultdict(set)
    for sitting in walked.sittings:
        for slot in sitting.slots:
            names[slot.case_id] |= {slot.token, labels.get((sitting.rater_number, slot.token), "")} - {""}
    for one in stored:
        names[str(one.stimulus.case_id)].add(one.stimulus.case.code)
    told: set[str] = set()
    for page in walked.team_pages:
        words = {word.decode() for pattern in (WORDS, NAMES) for word in pattern.findall(page.content)}
        told |= words - {labels.get(slot, "") for slot in page.answered}
    found = [" ".join(sorted(names[case] & told)) for case in cases]
    return Observable(name="names of cases on the team's pages", sort="absent", values=found, family=TEAM)


def _names_of(stored: Stored) -> list[str]:
    case, truth = stored.stimulus.case, stored.stimulus.case.truth
    names = [str(case.pk), str(truth.scan_id), stored.stimulus.digest, stored.stimulus.key.rsplit("/", 1)[-1]]
    return names + [name for name in (truth.scan.name, truth.scan.subject) if len(name) >= LEAST_NAME]
