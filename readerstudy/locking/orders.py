"""Every rater's order, and the labels by which it keeps scans and places apart."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ctplatform.errors import DomainError
from readerstudy.blinding import free_order, repeated_order, tuple_order
from readerstudy.blinding.free_order import Distances
from readerstudy.blinding.repeated_order import Repeats, shown_again
from readerstudy.blinding.rules import RULES
from readerstudy.blinding.schedule import CaseToOrder, NoOrderError, schedule_digest
from readerstudy.design.cases import as_candidate
from readerstudy.models import CaseTruth, Study

NEARLY_THE_SAME_PLACE_MM = 10.0


@dataclass(frozen=True, kw_only=True)
class Orders:
    """Case ids; `images` in a row are shown together, from the left."""

    algorithm: str
    by_rater: dict[int, list[str]]
    constraints: dict[str, int | float]
    told_bits: float
    digest: str
    images: int

    @property
    def repeated(self) -> set[str]:
        """The cases that come twice to some rater."""
        return {order[slot] for order in self.by_rater.values() for slot in shown_again(order)}


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
        cases.append(
            CaseToOrder(
                case_id=str(truth.case_id),
                synthetic=truth.synthetic,
                scan=root,
                place=label,
                pair=truth.pair,
                control=truth.control,
            )
        )
    return cases


def redrawn_orders(study: Study, truths: Sequence[CaseTruth], *, rater_numbers: Sequence[int]) -> dict[int, list[str]]:
    """The orders of a locked study once more, from its protocol, the rule it names and its sealed seed."""
    frozen, seed, cases = study.protocol["order"], int(study.seal.schedule_seed, 16), cases_to_order(truths)
    draw = RULES[frozen["algorithm"]]
    return {number: draw(cases, frozen["constraints"], seed, number) for number in rater_numbers}


def draw_orders(study: Study, truths: Sequence[CaseTruth], *, seed: str) -> Orders:
    cases, whole_seed = cases_to_order(truths), int(seed, 16)
    numbers = sorted(study.raters.filter(excluded_at=None).values_list("number", flat=True))
    rule = _of_trials if study.asked.task.images > 1 else _with_repeats if study.repeats else _without_repeats
    try:
        held = rule(study, cases, whole_seed, numbers)
    except NoOrderError as error:
        raise DomainError(f"No order of the cases fits: {error}. Draw the cases anew.") from error
    draw = RULES[held.algorithm]
    by_rater = {number: draw(cases, held.constraints, whole_seed, number) for number in numbers}
    return Orders(
        algorithm=held.algorithm,
        by_rater=by_rater,
        constraints=held.constraints,
        told_bits=round(held.told_bits, 2),
        digest=schedule_digest(by_rater, algorithm=held.algorithm, constraints=held.constraints, seed=whole_seed),
        images=study.asked.task.images,
    )


@dataclass(frozen=True, kw_only=True)
class _Held:
    """A rule of orders with the constraints under which every rater gets one."""

    algorithm: str
    constraints: dict[str, int | float]
    told_bits: float


def _without_repeats(study: Study, cases: list[CaseToOrder], seed: int, numbers: Sequence[int]) -> _Held:
    kinds, raters = [case.synthetic for case in cases], len(numbers)
    evenness = free_order.evenness_within_budget(
        kinds, asked_run=study.longest_run, block_size=study.block_size, raters=raters
    )
    distances = free_order.feasible_distances(
        cases, evenness=evenness, asked=_asked(study), seed=seed, rater_numbers=numbers
    )
    return _Held(
        algorithm=free_order.ALGORITHM,
        constraints={**asdict(evenness), **asdict(distances)},
        told_bits=free_order.told_bits(kinds, evenness=evenness, raters=raters),
    )


def _with_repeats(study: Study, cases: list[CaseToOrder], seed: int, numbers: Sequence[int]) -> _Held:
    kinds, raters = [case.synthetic for case in cases], len(numbers)
    repeats = Repeats(count=study.repeats, distance=study.repeat_distance)
    evenness = repeated_order.evenness_within_budget(
        kinds, repeats=repeats, asked_run=study.longest_run, block_size=study.block_size, raters=raters
    )
    distances = repeated_order.feasible_distances(
        cases, repeats=repeats, evenness=evenness, asked=_asked(study), seed=seed, rater_numbers=numbers
    )
    return _Held(
        algorithm=repeated_order.ALGORITHM,
        constraints={
            **asdict(evenness.slots),
            **asdict(distances),
            "repeats": repeats.count,
            "repeat_distance": repeats.distance,
            "repeats_slack": evenness.repeats_slack,
        },
        told_bits=repeated_order.told_bits(kinds, repeats=repeats, evenness=evenness, raters=raters),
    )


def _of_trials(study: Study, cases: list[CaseToOrder], seed: int, numbers: Sequence[int]) -> _Held:
    task, raters = study.asked.task, len(numbers)
    tuples = tuple_order.Tuples(**task.put_together())
    trials = tuple_order.composed(cases, tuples, seed=seed)
    slack = tuple_order.side_slack_within_budget(trials=len(trials), images=task.images, raters=raters)
    distances = tuple_order.feasible_distances(
        trials, side_slack=slack, asked=_asked(study), seed=seed, rater_numbers=numbers
    )
    return _Held(
        algorithm=tuple_order.ALGORITHM,
        constraints=tuple_order.constraints_of(tuples, distances, side_slack=slack),
        told_bits=tuple_order.told_bits(trials=len(trials), images=task.images, side_slack=slack, raters=raters),
    )


def _asked(study: Study) -> Distances:
    return Distances(scan_distance=study.scan_distance, place_distance=study.place_distance)
