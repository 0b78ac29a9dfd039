"""The study's tables, split by its life: design (study, cases), reading (sessions, ledger), record (audit)."""

from readerstudy.models.case import Case, CaseTruth, StudySeal
from readerstudy.models.feedback import Feedback
from readerstudy.models.reading import DisplayCheck, Presentation, RatingEvent, Session, Stimulus, StudyRater
from readerstudy.models.record import AuditEntry, record, record_content
from readerstudy.models.study import Answer, DisplayMode, DisplayPolicy, GoingBack, Study, StudyState, Template
from readerstudy.models.told import TruthTold

__all__ = [
    "Answer",
    "AuditEntry",
    "Case",
    "CaseTruth",
    "DisplayCheck",
    "DisplayMode",
    "DisplayPolicy",
    "Feedback",
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
    "TruthTold",
    "record",
    "record_content",
]
