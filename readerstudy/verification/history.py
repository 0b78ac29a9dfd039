"""The record is one chain, and the study stands where the record says."""

from datetime import datetime, timedelta

from readerstudy.auditing.certificate import outcome_digest
from readerstudy.digests import digest_of
from readerstudy.models import AuditEntry, RatingEvent, Study, StudyRater, StudySeal, StudyState, record_content
from readerstudy.verification.displays import verify_display_checks
from readerstudy.verification.outcome import SAME_MOMENT, Verification
from readerstudy.verification.told import verify_told

# What an entry of the record makes of a study, and which column holds its date.
STEPS = {
    "locked": (StudyState.LOCKED, "locked_at"),
    "opened for reading": (StudyState.COLLECTING, "opened_at"),
    "closed": (StudyState.CLOSED, "closed_at"),
    "opened again": (StudyState.COLLECTING, ""),
    "unblinded": (StudyState.UNBLINDED, "unblinded_at"),
}


def verify_history(outcome: Verification) -> None:
    entries = list(AuditEntry.objects.filter(study=outcome.study).order_by("id"))
    _verify_record(outcome, entries)
    _verify_state(outcome, entries)
    _verify_exclusions(outcome, entries)
    _verify_heads(outcome, entries)
    _verify_certificate(outcome, entries)
    verify_display_checks(outcome, entries)
    verify_told(outcome, entries)


def _verify_record(outcome: Verification, entries: list[AuditEntry]) -> None:
    previous = ""
    for number, entry in enumerate(entries, start=1):
        if entry.previous_digest != previous:
            outcome.problems.append(f"entry {number} of the record does not continue it: one before it is gone")
        if digest_of(record_content(entry)) != entry.digest:
            outcome.problems.append(f"entry {number} of the record was changed after it was written")
        previous = entry.digest


def _verify_state(outcome: Verification, entries: list[AuditEntry]) -> None:
    study = outcome.study
    steps = [entry for entry in entries if entry.action in STEPS]
    state = STEPS[steps[-1].action][0] if steps else StudyState.DRAFT
    if state != study.stage:
        outcome.problems.append(f"the study is {study.stage}, but by its record it is {state}")
    for column, entry in _dates(steps).items():
        stored = getattr(study, column)
        if entry is None and stored is not None:
            outcome.problems.append(f"{column} is a date, but by the record there is none")
        if entry is not None and not _same_moment(stored, entry.at):
            outcome.problems.append(f"{column} is not when the record says it was {entry.action}")
    for entry in steps:
        digest = entry.details.get("protocol_digest")
        if digest is not None and digest != study.protocol_digest:
            outcome.problems.append(f"the protocol is not the one that was {entry.action}")


def _dates(steps: list[AuditEntry]) -> dict[str, AuditEntry | None]:
    """By column the entry that gives its date; a study that was opened again is not closed."""
    dates: dict[str, AuditEntry | None] = {column: None for _, column in STEPS.values() if column}
    for entry in steps:
        column = STEPS[entry.action][1]
        dates |= {column: entry} if column else {"closed_at": None}
    return dates


def _same_moment(stored: datetime | None, recorded: datetime) -> bool:
    return stored is not None and abs(stored - recorded) < SAME_MOMENT


def _verify_exclusions(outcome: Verification, entries: list[AuditEntry]) -> None:
    recorded = {entry.details["rater"]: entry for entry in entries if entry.action == "rater excluded"}
    marked = {rater.number: rater for rater in outcome.study.raters.all() if _says_excluded(rater)}
    if recorded.keys() != {number for number, rater in marked.items() if rater.excluded_at is not None}:
        outcome.problems.append("which raters are excluded differs from the record")
        return
    # When: whether anybody had looked at answers by then. Why: the report prints it, and takes it for an exclusion.
    differing = [
        number
        for number, rater in marked.items()
        if number not in recorded or not _as_recorded(rater, recorded[number])
    ]
    if differing:
        named = ", ".join(map(str, sorted(differing)))
        outcome.problems.append(f"when, why or by whom rater {named} was excluded differs from the record")


def _says_excluded(rater: StudyRater) -> bool:
    return any((rater.excluded_at, rater.excluded_reason, rater.excluded_by_id))


def _as_recorded(rater: StudyRater, entry: AuditEntry | None) -> bool:
    if entry is None:
        return False
    same = (rater.excluded_reason, rater.excluded_by_id) == (entry.details["reason"], entry.actor_id)
    return same and _same_moment(rater.excluded_at, entry.at)


def _verify_heads(outcome: Verification, entries: list[AuditEntry]) -> None:
    """Each head that the record holds is still in the ledger, and after the last closing nothing came too late."""
    heads = [entry for entry in entries if _head(entry)]
    numbers = [entry.details["entries"] for entry in heads]
    ledger = RatingEvent.objects.filter(study=outcome.study)
    digests = {0: ""} | dict(ledger.filter(sequence__in=numbers).values_list("sequence", "digest"))
    for number, entry in zip(numbers, heads, strict=True):
        if digests.get(number) != entry.details["ledger_head"]:
            step = entry.action
            outcome.problems.append(f"entry {number}, with which the ledger ended when it was {step}, is not there")
    if heads and outcome.study.stage in {StudyState.CLOSED, StudyState.UNBLINDED}:
        step = heads[-1].action
        later = ledger.filter(sequence__gt=numbers[-1])
        if step == "closed":
            # Within the grace, that is: what claims to have come before the closing would stand before its head.
            later = later.exclude(received_at__range=(heads[-1].at, heads[-1].at + _grace(outcome.study)))
        if later.exists():
            outcome.problems.append(f"{later.count()} entries were appended after the study was {step}")


def _verify_certificate(outcome: Verification, entries: list[AuditEntry]) -> None:
    """The report prints the last outcome of the check for leaks. Entries of before hold no digest of theirs."""
    checks = [entry for entry in entries if "outcome_digest" in entry.details]
    seal = StudySeal.objects.filter(study=outcome.study).first()
    if not checks or seal is None:  # that a locked study has lost its seal is told elsewhere
        return
    if checks[-1].details["outcome_digest"] != outcome_digest(outcome.study.leak_audit, seal):
        outcome.problems.append("the outcome of the last check for leaks differs from the record")


def _grace(study: Study) -> timedelta:
    """How long after the closing the protocol lets answers arrive that were given before."""
    return timedelta(hours=study.protocol.get("arrival", {}).get("grace_hours", 0))


def _head(entry: AuditEntry) -> bool:
    return entry.action in STEPS and "ledger_head" in entry.details
