"""The leak audit of one study: walk, read back, judge; and how its outcome is kept."""

from collections.abc import Callable, Sequence
from typing import Any

from django.utils import timezone

from readerstudy.auditing.anatomy import anatomy_observables
from readerstudy.auditing.by_arm import leaks_by_arm
from readerstudy.auditing.rehearsal import PutRows, Sitting, rehearsed, trials_of
from readerstudy.auditing.served import served_observables
from readerstudy.auditing.stored import read_back, stored_observables
from readerstudy.auditing.walk import walk
from readerstudy.blinding import leaks
from readerstudy.blinding.measures import measure_observables
from readerstudy.design.candidates import fetch_ancestors
from readerstudy.design.cases import arm_of, as_candidate
from readerstudy.models import AuditEntry, Stimulus, Study, StudySeal, StudyState

Progress = Callable[[float, str], None]


def audit_study(study: Study, *, on_progress: Progress, put_rows: PutRows = lambda: None) -> dict[str, Any]:
    """What `leaks.audit` says of all that raters and team can see. `put_rows`: see `rehearsal.rehearsed`."""
    with rehearsed(study.pk, put_rows=put_rows):
        stimuli = list(
            Stimulus.objects.filter(case__study=study).select_related("case__truth__scan__dataset").order_by("key")
        )
        seed = StudySeal.objects.get(study=study).schedule_seed if study.repeats else ""
    read = read_back(stimuli, grain_seed=seed, on_progress=lambda done, message: on_progress(0.2 * done, message))
    stored = [one for one in read if not one.stimulus.again]
    copies = {str(one.stimulus.case_id): one for one in read if one.stimulus.again}
    truths = [one.stimulus.case.truth for one in stored]
    fetch_ancestors(truth.scan for truth in truths)
    walked = walk(study.pk, put_rows=put_rows, on_progress=lambda done, said: on_progress(0.2 + 0.7 * done, said))
    on_progress(0.92, "judging what was seen")
    together = _shown_together(walked.sittings, [str(truth.case_id) for truth in truths])
    outcome = leaks.audit(
        [
            *stored_observables(stored, copies, walked.sittings, twins_allowed=study.twins_allowed),
            *anatomy_observables([as_candidate(truth) for truth in truths]),
            *served_observables(walked, read),
        ],
        synthetic=[truth.synthetic for truth in truths],
        together=together,
    )
    measured = measure_observables([one.measures for one in stored])
    by_arm = leaks_by_arm(measured, [arm_of(truth) for truth in truths], together=together)
    return {
        **outcome,
        "passed": outcome["passed"] and not by_arm,
        "leaks": [*outcome["leaks"], *by_arm],
        "leaks_by_arm": by_arm,
        "requests": walked.requests,
        "raters": len(walked.sittings),
        "checked_at": timezone.now().isoformat(),
        "attempts": attempts_to_lock(study),
    }


def _shown_together(sittings: Sequence[Sitting], cases: Sequence[str]) -> list[int] | None:
    """Per case the number of its trial, the same for every rater; None where each image is shown alone."""
    trials = trials_of(sittings[0].slots) if sittings else []
    if all(len(trial) == 1 for trial in trials):
        return None
    number = {slot.case_id: number for number, trial in enumerate(trials) for slot in trial}
    return [number[case] for case in cases]


def attempts_to_lock(study: Study) -> int:
    """How often the lock was ordered, the attempt at work included: a refused one that is ordered again counts.

    So do those of all drafts that were copied from one another, as far as they never came to be locked.
    """
    first = study
    passed = {study.pk}
    while first.copied_from is not None and first.copied_from.is_draft and first.copied_from_id not in passed:
        first = first.copied_from
        passed.add(first.pk)
    drafts = generation = {first.pk}
    while generation:
        copies = Study.objects.filter(copied_from__in=generation, state=StudyState.DRAFT)
        generation = set(copies.values_list("pk", flat=True)) - drafts
        drafts = drafts | generation
    return AuditEntry.objects.filter(study__in={*drafts, study.pk}, action="lock ordered").count()
