"""The job that locks a study: stimuli, orders, leak audit, digests; then everything is written at once."""

import secrets
from collections.abc import Callable
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.errors import ConflictError
from ctplatform.jobs.registry import JobContext
from readerstudy.design.candidates import flow_counts
from readerstudy.design.cases import truths_of
from readerstudy.digests import digest_of
from readerstudy.locking.leak_check import check_for_leaks
from readerstudy.locking.orders import Orders, draw_orders
from readerstudy.locking.protocol import protocol_of
from readerstudy.locking.stimuli import MadeStimulus, frame_of, make_stimuli, remove_folder
from readerstudy.models import (
    Case,
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

CODE_ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
CODE_LENGTH = 5


def run_lock(payload: dict[str, Any], context: JobContext) -> Callable[[], dict[str, Any]]:
    study = Study.objects.get(pk=payload["study"])
    truths = truths_of(study)
    folder = f"{payload['folder']}/{secrets.token_hex(4)}"
    # An attempt whose worker died left files behind.
    _remove_attempts(payload["folder"])
    context.unless_written(lambda: remove_folder(folder))
    seal = StudySeal(study=study, schedule_seed=secrets.token_hex(16), salt=secrets.token_hex(32))
    orders = draw_orders(study, truths, seed=seal.schedule_seed)
    made = make_stimuli(study, truths, folder=folder, on_progress=context.progress)
    context.progress(0.92, "checking for blinding leaks")
    tokens = {number: {case_id: new_token() for case_id in order} for number, order in orders.by_rater.items()}
    audit = check_for_leaks(made, orders=orders.by_rater, tokens=tokens)
    audit["checked_at"] = timezone.now().isoformat()
    locking = _Locking(study=study, seal=seal, orders=orders, made=made, tokens=tokens, audit=audit, folder=folder)
    return lambda: locking.write(job_id=context.job_id, actor=User.objects.get(pk=payload["actor"]))


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
    """What an attempt to lock has computed, and how it is written."""

    def __init__(
        self,
        *,
        study: Study,
        seal: StudySeal,
        orders: Orders,
        made: list[MadeStimulus],
        tokens: dict[int, dict[str, str]],
        audit: dict[str, Any],
        folder: str,
    ) -> None:
        self.study, self.seal, self.orders = study, seal, orders
        self.made, self.tokens, self.audit, self.folder = made, tokens, audit, folder

    def write(self, *, job_id: str, actor: User) -> dict[str, Any]:
        held = Study.objects.select_for_update().get(pk=self.study.pk)
        if not held.is_draft or str(held.lock_job_id) != job_id:
            raise ConflictError("The study was locked by another attempt, so this one was dropped.")
        held.leak_audit = self.audit
        if not self.audit["passed"]:
            held.save(update_fields=["leak_audit"])
            leaking = [finding["name"] for finding in self.audit["findings"] if finding["leak"]]
            record(study=held, actor=actor, action="lock refused", leaks=leaking)
            transaction.on_commit(lambda: remove_folder(self.folder))
            return {"locked": False, "leaks": leaking}
        self._write_rows(held)
        self._freeze(held)
        record(study=held, actor=actor, action="locked", protocol_digest=held.protocol_digest)
        return {"locked": True, "protocol_digest": held.protocol_digest}

    def _write_rows(self, study: Study) -> None:
        self.seal.save(force_insert=True)
        Stimulus.objects.bulk_create([made.row for made in self.made])
        codes = _codes(len(self.made))
        cases = [made.truth.case for made in self.made]
        for case, code in zip(cases, codes, strict=True):
            case.code = code
        Case.objects.bulk_update(cases, ["code"])
        by_case = {str(made.truth.case_id): made.row for made in self.made}
        for rater in StudyRater.objects.filter(study=study, excluded_at=None):
            session = Session.objects.create(rater=rater)
            Presentation.objects.bulk_create(
                Presentation(
                    session=session,
                    position=position,
                    token=self.tokens[rater.number][case_id],
                    stimulus=by_case[case_id],
                )
                for position, case_id in enumerate(self.orders.by_rater[rater.number])
            )

    def _freeze(self, study: Study) -> None:
        truths = [made.truth for made in self.made]
        study.flow = {**study.flow, **flow_counts(study), "cases": len(truths)}
        study.schedule_digest = self.orders.digest
        study.protocol = protocol_of(
            study,
            frame=frame_of(study, truths),
            orders=self.orders,
            seal=self.seal,
            stimuli={str(made.truth.case_id): made.row.digest for made in self.made},
            truths=truths,
        )
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
