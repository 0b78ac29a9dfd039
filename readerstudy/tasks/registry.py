"""The types of task that there are."""

from collections.abc import Mapping
from typing import Any

from readerstudy.tasks.any_places import AnyPlaces
from readerstudy.tasks.forced_choice import ForcedChoice
from readerstudy.tasks.marked import UnfitError, gettext_noop
from readerstudy.tasks.one_place import OnePlace
from readerstudy.tasks.real_or_synthetic import RealOrSynthetic
from readerstudy.tasks.scale import Scale
from readerstudy.tasks.task import Task

TASKS: dict[str, type[Task]] = {task.name: task for task in (RealOrSynthetic, Scale, OnePlace, AnyPlaces, ForcedChoice)}
FIRST = RealOrSynthetic.name
# What pages and API let somebody choose.
OFFERED = {name: task for name, task in TASKS.items() if task.offered}


def task_of(name: str, settings: Mapping[str, Any], *, confidence_levels: int) -> Task:
    """ValueError says in words for people what does not fit."""
    if name not in TASKS:
        raise UnfitError(gettext_noop("there is no task “%(name)s”"), name=name)
    known = {setting.name for setting in TASKS[name].settings}
    if unknown := set(settings) - known:
        raise UnfitError(gettext_noop("this task has no setting “%(name)s”"), name=min(unknown))
    return TASKS[name].of(settings, confidence_levels=confidence_levels)
