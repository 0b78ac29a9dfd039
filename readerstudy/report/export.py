"""One row per rating, with a codebook. Before the unblinding the columns of the truth do not exist."""

import json
from collections.abc import Iterator
from typing import Any

from readerstudy.models import CaseTruth, RatingEvent, Study
from readerstudy.report.tables import csv_text
from readerstudy.results import analysis_of
from readerstudy.unblinding.opened import StudyLedger, UnblindedStudy

SCHEMA = "turing-ward-ratings/1"

CODEBOOK = {
    "study": "Title of the study",
    "rater": "Number of the rater within the study",
    "rater_name": "Display name or login of the rater",
    "simulated": "1: a virtual rater of a dry run, not a person",
    "excluded": "1: excluded from the analysis; the reason stands in excluded_reason",
    "excluded_reason": "Why the coordinator excluded this rater",
    "case": "Code of the case, drawn at the lock; the same for every rater",
    "position": "Slot of the case in this rater's stored order, from 1",
    "answer": "real or synthetic",
    "confidence": "How sure the rater was, from 1 to the number of levels; empty when not asked",
    "valid": "1: the rating counts; 0: the same rater superseded it by a later one",
    "shown_at": "When the whole picture was first on the screen, by the rater's clock (UTC)",
    "answered_at": "When the answer was given, by the rater's clock (UTC)",
    "received_at": "When the server wrote the ledger entry (UTC)",
    "reading_ms": "Visible time from the first full picture to the answer",
    "load_ms": "Time from asking for the pixels to the first full picture",
    "hidden_ms": "Time during which the page was not visible",
    "scrolls": "Number of scroll steps",
    "windowings": "Number of changes of window or level",
    "zooms": "Number of changes of zoom",
    "sequence": "Number of the ledger entry",
    "digest": "SHA-256 of the ledger entry",
}
TRUTH_CODEBOOK = {
    "truth": "real or synthetic: the sealed truth, known since the unblinding",
    "correct": "1: the answer is the truth",
    "scan": "Name of the scan that the case shows",
    "subject": "Neutral name of the person whose scan it is",
    "diameter_mm": "Diameter of the lesion (removed lesions: of the one removed; healthy places: of the one matched)",
    "depth_mm": "Depth of the place below the surface of the liver",
}


def ledger_of(study: Study) -> StudyLedger:
    """With the truth as soon as it may be told."""
    return UnblindedStudy(study) if study.stage.terminal else StudyLedger(study)


def codebook(ledger: StudyLedger) -> dict[str, str]:
    return {**CODEBOOK, **TRUTH_CODEBOOK} if isinstance(ledger, UnblindedStudy) else dict(CODEBOOK)


def rating_rows(ledger: StudyLedger) -> Iterator[dict[str, Any]]:
    for event in ledger.events:
        row = _row(ledger.study, event)
        if isinstance(ledger, UnblindedStudy):
            row |= _truth_columns(event, ledger.truths[row["case"]])
        yield row


def _row(study: Study, event: RatingEvent) -> dict[str, Any]:
    rater = event.presentation.session.rater
    return {
        "study": study.title,
        "rater": rater.number,
        "rater_name": str(rater.user),
        "simulated": int(rater.user.is_simulated),
        "excluded": int(rater.excluded_at is not None),
        "excluded_reason": rater.excluded_reason,
        "case": event.presentation.stimulus.case.code,
        "position": event.presentation.position + 1,
        "answer": event.answer,
        "confidence": event.confidence,
        "valid": int(not hasattr(event, "superseded_by")),
        "shown_at": event.shown_at.isoformat(),
        "answered_at": event.answered_at.isoformat(),
        "received_at": event.received_at.isoformat(),
        "reading_ms": event.reading_ms,
        "load_ms": event.load_ms,
        "hidden_ms": event.hidden_ms,
        **{name: event.interactions.get(name, 0) for name in ("scrolls", "windowings", "zooms")},
        "sequence": event.sequence,
        "digest": event.digest,
    }


def _truth_columns(event: RatingEvent, truth: CaseTruth) -> dict[str, Any]:
    kind = "synthetic" if truth.synthetic else "real"
    return {
        "truth": kind,
        "correct": int(event.answer == kind),
        "scan": truth.scan.name,
        "subject": truth.scan.subject,
        "diameter_mm": round(truth.diameter_mm, 2),
        "depth_mm": None if truth.depth_mm is None else round(truth.depth_mm, 2),
    }


def as_csv(study: Study) -> str:
    """The codebook stands above the table in lines that begin with '#'."""
    ledger = ledger_of(study)
    columns = codebook(ledger)
    head = "".join(f"# {name}: {meaning}\n" for name, meaning in columns.items())
    return head + csv_text(list(columns), rating_rows(ledger))


def as_json(study: Study) -> str:
    return json.dumps(as_data(study), indent=1)


def as_data(study: Study) -> dict[str, Any]:
    ledger = ledger_of(study)
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
        "ratings": list(rating_rows(ledger)),
    }
    if isinstance(ledger, UnblindedStudy):
        content["protocol"] = study.protocol
        content["schedule_seed"] = study.seal.schedule_seed
        content["analysis"] = analysis_of(ledger).as_json()
    return content
