"""The job that locks a study: stimuli, orders, leak audit of just these; then everything is written at once."""

import secrets
from collections.abc import Callable
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.models import Scan
from ctplatform.datasets.permissions import refuse_without_pixels
from ctplatform.errors import ConflictError
from ctplatform.jobs.registry import JobContext
from readerstudy.auditing.audit import audit_study
from readerstudy.auditing.certificate import outcome_digest
from readerstudy.blinding.repeated_order import shown_again
from readerstudy.design.candidates import flow_counts, is_accepted, root_of
from readerstudy.design.cases import truths_of
from readerstudy.design.feedback import refuse_told_elsewhere
from readerstudy.design.phases import held_with_phases, refuse_after_unblinding, refuse_shown_to_the_same
from readerstudy.design.planned_phase import refuse_known_comparison
from readerstudy.digests import digest_of, storable
from readerstudy.locking.orders import Orders, draw_orders
from readerstudy.locking.protocol import protocol_of
from readerstudy.locking.stimuli import MadeStimuli, frame_of, make_stimuli, remove_folder
from readerstudy.models import (
    Case,
    CaseTruth,
    Presentation,
    Session,
    Stimulus,
    Study,
    StudyRater,
    StudySeal,
    StudyState,
    record,
)
from readerstudy.models.reading import new_token
from readerstudy.permissions import study_of_job

CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 5


