"""Who has looked at answers before the unblinding, and what was decided after that.

Whoever has seen answers can tell which rater agrees with the others; an exclusion after that is another thing than
one before it, and stands as such beside the result.
"""

from collections.abc import Sequence

from readerstudy.models import AuditEntry, Study

LOOKED = "answers fetched"
EXCLUDED = "rater excluded"


def looks_of(study: Study) -> list[AuditEntry]:
    return list(study.record.filter(action=LOOKED).select_related("actor").order_by("id"))


def exclusions_after_looking(record: Sequence[AuditEntry]) -> list[str]:
    """For the result, one sentence for each; empty when everybody was excluded before any answer was fetched.

    What came first says the order of the record: a date in a column may be moved by some seconds.
    """
    sentences: list[str] = []
    before: list[AuditEntry] = []
    for entry in record:
        if entry.action == LOOKED:
            before.append(entry)
        elif entry.action == EXCLUDED and before:
            who = ", ".join(sorted({str(look.actor) for look in before}))
            times = "once" if len(before) == 1 else f"{len(before)} times"
            rater = entry.details["rater"]
            sentences.append(f"Rater {rater} was excluded after answers had been looked at ({times}, by {who}).")
    return sentences


def looks_words(looks: Sequence[AuditEntry]) -> str:
    """For the methods: how often answers were seen while the truth was sealed; empty when nobody looked."""
    if not looks:
        return ""
    times = "once" if len(looks) == 1 else f"{len(looks)} times"
    return (
        f"Answers, without the truth, were looked at {times} before the unblinding (last on {looks[-1].at:%Y-%m-%d})."
    )
