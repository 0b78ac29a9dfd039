"""What can be seen of every case, and what of it could go with the kind.

*Fixed* must be the same for every case (headers, shape, keys of a JSON and their order); *absent* must be empty for
every case (identifiers of the platform); *blind* may vary but must not go with the kind (tokens, slots, padding, place
in the frame); *content* follows from the lesion's pixels and is reported, not judged. A blind observable is spread into
features, because a leak need not be monotone: parity, both ends against the middle, groups of equal values, single
characters.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Sort = Literal["fixed", "absent", "blind", "content"]
Values = Sequence[float] | Sequence[str]
Features = NDArray[np.float64]

MODULI = (2, 3, 4, 5, 10)
MOST_GROUPS = 12
MOST_POSITIONS = 40
MOST_CHARACTERS = 70


@dataclass(frozen=True, kw_only=True)
class Observable:
    """One thing that can be seen of every case, in the order of the cases. Families are judged together.

    `spread` is false for noisy measures, of which only a shift could be told from noise.
    """

    name: str
    sort: Sort
    values: Values
    family: str = "other"
    spread: bool = True

    @property
    def distinct(self) -> int:
        return len(set(self.values))

    @property
    def numeric(self) -> bool:
        return all(isinstance(value, int | float) for value in self.values)

    def features(self) -> Features:
        """Shape (features, cases); features that are the same for every case are left out."""
        rows = _number_features(self) if self.numeric else _text_features([str(value) for value in self.values])
        table = np.asarray(rows, dtype=np.float64).reshape(-1, len(self.values))
        return table[np.ptp(table, axis=1) > 0] if table.size else table


def ranks(values: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Midranks, 1 for the smallest."""
    return np.asarray(stats.rankdata(np.asarray(values, dtype=np.float64)), dtype=np.float64)


def _number_features(observable: Observable) -> list[NDArray[np.float64]]:
    values = np.asarray(observable.values, dtype=np.float64)
    order = ranks(values)
    middle = (len(values) + 1) / 2
    # Ranks of few cases separate too little, even where each kind has a range of its own; two halves do.
    rows = [order, np.greater(order, middle).astype(np.float64)]
    if not observable.spread:
        return rows
    rows.append(ranks(np.abs(order - middle)))
    if (values == np.rint(values)).all():
        rows += _residues(values)
    return rows + _groups([f"{value!r}" for value in values.tolist()])


def _residues(values: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Which of the residues of 2, 3, 4, 5 and 10 a whole number leaves, and to which pair it belongs."""
    rows = [np.equal(values // 2 % 2, 1).astype(np.float64)]
    for modulus in MODULI:
        rows += [np.equal(values % modulus, rest).astype(np.float64) for rest in range(1 if modulus == 2 else modulus)]
    return rows


def _groups(texts: Sequence[str]) -> list[NDArray[np.float64]]:
    """Membership of each frequent value, and how often a case's value comes."""
    counts = Counter(texts)
    often = np.asarray([counts[text] for text in texts], dtype=np.float64)
    frequent = [text for text, count in counts.most_common(MOST_GROUPS) if count > 1]
    held = np.asarray(texts)
    return [often, *[(held == text).astype(np.float64) for text in frequent]]


def _text_features(texts: Sequence[str]) -> list[NDArray[np.float64]]:
    order = {text: float(rank) for rank, text in enumerate(sorted(set(texts)))}
    rows = [np.asarray([float(len(text)) for text in texts]), np.asarray([order[text] for text in texts])]
    return [*rows, *_groups(texts), *_characters(texts)]


def _characters(texts: Sequence[str]) -> list[NDArray[np.float64]]:
    """Code and its parity at each place from both ends; how often each character comes."""
    width = min(MOST_POSITIONS, max((len(text) for text in texts), default=0))
    codes = np.zeros((len(texts), width))
    for row, text in zip(codes, texts, strict=True):
        kept = text if len(text) <= width else text[: width // 2] + text[-(width - width // 2) :]
        row[: len(kept)] = [ord(character) for character in kept]
    alphabet = [character for character, _ in Counter("".join(texts)).most_common(MOST_CHARACTERS)]
    counts = [np.asarray([float(text.count(character)) for text in texts]) for character in alphabet]
    return [*(ranks(column) for column in codes.T), *(codes.T % 2), *counts]


def number_observable(name: str, values: Sequence[float], *, family: str = "other", spread: bool = True) -> Observable:
    return Observable(name=name, sort="blind", values=[float(value) for value in values], family=family, spread=spread)


def text_observables(name: str, texts: Sequence[str], *, family: str = "other") -> list[Observable]:
    """Names and tokens: of one length, and nothing about the kind in how they read or sort."""
    return [
        Observable(name=f"{name}: length", sort="fixed", values=[float(len(text)) for text in texts], family=family),
        Observable(name=name, sort="blind", values=list(texts), family=family),
    ]


def fixed_observable(name: str, values: Sequence[object], *, family: str = "other") -> Observable:
    return Observable(name=name, sort="fixed", values=[str(value) for value in values], family=family)


def fixed_observables(name: str, payloads: Sequence[Mapping[str, Any]], *, family: str = "other") -> list[Observable]:
    """Every field of the JSON or headers that a browser receives and that must be the same for all cases."""
    fields = sorted({field for payload in payloads for field in payload})
    return [
        fixed_observable(f"{name}: {field}", [payload.get(field, "absent") for payload in payloads], family=family)
        for field in fields
    ]
