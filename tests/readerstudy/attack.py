"""Somebody who wants the truth of a sealed study: fetches what a person can fetch, and gives it to a solver."""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from html import unescape

import numpy as np
from ortools.sat.python import cp_model

from tests.readerstudy.told import texts_of

SOLUTIONS = 15
DEALS = 20_000
# Lists are sorted and filtered by what stands behind the question mark: of one page so many ways are looked at.
MOST_QUERIES = 12
# Nobody's platform has as many addresses: whoever gets here goes round in circles.
TOO_MANY = 4_000
# In pages and in JSON, of this server.
LINK = re.compile(r'["\'](/[^"\'#\s<>{}]*)["\'#]')
# Columns that are alike for all raters without naming a case.
NO_NAME_OF_A_CASE = {"position"}


@dataclass
class Known:
    """`slots`: by rater the name of the case in each slot, the same name for what is known to be the same case.

    `aucs`: by rater what is known of how slots rank the kinds, as lowest and highest AUC of the synthetic cases.
    `halved`: names of which as many are of one kind as of the other. `alike`: of a measure that is known of every name
    half of how many others it lies above, less half of how many it lies below; and the largest distance of its AUC
    from one half.
    """

    slots: dict[int, list[str]]
    aucs: dict[int, tuple[float, float]] = field(default_factory=dict)
    halved: list[list[str]] = field(default_factory=list)
    alike: list[tuple[dict[str, float], float]] = field(default_factory=list)

    def of_raters(self, numbers):
        kept = set(numbers)
        return replace(
            self,
            slots={number: slots for number, slots in self.slots.items() if number in kept},
            aucs={number: auc for number, auc in self.aucs.items() if number in kept},
        )


@dataclass(frozen=True)
class Rule:
    """What is public of how orders are drawn; `exact` when a block's count follows from the class shares."""

    block_size: int
    slack: float
    longest_run: int
    exact: bool


@dataclass
class Outcome:
    certain: dict[str, bool]
    vote: dict[str, bool]

    def share_right(self, truth):
        """Of all cases, with the complement allowed: who knows all but which kind is which knows nearly all."""
        right = np.mean([self.vote[name] == truth[name] for name in self.vote])
        return max(right, 1 - right)


