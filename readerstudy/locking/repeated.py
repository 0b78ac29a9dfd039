"""Whether a study is done again: how much of it was known, or had been read, before it was locked."""

from collections.abc import Sequence

from readerstudy.design.cases import place_of
from readerstudy.design.phases import other_phases
from readerstudy.models import CaseTruth, Study, StudyRater, StudyState


def repeated(study: Study, truths: Sequence[CaseTruth]) -> dict[str, int]:
    """Counts: cases that were cases of an unblinded study, and raters who had them to read in any other one that is not
    linked with this.

    By scan and place, whatever study was copied from which: a copy by hand is one as well.
    """
    own = {place_of(truth) for truth in truths}
    others = CaseTruth.objects.filter(scan__in={truth.scan_id for truth in truths}).exclude(case__study=study)
    others = others.exclude(case__study__in=other_phases(study))
    others = others.exclude(case__study__state=StudyState.DRAFT).select_related("case__study")
    shared = [truth for truth in others if place_of(truth) in own]
    known = {place_of(truth) for truth in shared if truth.case.study.stage.terminal}
    people = study.raters.values("user")
    readers = StudyRater.objects.filter(study__in={truth.case.study_id for truth in shared}, user__in=people)
    return {"known_cases": len(known), "earlier_readers": readers.values("user").distinct().count()}
