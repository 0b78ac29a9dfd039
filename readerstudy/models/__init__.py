"""The study's tables, split by its life: design (study, cases), reading (sessions, ledger), record (audit)."""

from readerstudy.models.case import Case, CaseTruth, StudySeal
from readerstudy.models.reading import DisplayCheck, Presentation, RatingEvent, Session, Stimulus, StudyRater
from readerstudy.models.record import AuditEntry, record, record_content
from readerstudy.models.study import Answer, DisplayMode, DisplayPolicy, GoingBack, Study, StudyState, Template

__all__ = [
    "Answer",
    "AuditEntry",
    "Case",
    "CaseTruth",
    "DisplayCheck",
    "DisplayMode",
    "DisplayPolicy",
    "GoingBack",
    "Presentation",
    "RatingEvent",
    "Session",
    "Stimulus",
    "Study",
    "StudyRater",
    "StudySeal",
    "StudyState",
    "Template",
    "record",
    "record_content",
]
