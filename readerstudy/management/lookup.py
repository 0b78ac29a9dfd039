from uuid import UUID

from django.core.management.base import CommandError

from readerstudy.models import Study


def study_named(name: str) -> Study:
    """For commands: the study with this id or title; a title must name one study only."""
    try:
        found = Study.objects.filter(pk=UUID(name))
    except ValueError:
        found = Study.objects.filter(title=name)
    studies = list(found[:2])
    if len(studies) != 1:
        raise CommandError(f"{'More than one' if studies else 'No'} study is called {name!r}; give its id.")
    return studies[0]
