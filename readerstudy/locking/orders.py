"""Every rater's order, and the labels by which it keeps scans and places apart."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ctplatform.errors import DomainError
from readerstudy.blinding.schedule import (
    CaseToOrder,
    Constraints,
    NoOrderError,
    draw_order,
    feasible_constraints,
    schedule_digest,
)
from readerstudy.design.cases import as_candidate
from readerstudy.models import CaseTruth, Study

NEARLY_THE_SAME_PLACE_MM = 10.0


@dataclass(frozen=True, kw_only=True)
class Orders:
    by_rater: dict[int, list[str]]
    constraints: Constraints
    digest: str


def cases_to_order(truths: Sequence[CaseTruth]) -> list[CaseToOrder]:
    cases: list[CaseToOrder] = []
    known: list[tuple[str, np.ndarray, str]] = []  # root scan, place, label
    for truth in sorted(truths, key=lambda truth: str(truth.case_id)):
        root, place = as_candidate(truth).root, np.asarray(truth.place_lps_mm)
        near = [
            label
            for other_root, other, label in known
            if other_root == root and np.linalg.norm(place - other) < NEARLY_THE_SAME_PLACE_MM
        ]
        label = near[0] if near else str(truth.case_id)
        known.append((root, place, label))
        cases.append(CaseToOrder(case_id=str(truth.case_id), synthetic=truth.synthetic, scan=root, place=label))
    return cases


def redrawn_orders(study: Study, truths: Sequence[CaseTruth], *, rater_numbers: Sequence[int]) -> dict[int, list[str]]:
    """The orders of a locked study once more, from its protocol and its sealed seed."""
    constraints = Constraints(**study.protocol["order"]["constraints"])
    seed, cases = int(study.seal.schedule_seed, 16), cases_to_order(truths)
    return {
        number: draw_order(cases, constraints=constraints, seed=seed, rater_number=number) for number in rater_numbers
    }


def draw_orders(study: Study, truths: Sequence[CaseTruth], *, seed: str) -> Orders:
    cases = cases_to_order(truths)
    numbers = sorted(study.raters.filter(excluded_at=None).values_list("number", flat=True))
    asked = Constraints(
        block_size=study.block_size,
        longest_run=study.longest_run,
        scan_distance=study.scan_distance,
        place_distance=study.place_distance,
    )
    whole_seed = int(seed, 16)
    try:
        constraints = feasible_constraints(cases, asked=asked, seed=whole_seed, rater_numbers=numbers)
    except NoOrderError as error:
        raise DomainError(f"No order of the cases fits: {error}. Allow a longer run of one kind.") from error
    by_rater = {
        number: draw_order(cases, constraints=constraints, seed=whole_seed, rater_number=number) for number in numbers
    }
    return Orders(
        by_rater=by_rater,
        constraints=constraints,
        digest=schedule_digest(by_rater, constraints=constraints, seed=whole_seed),
    )
