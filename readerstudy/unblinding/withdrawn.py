"""Cases whose pixels were withdrawn: their pictures go, answers and chains stay, and the study says how many."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

from django.core.files.storage import default_storage
from django.utils.translation import gettext, ngettext

from ctplatform.committed import after_commit
from ctplatform.datasets.withdrawal import Withdrawal
from ctplatform.errors import ConflictError
from readerstudy.models import CaseTruth, Stimulus, Study, StudyState, record
from readerstudy.verification.pixels import WITHDRAWN


def refuse_while_shown(scans: Sequence[UUID]) -> None:
    """From the lock to the closing raters are promised these pictures."""
    promised = [StudyState.LOCKED, StudyState.COLLECTING]
    shown = Study.objects.filter(state__in=promised, cases__truth__scan__in=scans).select_related("owner").first()
    if shown is not None:
        raise ConflictError(
            gettext(
                "A reader study of %(owner)s shows it and is locked or takes ratings. Ask %(owner)s to close it, "
                "then withdraw: what was answered until then stays."
            )
            % {"owner": shown.owner},
            code="shown",
        )


def forget_pixels(withdrawal: Withdrawal) -> None:
    stimuli = Stimulus.objects.filter(case__truth__scan__in=withdrawal.ids).select_related("case__study")
    keys = [stimulus.slice_key(index) for stimulus in stimuli for index in range(stimulus.size_zyx[0])]
    concerned = Counter(case.study for case in {stimulus.case for stimulus in stimuli})
    # In the order in which linked studies are held.
    for study, cases in sorted(concerned.items(), key=lambda one: one[0].pk):
        # How many, not which: a sealed study tells nothing of a single case.
        record(study=study, actor=withdrawal.by, action=WITHDRAWN, cases=cases, reason=withdrawal.reason)
    for key in keys:
        after_commit(default_storage.delete, key)


def withdrawn_words(study: Study) -> str:
    """For pages and report; empty where no case is concerned."""
    count = CaseTruth.objects.filter(case__study=study).exclude(scan__withdrawn_at=None).count()
    if not count:
        return ""
    return ngettext(
        "%(count)s case shows a scan that was withdrawn after the lock: the pixels are no longer here, the "
        "answers are.",
        "%(count)s cases show scans that were withdrawn after the lock: the pixels are no longer here, the "
        "answers are.",
        count,
    ) % {"count": count}
