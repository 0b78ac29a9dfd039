"""Answers whose arrival the study's frozen rules flagged, in words that stand beside the result."""

from collections import Counter

from readerstudy.unblinding.opened import StudyLedger

FLAGS = {
    "too_fast": "after less looking than a person needs",
    "shown_too_early": "to a case that was on the screen before the last answer was given",
    "clock_off": "by a clock that was wrong",
    "clock_impossible": "with times that can't be",
    "counter_gap": "with a number after one that is missing",
    "counted_twice": "with a number that another answer has",
    "older_than_superseded": "earlier than the answer that it replaces",
    "late_revision": "long after the answer that it replaces",
    "after_close": "before the end, but arrived after it",
    "after_next_begun": "to a study that had ended, and arrived after the next one was begun",
}


def unusual_arrivals(ledger: StudyLedger) -> list[str]:
    """One sentence for each flag, about the answers that count; programs and virtual raters hurry, nobody minds."""
    counts: Counter[str] = Counter()
    raters: dict[str, set[int]] = {}
    for event in ledger.current_events:
        rater = event.presentation.session.rater
        if rater.excluded_at is not None or rater.user.is_simulated or rater.user.as_program is not None:
            continue
        for flag in event.flags:
            counts[flag] += 1
            raters.setdefault(flag, set()).add(rater.number)
    return [_sentence(flag, counts[flag], raters[flag]) for flag in FLAGS if counts[flag]]


def _sentence(flag: str, count: int, raters: set[int]) -> str:
    who = f"rater{'s' if len(raters) > 1 else ''} {', '.join(map(str, sorted(raters)))}"
    answers = "1 answer was" if count == 1 else f"{count} answers were"
    return f"{answers} given {FLAGS[flag]} ({who}; flag {flag})."