def solve(known: Known, rule: Rule) -> Outcome:
    """Everything that follows with certainty, and a vote of random truths that fit all that is known."""
    model = cp_model.CpModel()
    names = sorted({name for slots in known.slots.values() for name in slots})
    synthetic = {name: model.new_bool_var(name) for name in names}
    for number, slots in known.slots.items():
        _add_order(model, [synthetic[name] for name in slots], rule)
        if number in known.aucs:
            _add_auc(model, [synthetic[name] for name in slots], *known.aucs[number])
    for group in known.halved:
        model.add(2 * sum(synthetic[name] for name in group) == len(group))
    for above, reach in known.alike:
        # What lies within the synthetic ones goes away: each pair is once above and once below.
        twice = sum(int(2 * above[name]) * synthetic[name] for name in names)
        most = int(2 * reach * (len(names) // 2) ** 2)
        model.add(twice <= most)
        model.add(twice >= -most)
    found = [_solution(model, synthetic, seed) for seed in range(SOLUTIONS)]
    certain = {}
    for name in names:
        values = {solution[name] for solution in found}
        if len(values) == 1 and not _possible(model, synthetic[name], value=not min(values)):
            certain[name] = values.pop()
    vote = {name: sum(solution[name] for solution in found) * 2 > SOLUTIONS for name in names}
    return Outcome(certain, vote)


def _add_order(model, kinds, rule):
    half = len(kinds) // 2
    model.add(sum(kinds) == half)
    for start in range(0, len(kinds), rule.block_size):
        stop = min(start + rule.block_size, len(kinds))
        block, share = kinds[start:stop], (stop - start) / 2
        if rule.exact:
            model.add(sum(block) == half * stop // len(kinds) - half * start // len(kinds))
        else:
            model.add(2 * sum(block) >= int(np.ceil(2 * (share - rule.slack))))
            model.add(2 * sum(block) <= int(np.floor(2 * (share + rule.slack))))
    for start in range(len(kinds) - rule.longest_run):
        window = kinds[start : start + rule.longest_run + 1]
        model.add_bool_or(window)
        model.add_bool_or([kind.negated() for kind in window])


def _add_auc(model, kinds, lowest, highest):
    half = len(kinds) // 2
    rank_sum = sum((slot + 1) * kind for slot, kind in enumerate(kinds))
    offset = half * (half + 1) / 2
    model.add(rank_sum >= int(np.ceil(lowest * half * half + offset - 1e-6)))
    model.add(rank_sum <= int(np.floor(highest * half * half + offset + 1e-6)))


def _solution(model, synthetic, seed):
    random = np.random.default_rng(seed)
    weights = random.integers(-100, 101, len(synthetic))
    model.maximize(sum(int(weight) * kind for weight, kind in zip(weights, synthetic.values(), strict=True)))
    solver = _solver(seed)
    # Any truth that fits will do; the best one for these weights is not needed.
    solver.parameters.max_deterministic_time = 1
    assert solver.solve(model) in {cp_model.OPTIMAL, cp_model.FEASIBLE}
    return {name: bool(solver.value(kind)) for name, kind in synthetic.items()}


def _possible(model, kind, *, value):
    model.clear_objective()
    model.add_assumption(kind if value else kind.negated())
    try:
        return _solver(0).solve(model) != cp_model.INFEASIBLE
    finally:
        model.clear_assumptions()


def _solver(seed):
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    solver.parameters.random_seed = seed
    solver.parameters.max_time_in_seconds = 20
    return solver


def luck_of(vote, cases, kinds, halved=()):
    """How often a vote, or its complement, fits a truth as well that was dealt anew, as far as the truth is not known.

    `cases`: by name which of the `kinds` it is about; `halved`: of which of them it is known how many are synthetic.
    """
    random, kinds = np.random.default_rng(5), np.asarray(kinds)
    dealt = np.tile(kinds, (DEALS, 1))
    for group in halved or [range(len(kinds))]:
        dealt[:, list(group)] = random.permuted(dealt[:, list(group)], axis=1)
    about, voted = np.array([cases[name] for name in vote]), np.array(list(vote.values()))
    right = [np.abs((truths[..., about] == voted).mean(axis=-1) - 0.5) for truths in (kinds, dealt)]
    return (1 + (right[1] >= right[0] - 1e-9).sum()) / (1 + DEALS)


# What a person can fetch.


def crawl(client, starts):
    """Every page, file and answer of the API that is reached from `starts` by links; address to (type, text)."""
    waiting, fetched, queries = list(starts), {}, Counter()
    seen = set()
    while waiting:
        url = waiting.pop()
        path = url.split("?")[0]
        if url in seen or "logout" in url or queries[path] == MOST_QUERIES:
            continue
        seen.add(url)
        queries[path] += 1
        assert len(seen) < TOO_MANY
        response = client.get(url)
        content = b"".join(response.streaming_content) if response.streaming else response.content
        for address, content_type, text in texts_of(url, response.get("Content-Type", ""), content):
            fetched[address] = content_type, text
            waiting += [unescape(link) for link in LINK.findall(text)]
        waiting += [link for link in [response.headers.get("Location", "")] if link.startswith("/")]
    return fetched


def known_from(fetched):
    """What of it speaks of slots and cases."""
    tables = [rows for content_type, text in fetched.values() for rows in _rating_tables(content_type, text)]
    known = Known({})
    for rows in tables:
        known.slots |= _slots_of(rows)
    for _, text in fetched.values():
        for number, auc in _aucs_in(" ".join(text.split())):
            known.aucs[number] = (auc - 0.005, auc + 0.005)
    return known


def _rating_tables(content_type, text):
    if content_type.startswith("application/json"):
        content = json.loads(text)
        if isinstance(content, dict) and content.get("ratings"):
            yield content["ratings"]
    elif content_type.startswith("text/csv"):
        lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
        rows = list(csv.DictReader(io.StringIO("".join(lines))))
        if rows and "rater" in rows[0]:
            yield rows


def _slots_of(rows):
    """A column that has the same values for every rater names the cases; without one each slot is by itself."""
    by_rater = defaultdict(list)
    for row in rows:
        by_rater[int(row["rater"])].append(row)
    linking = [
        column
        for column in rows[0]
        if column not in NO_NAME_OF_A_CASE
        and all(len({str(row[column]) for row in own}) == len(own) for own in by_rater.values())
        and len({frozenset(str(row[column]) for row in own) for own in by_rater.values()}) == 1
    ]
    slots = {}
    for number, own in by_rater.items():
        in_order = sorted(own, key=lambda row: int(row["position"]))
        slots[number] = [
            str(row[linking[0]]) if linking else f"rater {number}, slot {row['position']}" for row in in_order
        ]
    return slots


def _aucs_in(text):
    """Figures of the orders on the page of the leak check."""
    for row in re.findall(r"<tr>.*?</tr>", text):
        cells = [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<td[^>]*>(.*?)</td>", row)]
        named = re.match(r"slot, rater (\d+)", cells[0]) if cells else None
        figures = [cell for cell in cells if re.fullmatch(r"0\.\d\d", cell)]
        if named and figures:
            yield int(named[1]), float(figures[0])
