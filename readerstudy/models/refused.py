"""What a task refuses, in the reader's language."""

from django.utils.translation import gettext

from readerstudy.tasks.marked import UnfitError


def told(error: ValueError) -> str:
    if not isinstance(error, UnfitError):
        return str(error)
    return gettext(error.text) % error.values if error.values else gettext(error.text)
