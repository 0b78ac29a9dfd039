"""One row per rating, with a codebook. Before the unblinding the columns of the truth do not exist, nor those of what
raters said of the picture itself: the team knows the cases, and marks, sizes and words would tell it what was shown.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import Any

from ctplatform.accounts.models import User
from readerstudy.choices import choice_results, choices_of, counted_apart
from readerstudy.design.cases import arm_of
from readerstudy.ledger.turns import with_turns
from readerstudy.models import Feedback, RatingEvent, Study, record
from readerstudy.report.tables import ROWS_OF_A_PART, csv_parts
from readerstudy.results import analysis_of
from readerstudy.tasks.ending import AT_THE_END
from readerstudy.tasks.items import Item
from readerstudy.tasks.task import Task
from readerstudy.unblinding.looks import LOOKED
from readerstudy.unblinding.marked import mark_truth_columns, truth_meanings
from readerstudy.unblinding.opened import StudyLedger, UnblindedStudy

END_COLUMN = "at_the_end"
TOLD_COLUMN = {"told_at": "When the rater was told what the case was (UTC); empty: the rater was not"}
SCHEMA = "turing-ward-ratings/1"

CODEBOOK = {
    "study": "Title of the study",
    "rater": "Number of the rater within the study",
    "rater_name": "Display name or login of the rater",
    "simulated": "1: a virtual rater of a dry run, not a person",
    "reading_program": "Which program gave this rating, its version and run; empty for a person",
    "excluded": "1: excluded from the analysis; the reason stands in excluded_reason",
    "excluded_reason": "Why the coordinator excluded this rater",
    "case_label": "Name of the case in the rows of this rater only; labels of two raters can't be linked",
    "position": "Slot of the case in this rater's stored order, from 1",
    "answer": "real or synthetic",
    "confidence": "How sure the rater was, from 1 to the number of levels; empty when not asked",
    "valid": "1: the rating counts; 0: the same rater superseded it by a later one",
    "shown_at": "When the whole picture was first on the screen, by the rater's clock (UTC)",
    "answered_at": "When the answer was given, by the rater's clock (UTC)",
    "received_at": "When the server wrote the ledger entry (UTC)",
    "reading_ms": "Looking: visible time from the first full picture to the answer, without idle_ms and waiting_ms",
    "load_ms": "Time from asking for the pixels to the first full picture",
    "hidden_ms": "Time during which the page was not visible",
    "idle_ms": "Visible time without a movement for a minute or longer, and pauses; empty where it was not measured",
    "waiting_ms": "Time in which the wanted slice had not arrived, after the first; empty where it was not measured",
    "place_ms": "Time in which the place in the ring was within the picture; empty: no ring, or not measured",
    "clock_offset_ms": "The server's clock less the rater's when the answer was sent; empty where it was not measured",
    "flags": "What was unusual about its arrival, by the rules frozen in the protocol; separated by spaces",
    "scrolls": "Number of scroll steps",
    "windowings": "Number of changes of window or level",
    "zooms": "Number of changes of zoom",
    "out_of_turn": "How the rating departs from the stored order, where the study's policy took it; else empty",
    "sequence": "Number of the ledger entry",
    "digest": "SHA-256 of the ledger entry",
}
# After the unblinding; what says which rows of several raters show one case would help to compute the truth before it.
TRUTH_CODEBOOK = {
    "case": "Code of the case, the same for every rater",
    "truth": "real or synthetic: the sealed truth, known since the unblinding",
    "correct": "1: the answer is the truth; empty where no answer is right or wrong",
    "again": "1: the rater had seen the case before; the first answer is the one that counts",
    "control": "1: a positive control, an edit degraded on purpose, or stood beside one in its trial; counted apart",
    "arm": "real, or the program that made the case and what it did",
    "scan": "Name of the scan that the case shows",
    "patient": "Number of the patient in this study; of an edited scan, of the one that it was made of",
    "dataset": "Name of the dataset that this patient belongs to",
    "subject": "Neutral name of this patient within that dataset",
    "host_scan": "Name of the scan in which the case lies; of an edited scan, of the one that it was made of",
    "diameter_mm": "Diameter of the lesion (removed lesions: of the one removed; healthy places: of the one matched)",
    "depth_mm": "Depth of the place below the surface of the liver",
}


def ledger_of(study: Study) -> StudyLedger:
    """With the truth as soon as it may be told."""
    return UnblindedStudy(study) if study.stage.terminal else StudyLedger(study)


def codebook(ledger: StudyLedger) -> dict[str, str]:
    asked = ledger.study.asked
    further = {column_of(item): f"{item.question} Answered with {item.in_words()}" for item in asked.items}
    told = TOLD_COLUMN if asked.feedback != Feedback.NONE else {}
    blinded = CODEBOOK | dict(asked.task.column_meanings) | told
    if not isinstance(ledger, UnblindedStudy):
        return blinded
    at_the_end = {END_COLUMN: f"{asked.end_question} Free text, asked once with the last case"}
    of_the_picture = {**asked.task.place_meanings, **further, **(at_the_end if asked.end_question else {})}
    of_marks = truth_meanings(marked) if (marked := asked.task.mark) else {}
    return {**blinded, **of_the_picture, **TRUTH_CODEBOOK, **of_marks}


def column_of(item: Item) -> str:
    return f"further_{item.name}"


def rating_rows(ledger: StudyLedger) -> Iterator[dict[str, Any]]:
    asked = ledger.study.asked
    task, items, ringed = asked.task, asked.items, asked.ringed
    apart = counted_apart(ledger) if isinstance(ledger, UnblindedStudy) else frozenset()
    for event, out_of_turn in with_turns(ledger.entries()):
        row = _row(ledger, event, task, ringed=ringed) | {"out_of_turn": out_of_turn}
        if isinstance(ledger, UnblindedStudy):
            row |= _of_the_picture(event, task, items)
            row |= {END_COLUMN: event.further.get(AT_THE_END)} if asked.end_question else {}
            row |= _truth_columns(ledger, event, task, apart)
        if asked.feedback != Feedback.NONE:
            row |= {"told_at": event.told.at.isoformat() if hasattr(event, "told") else None}
        yield row


def _row(ledger: StudyLedger, event: RatingEvent, task: Task, *, ringed: bool) -> dict[str, Any]:
    rater = event.presentation.session.rater
    return {
        "study": ledger.study.title,
        "rater": rater.number,
        "rater_name": str(rater.user),
        "simulated": int(rater.user.is_simulated),
        "reading_program": str(rater.user.as_program or ""),
        "excluded": int(rater.excluded_at is not None),
        "excluded_reason": rater.excluded_reason,
        "case_label": ledger.case_label(event.presentation),
        "position": event.presentation.position + 1,
        "answer": event.answer,
        "confidence": event.confidence,
        "valid": int(event.pk not in ledger.superseded),
        "shown_at": event.shown_at.isoformat(),
        "answered_at": event.answered_at.isoformat(),
        "received_at": event.received_at.isoformat(),
        "reading_ms": event.reading_ms,
        "load_ms": event.load_ms,
        "hidden_ms": event.hidden_ms,
        "idle_ms": event.idle_ms,
        "waiting_ms": event.waiting_ms,
        # Browsers once wrote 0 where there was no ring.
        "place_ms": event.interactions.get("place_ms") if ringed else None,
        "clock_offset_ms": event.clock_offset_ms,
        "flags": " ".join(event.flags),
        **{name: event.interactions.get(name, 0) for name in ("scrolls", "windowings", "zooms")},
        "sequence": event.sequence,
        "digest": event.digest,
        **({"side": event.presentation.side + 1} if task.images > 1 else {}),
        **task.columns(event),
    }


def _of_the_picture(event: RatingEvent, task: Task, items: Sequence[Item]) -> dict[str, Any]:
    """Alike in the answers of several raters to one case, and near to what was edited."""
    return {**task.place_columns(event), **{column_of(item): event.further.get(item.name) for item in items}}


def _truth_columns(opened: UnblindedStudy, event: RatingEvent, task: Task, apart: frozenset[str]) -> dict[str, Any]:
    code = event.presentation.stimulus.case.code
    asked = task.mark
    truth, host, patient = opened.truths[code], opened.hosts[code], opened.patients[code]
    return {
        "case": truth.case.code,
        "truth": "synthetic" if truth.synthetic else "real",
        "correct": int(task.call(event) == truth.synthetic) if task.right_choice else None,
        "again": int(event.presentation.stimulus.again),
        "control": int(code in apart),
        "arm": arm_of(truth).name,
        "scan": truth.scan.name,
        "patient": patient,
        "dataset": host.dataset.name,
        "subject": host.subject,
        "host_scan": host.name,
        "diameter_mm": round(truth.diameter_mm, 2),
        "depth_mm": None if truth.depth_mm is None else round(truth.depth_mm, 2),
        **(mark_truth_columns(event, truth, asked) if asked else {}),
    }


def fetched(study: Study, *, actor: User, form: str) -> StudyLedger:
    """The answers for somebody who takes them out; while the truth is sealed the record says who did."""
    if study.stage.sealed:
        record(study=study, actor=actor, action=LOOKED, form=form, entries=study.ledger_count)
    return ledger_of(study)


def as_csv(ledger: StudyLedger) -> Iterator[str]:
    """Nothing but the table, so that every program reads it without being told how; its codebook is a table too."""
    return csv_parts(list(codebook(ledger)), rating_rows(ledger))


def codebook_as_csv(ledger: StudyLedger) -> Iterator[str]:
    rows = [{"column": name, "meaning": meaning} for name, meaning in codebook(ledger).items()]
    return csv_parts(("column", "meaning"), rows)


def as_json(ledger: StudyLedger) -> Iterator[str]:
    """One rating a line, which takes a third of the time of lines for every value; whatever may be refused is first."""
    parts = [f"{json.dumps(name)}: {json.dumps(value)},\n" for name, value in _about(ledger).items()]
    return chain(("{\n", *parts, '"ratings": [\n'), _lines(rating_rows(ledger)), ("\n]\n}\n",))


def _lines(rows: Iterator[dict[str, Any]]) -> Iterator[str]:
    before = ""
    while some := list(islice(rows, ROWS_OF_A_PART)):
        yield before + ",\n".join(json.dumps(row) for row in some)
        before = ",\n"


def _about(ledger: StudyLedger) -> dict[str, Any]:
    """What a program is told beside the ratings."""
    study = ledger.study
    content: dict[str, Any] = {
        "schema": SCHEMA,
        "study": {
            "id": str(study.pk),
            "title": study.title,
            "state": study.state,
            "protocol_digest": study.protocol_digest,
            "plan_digest": study.plan_digest,
            "schedule_digest": study.schedule_digest,
            "ledger_count": study.ledger_count,
            "ledger_head": study.ledger_head,
        },
        "codebook": codebook(ledger),
    }
    if isinstance(ledger, UnblindedStudy):
        content["protocol"] = study.protocol
        content["schedule_seed"] = study.seal.schedule_seed
        several = study.asked.task.images > 1
        content["analysis"] = choice_results(ledger).as_json() if several else analysis_of(ledger).as_json()
        if several:
            # Which images stood together, the one to find first.
            content["trials"] = choices_of(ledger).trials
            content["control_trials"] = choices_of(ledger, controls=True).trials
    return content
