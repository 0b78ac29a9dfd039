"""Failures that a person can act on; every message is a plain sentence for the screen."""

from __future__ import annotations

import sys
from collections.abc import Callable


class MlError(Exception):
    """Base of all failures raised on purpose by this library."""


class EditError(MlError):
    """An edit cannot be made as it was asked for."""


class PointOutsideLiverError(EditError):
    """The asked centre is not inside the liver mask."""

    def __init__(self, *, distance_mm: float | None) -> None:
        where = "far outside" if distance_mm is None else f"{max(1, round(distance_mm))} mm outside"
        super().__init__(f"The point lies {where} the liver; click inside it.")
        self.distance_mm = distance_mm


class LesionDoesNotFitError(EditError):
    """The liver around the point leaves too little room for the asked lesion."""


class SpecError(EditError):
    """The asked lesion is outside what the generator can make."""


class NothingToRemoveError(EditError):
    """The lesion mask is empty or does not differ from the liver around it."""


class ArtefactError(MlError):
    """A generator file is missing, tampered with or incompatible."""


class VolumeError(MlError):
    """A volume or mask cannot be read or does not belong to its partner."""


class TrainingError(MlError):
    """Training cannot start or go on with what it was given."""


class NoExemplarError(TrainingError):
    """A trained generator decodes none of its lesions to a lesion, so it cannot edit."""


class EditCancelledError(MlError):
    """The caller's progress callback asked to stop."""


def command_line(main: Callable[[], None]) -> None:
    """Run a command; a failure that a person can act on ends it with its sentence instead of a traceback."""
    try:
        main()
    except (MlError, OSError) as error:
        sys.exit(f"error: {error}")
