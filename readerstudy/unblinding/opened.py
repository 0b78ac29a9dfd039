"""The data of a study, each kind read once and handed on; with the truth only after the unblinding."""

from functools import cached_property

from ctplatform.errors import ConflictError
from readerstudy.models import CaseTruth, RatingEvent, Study, StudyRater, StudyState


class StudyLedger:
    """Who rated and what they said, without the truth: there before and after the unblinding."""

    def __init__(self, study: Study) -> None:
        self.study = study

    @cached_property
    def raters(self) -> list[StudyRater]:
        """All raters with their accounts, by number."""
        return list(self.study.raters.select_related("user").order_by("number"))

    @property
    def excluded(self) -> list[StudyRater]:
        return [rater for rater in self.raters if rater.excluded_at is not None]

    @cached_property
    def events(self) -> list[RatingEvent]:
        """All entries in their order, superseded ones too."""
        rows = RatingEvent.objects.filter(study=self.study).order_by("sequence")
        return list(
            rows.select_related("presentation__session__rater__user", "presentation__stimulus__case", "superseded_by")
        )

    @property
    def current_events(self) -> list[RatingEvent]:
        """The valid rating of every presentation: what no later entry supersedes."""
        return [event for event in self.events if not hasattr(event, "superseded_by")]


class UnblindedStudy(StudyLedger):
    """What page, report and API see. It cannot be made of a sealed study, so nothing that asks for one can leak."""

    def __init__(self, study: Study) -> None:
        refuse_while_sealed(study)
        super().__init__(study)

    @cached_property
    def truths(self) -> dict[str, CaseTruth]:
        """The truth by case code. After the lock this is the only way to it."""
        rows = CaseTruth.objects.filter(case__study=self.study).select_related("case", "scan")
        return {truth.case.code: truth for truth in rows}


def refuse_while_sealed(study: Study) -> None:
    """Ask the database, not the object: it may be older than the state."""
    state = Study.objects.values_list("state", flat=True).get(pk=study.pk)
    if state != StudyState.UNBLINDED:
        raise ConflictError(
            "The truth is sealed until the study is closed and unblinded, so there are no results yet.",
            code="sealed",
        )
