"""The rules by which orders were ever drawn, by the name that a protocol keeps. A study is verified by its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from readerstudy.blinding import block_order, free_order, repeated_order, tuple_order
from readerstudy.blinding.schedule import CaseToOrder

Draw = Callable[[Sequence[CaseToOrder], Mapping[str, Any], int, int], list[str]]


def _evenness(constraints: Mapping[str, Any]) -> free_order.Evenness:
    return free_order.Evenness(**{name: constraints[name] for name in ("block_size", "block_slack", "longest_run")})


def _distances(constraints: Mapping[str, Any]) -> free_order.Distances:
    return free_order.Distances(**{name: constraints[name] for name in ("scan_distance", "place_distance")})


def _by_free_order(
    cases: Sequence[CaseToOrder], constraints: Mapping[str, Any], seed: int, rater_number: int
) -> list[str]:
    return free_order.draw_order(
        cases,
        evenness=_evenness(constraints),
        distances=_distances(constraints),
        seed=seed,
        rater_number=rater_number,
    )


def _by_repeated_order(
    cases: Sequence[CaseToOrder], constraints: Mapping[str, Any], seed: int, rater_number: int
) -> list[str]:
    return repeated_order.draw_order(
        cases,
        repeats=repeated_order.Repeats(count=constraints["repeats"], distance=constraints["repeat_distance"]),
        evenness=repeated_order.RepeatedEvenness(
            slots=_evenness(constraints), repeats_slack=constraints["repeats_slack"]
        ),
        distances=_distances(constraints),
        seed=seed,
        rater_number=rater_number,
    )


def _by_block_order(
    cases: Sequence[CaseToOrder], constraints: Mapping[str, Any], seed: int, rater_number: int
) -> list[str]:
    held = block_order.Constraints(**constraints)
    return block_order.draw_order(cases, constraints=held, seed=seed, rater_number=rater_number)


def _by_tuple_order(
    cases: Sequence[CaseToOrder], constraints: Mapping[str, Any], seed: int, rater_number: int
) -> list[str]:
    tuples = tuple_order.Tuples(**{name: constraints[name] for name in ("images", "finds_synthetic", "matched")})
    distances = {name: constraints[name] for name in ("scan_distance", "place_distance")}
    return tuple_order.draw_order(
        tuple_order.composed(cases, tuples, seed=seed),
        side_slack=constraints["side_slack"],
        distances=free_order.Distances(**distances),
        seed=seed,
        rater_number=rater_number,
    )


RULES: dict[str, Draw] = {
    block_order.ALGORITHM: _by_block_order,
    free_order.ALGORITHM: _by_free_order,
    repeated_order.ALGORITHM: _by_repeated_order,
    tuple_order.ALGORITHM: _by_tuple_order,
}
