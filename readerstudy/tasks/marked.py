"""Texts marked for the catalogues of other languages; whoever shows them to a person translates them.

A task knows no language but that of the study; `readerstudy.models.refused` says in the reader's what it refuses.
"""

from typing import Any


def gettext_noop(text: str) -> str:
    return text


class UnfitError(ValueError):
    """What does not fit, in words for people: a text that is marked, and what stands in its gaps."""

    def __init__(self, text: str, **values: Any) -> None:
        super().__init__(text % values if values else text)
        self.text, self.values = text, values
