"""What is frozen at the lock. Nothing in it tells about a single case: truth, pixels, slots are salted digests."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from readerstudy.auditing.certificate import open_part
from readerstudy.blinding.cutting import PHASE_ALGORITHM, Frame
from readerstudy.blinding.grain import ALGORITHM as GRAIN_ALGORITHM
from readerstudy.blinding.wire import GRADIENT
from readerstudy.design.following import frozen_following
from readerstudy.design.likeness import sealed_match
from readerstudy.design.matching import ALGORITHM as DRAW_ALGORITHM
from readerstudy.design.phases import frozen_phase
from readerstudy.hounsfield import HU_HIGH, HU_LOW
from readerstudy.locking.orders import Orders
from readerstudy.locking.repeated import repeated
from readerstudy.locking.sealed_tables import SCHEMA, sealed_digests
from readerstudy.locking.stimuli import round_trip_of
from readerstudy.models import CaseTruth, Feedback, Study, StudySeal
from readerstudy.planning.arrival import frozen_policy
from readerstudy.planning.plans import frozen_form
from readerstudy.tasks.labels import ENGLISH

ASKED_OF_ORDERS = ("block_size", "longest_run", "scan_distance", "place_distance")
ASKED_OF_REPEATS = ("repeats", "repeat_distance")


def protocol_of(
    study: Study,
    *,
    frame: Frame,
    orders: Orders,
    seal: StudySeal,
    truths: Sequence[CaseTruth],
    slice_bytes: int,
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "study": str(study.pk),
        "title": study.title,
        "template": str(study.template),
        **({"language": study.language} if study.language != ENGLISH else {}),
        "question": study.question,
        "instructions": study.instructions,
        **frozen_following(study),
        **frozen_phase(study, truths),
        **study.asked.task.frozen(),
        **({"further_questions": study.further_questions} if study.further_questions else {}),
        **({"end_question": study.end_question} if study.end_question else {}),
        **({"feedback": str(study.feedback)} if study.feedback != Feedback.NONE else {}),
        "display": _display(study, frame, slice_bytes=slice_bytes),
        "cases": _cases(study, truths),
        "raters": _raters(study),
        "order": _order(study, orders),
        "display_check": str(study.display_check),
        "going_back": str(study.going_back),
        "unblinding_by_two": study.unblinding_by_two,
        "sealed": sealed_digests(study, salt=seal.salt, schema=SCHEMA),
        "arrival": frozen_policy(study),
        "leak_audit": open_part(study.leak_audit) if study.leak_audit else {},
        "analysis_plan": frozen_form(study),
    }


def _display(study: Study, frame: Frame, *, slice_bytes: int) -> dict[str, Any]:
    return {
        "mode": str(study.display_mode),
        "field_of_view_mm": study.field_of_view_mm,
        "window_hu": {"center": study.window_center_hu, "width": study.window_width_hu},
        "window_may_stay": study.window_may_stay,
        "size_zyx": list(frame.size_zyx),
        "spacing_zyx_mm": list(frame.spacing_zyx_mm),
        "resampled": frame.resampled,
        "phases": PHASE_ALGORITHM if frame.resampled else None,
        "hu_range": [HU_LOW, HU_HIGH],
        "round_trip": asdict(round_trip_of(study)),
        **({"grain": GRAIN_ALGORITHM} if study.repeats else {}),
        "samples": GRADIENT,
        "slice_bytes": slice_bytes,
    }


def _cases(study: Study, truths: Sequence[CaseTruth]) -> dict[str, Any]:
    return {
        "count": len(truths),
        "planned": study.cases_planned,
        "synthetic": sum(truth.synthetic and not truth.control for truth in truths),
        "positive_controls": sum(truth.control for truth in truths),
        "draw": DRAW_ALGORITHM,
        "draw_seed": study.seed,
        "diameter_limits_mm": [study.diameter_min_mm, study.diameter_max_mm],
        "twins_allowed": study.twins_allowed,
        "match": sealed_match(study.match_report),
        "flow": study.flow,
        "repeated": repeated(study, truths),
    }


def _raters(study: Study) -> list[dict[str, Any]]:
    return [
        {
            "number": rater.number,
            "account": rater.user_id,
            "username": rater.user.username,
            "simulated": rater.user.is_simulated,
            # What the results are looked at by is fixed with the plan, whatever an account says later.
            "experience_years": rater.user.experience_years,
            **({"group": rater.group} if rater.group else {}),
            **({"program": rater.user.as_program.as_json()} if rater.user.as_program else {}),
        }
        for rater in study.raters.select_related("user__program")
    ]


def _order(study: Study, orders: Orders) -> dict[str, Any]:
    asked = (*ASKED_OF_ORDERS, *(ASKED_OF_REPEATS if study.repeats else ()))
    return {
        "algorithm": orders.algorithm,
        "asked": {name: getattr(study, name) for name in asked},
        "constraints": orders.constraints,
        "told_bits_at_most": orders.told_bits,
        "digest": orders.digest,
    }
