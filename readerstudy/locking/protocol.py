"""What is frozen at the lock. Nothing in it tells about a single case: truth and pixels stand as salted digests."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from readerstudy.blinding.cutting import HU_HIGH, HU_LOW, Frame
from readerstudy.blinding.schedule import ALGORITHM
from readerstudy.digests import digest_of
from readerstudy.locking.orders import Orders
from readerstudy.models import CaseTruth, Study, StudySeal
from readerstudy.planning.plans import frozen_form

SCHEMA = "turing-ward-protocol/1"


def protocol_of(
    study: Study,
    *,
    frame: Frame,
    orders: Orders,
    seal: StudySeal,
    stimuli: Mapping[str, str],
    truths: Sequence[CaseTruth],
) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "study": str(study.pk),
        "title": study.title,
        "template": str(study.template),
        "question": study.question,
        "instructions": study.instructions,
        "answers": ["real", "synthetic"],
        "confidence_levels": study.confidence_levels,
        "display": {
            "mode": str(study.display_mode),
            "field_of_view_mm": study.field_of_view_mm,
            "window_hu": {"center": study.window_center_hu, "width": study.window_width_hu},
            "size_zyx": list(frame.size_zyx),
            "spacing_zyx_mm": list(frame.spacing_zyx_mm),
            "resampled": frame.resampled,
            "hu_range": [HU_LOW, HU_HIGH],
        },
        "cases": {
            "count": len(truths),
            "synthetic": sum(truth.synthetic for truth in truths),
            "draw_seed": study.seed,
            "diameter_limits_mm": [study.diameter_min_mm, study.diameter_max_mm],
            "match": study.match_report,
            "flow": study.flow,
        },
        "raters": [
            {"number": rater.number, "username": rater.user.username, "simulated": rater.user.is_simulated}
            for rater in study.raters.select_related("user")
        ],
        "order": {
            "algorithm": ALGORITHM,
            "asked": {"scan_distance": study.scan_distance, "place_distance": study.place_distance},
            "constraints": asdict(orders.constraints),
            "digest": orders.digest,
        },
        "sealed": {
            "truth_digest": digest_of([seal.salt, truth_table(truths)]),
            "stimuli_digest": digest_of([seal.salt, dict(stimuli)]),
        },
        "leak_audit": study.leak_audit,
        "analysis_plan": frozen_form(study),
    }


def truth_table(truths: Sequence[CaseTruth]) -> dict[str, Any]:
    return {
        str(truth.case_id): [truth.synthetic, str(truth.scan_id), truth.place_lps_mm]
        for truth in sorted(truths, key=lambda truth: str(truth.case_id))
    }
