"""From a mark in the picture, which is all that a browser knows, to the place in the patient."""

from collections.abc import Mapping

from django.utils.translation import gettext

from ctplatform.errors import DomainError
from readerstudy.blinding.lattice import Lattice, mark_in_patient
from readerstudy.models import Stimulus
from readerstudy.tasks.marks import AXES


def mark_in_the_patient(stimulus: Stimulus, mark: Mapping[str, int]) -> list[float]:
    """By the lattice that was sealed at the lock."""
    if stimulus.lattice is None:
        raise DomainError(gettext("This study asks for no place."), code="mark_not_asked")
    if not all(0 <= mark[axis] < size for axis, size in zip(AXES, stimulus.size_zyx, strict=True)):
        raise DomainError(gettext("The mark lies outside of the picture. Mark a place within it."), code="mark_outside")
    return mark_in_patient(Lattice.from_json(stimulus.lattice), mark)
