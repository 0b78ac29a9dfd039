"""Libraries quote values of a file in their warnings, and a value may be a name."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

TALKATIVE = ("pydicom", "highdicom", "nibabel", "PIL")


class _Nothing(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return False


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Neither the log nor stderr hears of a file by a library's words."""
    loggers = [logging.getLogger(name) for name in TALKATIVE]
    silence = _Nothing()
    for logger in loggers:
        logger.addFilter(silence)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger in loggers:
            logger.removeFilter(silence)
