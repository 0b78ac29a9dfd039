"""What raters are asked once, after their last case: answered in their own words, together with that case."""

from collections.abc import Mapping
from typing import Any

from readerstudy.tasks.items import are_words
from readerstudy.tasks.task import Refusal

# Among the answers to further questions; none of them has a name with a hyphen.
AT_THE_END = "at-the-end"
LONGEST_END_QUESTION = 300


def of_the_case(further: Mapping[str, Any]) -> dict[str, Any]:
    """The answers to further questions alone."""
    return {name: value for name, value in further.items() if name != AT_THE_END}


def refusal_at_the_end(asked: str, further: Mapping[str, Any], *, last: bool) -> Refusal | None:
    """Words are taken with the last case alone, and need not be there: whoever has nothing to say says nothing."""
    if AT_THE_END not in further:
        return None
    if not asked or not last:
        return Refusal(
            message="What is asked at the end is answered with the last case only.", code="question_not_asked"
        )
    if not are_words(further[AT_THE_END]):
        return Refusal(message=f"Answer “{asked}” with free text.", code="further_answer_missing")
    return None
