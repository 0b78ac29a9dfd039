"""Phases that show the same scans: none is unblinded while another is read, none is read after one was unblinded."""

from django.utils.translation import gettext

from ctplatform.errors import ConflictError
from readerstudy.design.phases import later_phases, of_the_same_scans, refuse_after_unblinding
from readerstudy.models import Session, Study, StudyState

BEING_READ = (StudyState.LOCKED, StudyState.COLLECTING)


def refuse_while_others_are_read(study: Study) -> None:
    """The truth of this study would tell raters and team of another phase what they are asked there."""
    for other in of_the_same_scans(study, *BEING_READ):
        title = other.asked.title
        raise ConflictError(
            gettext(
                "“%(title)s” is linked with this study, shows images of the same scans and isn't closed: the "
                "truth of this study would tell that one's. Close “%(title)s” first, then unblind."
            )
            % {"title": title},
            code="phase_open",
        )


def refuse_exclusion(study: Study) -> None:
    """Whoever leaves answers out must not know which of them are right."""
    for other in of_the_same_scans(study, StudyState.UNBLINDED):
        raise ConflictError(
            gettext(
                "“%(title)s” is unblinded and shows images of the same scans, so the truth of this study is "
                "known and nobody can be excluded any more. Its results can be looked at without single raters."
            )
            % {"title": other.asked.title},
            code="phase_unblinded",
        )


def refuse_reopening(study: Study) -> None:
    refuse_after_unblinding(study)
    for later in later_phases(study):
        if Session.objects.filter(rater__study=later, begun_at__isnull=False).exists():
            raise ConflictError(
                gettext(
                    "Raters have begun “%(title)s”, which continues this study, so this one can't be opened "
                    "again: answers given now would come after what they were told there."
                )
                % {"title": later.asked.title},
                code="phase_begun",
            )
