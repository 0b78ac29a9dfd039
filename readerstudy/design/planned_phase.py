"""A comparison with the earlier phase that the plan of a later one names: what it needs before the lock."""

from django.utils.translation import gettext, gettext_noop

from ctplatform.errors import ConflictError
from readerstudy.models import Study, StudyState
from readerstudy.planning.plans import draft_plan

NO_RIGHT_CHOICE = gettext_noop("there is no right choice in them")


def asked_alike(earlier: Study, study: Study) -> str:
    """Why the answers of two studies can't be compared; empty where they can."""
    tasks = [one.asked.task for one in (earlier, study)]
    asked = [(one.asked.task_name, one.asked.task.chosen(), one.asked.confidence_levels) for one in (earlier, study)]
    if asked[0] != asked[1]:
        return gettext("the phases asked different things of their raters")
    if not all(task.right_choice for task in tasks):
        return gettext(NO_RIGHT_CHOICE)
    return ""


def named_measure(study: Study) -> str:
    """What the plan of a draft compares with the study that this one continues; empty where it compares nothing."""
    measure = draft_plan(study).phase_measure
    return "" if measure == "none" else measure


def missing_for_comparison(study: Study) -> str:
    """What keeps the planned comparison of a draft from being one; empty where it names none, or nothing does."""
    earlier, measure = study.continues, named_measure(study)
    if earlier is None or not measure:
        return ""
    if reason := asked_alike(earlier, study):
        return gettext("Nothing could be compared with “%(title)s”: %(reason)s. Ask the same, or change the plan.") % {
            "title": earlier.asked.title,
            "reason": reason,
        }
    task = study.asked.task
    if measure == "auc" and not (task.scored and task.images == 1):
        return gettext("Answers have no levels, so there is no AUC to compare: let the plan compare right answers.")
    return _known(earlier)


def _known(earlier: Study) -> str:
    """Whoever knows how the earlier phase ended chooses measure and direction by it."""
    if earlier.state != StudyState.UNBLINDED:
        return ""
    return gettext(
        "“%(title)s” is unblinded, so half of the comparison is known and it can't be planned any more: let the "
        "plan name none, and what is told of it is exploratory."
    ) % {"title": earlier.asked.title}


def refuse_known_comparison(study: Study) -> None:
    """With all linked rows held: the earlier study may have been unblinded while this one was being locked."""
    earlier = study.continues
    if earlier is not None and named_measure(study) and (message := _known(earlier)):
        raise ConflictError(message, code="phase_unblinded")