def run_lock(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    study, actor = study_of_job(payload, context)
    truths = truths_of(study)
    folder = f"{payload['folder']}/{secrets.token_hex(4)}"
    # An attempt whose worker died left files behind.
    _remove_attempts(payload["folder"])
    context.unless_written(lambda: remove_folder(folder))
    seal = StudySeal(study=study, schedule_seed=secrets.token_hex(16), salt=secrets.token_hex(32))
    orders = draw_orders(study, truths, seed=seal.schedule_seed)
    stimuli = make_stimuli(
        study,
        truths,
        seed=seal.schedule_seed,
        repeated=orders.repeated,
        folder=folder,
        on_progress=_part(context, 0.0, 0.4),
    )
    locking = _Locking(study=study, seal=seal, orders=orders, stimuli=stimuli, folder=folder)
    audit = audit_study(study, put_rows=locking.put_rows, on_progress=_part(context, 0.4, 1.0))
    return lambda: locking.write(audit, job_id=context.job_id, actor=actor)


def _part(context: JobContext, start: float, stop: float) -> Callable[[float, str], None]:
    return lambda done, message: context.progress(start + (stop - start) * done, message)


def forget_lock(payload: dict[str, Any], _reason: str) -> None:
    transaction.on_commit(lambda: _remove_attempts(payload["folder"]))


def _remove_attempts(folder: str) -> None:
    """Remove the stimuli of attempts that did not lock the study."""
    try:
        attempts, _ = default_storage.listdir(folder)
    except FileNotFoundError:
        return
    for attempt in attempts:
        remove_folder(f"{folder}/{attempt}")


class _Locking:
    """What an attempt to lock has computed, and how it is written: for good, or for a rehearsal that is taken back."""

    def __init__(self, *, study: Study, seal: StudySeal, orders: Orders, stimuli: MadeStimuli, folder: str) -> None:
        self.study, self.seal, self.orders, self.folder = study, seal, orders, folder
        self.made, self.slice_bytes = stimuli.made, stimuli.slice_bytes
        # A case that comes twice was made twice.
        self.truths = [made.truth for made in self.made if not made.row.again]
        self.codes = _codes(len(self.truths))
        self.tokens = {number: [new_token() for _ in order] for number, order in orders.by_rater.items()}
        self.session_tokens = {number: new_token() for number in orders.by_rater}

    def put_rows(self) -> None:
        """As the lock will write them, so that the audit sees them in place."""
        held = Study.objects.get(pk=self.study.pk)
        self._write_rows(held)
        self._freeze(held)

    def write(self, audit: dict[str, Any], *, job_id: str, actor: User) -> dict[str, Any]:
        # Before the studies, as a withdrawal holds them, until the study is locked: who withdraws or rejects one, or
        # names another patient, comes before this, or is refused for the lock.
        shown = {truth.scan_id for truth in self.truths}
        roots = {root_of(truth.scan).pk for truth in self.truths}
        held_scans = list(Scan.objects.select_for_update().filter(pk__in=shown | roots).order_by("pk"))
        scans = [scan for scan in held_scans if scan.pk in shown]
        held = held_with_phases(self.study)
        if not held.is_draft or str(held.lock_job_id) != job_id:
            raise ConflictError("The study was locked by another attempt, so this one was dropped.")
        refuse_after_unblinding(held)
        refuse_shown_to_the_same(held, truths_of(held))
        refuse_known_comparison(held)
        refuse_told_elsewhere(held)
        refuse_without_pixels(scans)
        if any(truth.synthetic and not is_accepted(truth.scan) for truth in truths_of(held)):
            raise ConflictError(
                "A synthetic case was rejected while the study was being locked. Remove it, or review it."
            )
        held.leak_audit = audit
        if not audit["passed"]:
            held.save(update_fields=["leak_audit"])
            record(study=held, actor=actor, action="lock refused", leaks=audit["leaks"])
            transaction.on_commit(lambda: remove_folder(self.folder))
            return {"locked": False, "leaks": audit["leaks"]}
        self._write_rows(held)
        self._freeze(held)
        record(
            study=held,
            actor=actor,
            action="locked",
            protocol_digest=held.protocol_digest,
            outcome_digest=outcome_digest(audit, self.seal),
        )
        return {"locked": True, "protocol_digest": held.protocol_digest}

    def _write_rows(self, study: Study) -> None:
        self.seal.save(force_insert=True)
        Stimulus.objects.bulk_create([made.row for made in self.made])
        cases = [truth.case for truth in self.truths]
        for case, code in zip(cases, self.codes, strict=True):
            case.code = code
        Case.objects.bulk_update(cases, ["code"])
        CaseTruth.objects.bulk_update([truth for truth in self.truths if truth.target], ["target"])
        pictures = {(str(made.truth.case_id), made.row.again): made.row for made in self.made}
        for rater in StudyRater.objects.filter(study=study, excluded_at=None):
            session = Session.objects.create(rater=rater, token=self.session_tokens[rater.number])
            order = self.orders.by_rater[rater.number]
            again = set(shown_again(order))
            Presentation.objects.bulk_create(
                Presentation(
                    session=session,
                    position=place // self.orders.images,
                    side=place % self.orders.images,
                    token=self.tokens[rater.number][place],
                    stimulus=pictures[case_id, place in again],
                )
                for place, case_id in enumerate(order)
            )

    def _freeze(self, study: Study) -> None:
        truths = self.truths
        study.flow = {**study.flow, **flow_counts(study), "cases": len(truths)}
        study.schedule_digest = self.orders.digest
        # With all that was left as usual: another version may have another usual.
        task = study.asked.task
        study.task_settings, study.confidence_levels = task.chosen(), task.confidence_levels
        study.further_questions = [item.described() for item in study.asked.questions]
        study.protocol = protocol_of(
            study,
            frame=frame_of(study, truths),
            orders=self.orders,
            seal=self.seal,
            truths=truths,
            slice_bytes=self.slice_bytes,
        )
        study.protocol = storable(study.protocol)
        study.protocol_digest = digest_of(study.protocol)
        study.plan_digest = study.protocol["analysis_plan"]["digest"]
        study.state = StudyState.LOCKED
        study.locked_at = timezone.now()
        study.save()


def _codes(count: int) -> list[str]:
    codes: set[str] = set()
    while len(codes) < count:
        codes.add("".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH)))
    # A set of strings has no order of its own that could follow the cases.
    return list(codes)
