"""Do raters (or groups) differ: tests on the same cases, and groups of raters pooled."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from scipy import stats

from readerstudy.analysis.estimate import ArrayLike, MatrixLike, as_matrix, as_vector, is_rated
from readerstudy.analysis.rater.proportions import exact_binomial


@dataclass(frozen=True, kw_only=True)
class ChiSquareTest:
    """A chi-square statistic with its p-value, None with a `reason` when undefined."""

    statistic: float | None
    df: int
    p: float | None = None
    reason: str | None = None


def cochran_q(*, correct: MatrixLike) -> ChiSquareTest:
    """Cochran's Q over raters who read the same cases; cases with a missing reading are left out.

    `correct` (cases, raters) 1/0. Source: Cochran, Biometrika 1950;37:256.
    """
    matrix = as_matrix(correct)
    kept = matrix[is_rated(matrix).all(axis=1)]
    raters = matrix.shape[1]
    rows, columns = kept.sum(axis=1), kept.sum(axis=0)
    below = float((rows * (raters - rows)).sum())
    if raters < 2 or below == 0:
        return ChiSquareTest(statistic=None, df=max(raters - 1, 0), reason="no case divides the raters")
    statistic = float((raters - 1) * raters * ((columns - columns.mean()) ** 2).sum() / below)
    return ChiSquareTest(statistic=statistic, df=raters - 1, p=float(stats.chi2.sf(statistic, raters - 1)))


@dataclass(frozen=True, kw_only=True)
class McNemar:
    """Paired comparison: `n10` only the first was right, `n01` only the second; chi-squares None without either."""

    n10: int
    n01: int
    p_exact: float | None
    chi_square: float | None = None
    p_chi_square: float | None = None
    chi_square_corrected: float | None = None
    p_corrected: float | None = None


def mcnemar(*, n10: int, n01: int) -> McNemar:
    """McNemar's test of two discordant counts: exact, chi-square and chi-square with continuity correction.

    Source: McNemar 1947; Edwards 1948 (correction). Without discordant cases the exact p is 1.
    """
    total = n10 + n01
    if total == 0:
        return McNemar(n10=0, n01=0, p_exact=1.0)
    plain = (n10 - n01) ** 2 / total
    corrected = max(abs(n10 - n01) - 1, 0) ** 2 / total
    return McNemar(
        n10=n10,
        n01=n01,
        p_exact=exact_binomial(successes=n10, trials=total).p_central,
        chi_square=plain,
        p_chi_square=float(stats.chi2.sf(plain, 1)),
        chi_square_corrected=corrected,
        p_corrected=float(stats.chi2.sf(corrected, 1)),
    )


def pairwise_mcnemar(*, correct: MatrixLike) -> dict[tuple[int, int], McNemar]:
    """McNemar's test of every pair of raters (columns), each over the cases that both read."""
    matrix = as_matrix(correct)
    return {
        (i, j): mcnemar(
            n10=int(((matrix[:, i] == 1) & (matrix[:, j] == 0)).sum()),
            n01=int(((matrix[:, i] == 0) & (matrix[:, j] == 1)).sum()),
        )
        for i, j in combinations(range(matrix.shape[1]), 2)
    }


def compare_groups(*, correct: ArrayLike, n: ArrayLike) -> ChiSquareTest:
    """Chi-square test that groups of readings have the same accuracy (`prop.test` without correction).

    `correct` and `n` (groups,). Readings are taken as independent, so for readers of the same cases it is only a
    description.
    """
    hits, trials = as_vector(correct), as_vector(n)
    table = np.array([hits, trials - hits])
    if len(hits) < 2 or (trials == 0).any() or (table.sum(axis=1) == 0).any():
        return ChiSquareTest(statistic=None, df=max(len(hits) - 1, 0), reason="a group or an outcome is empty")
    expected = np.outer(table.sum(axis=1), trials) / trials.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    return ChiSquareTest(statistic=statistic, df=len(hits) - 1, p=float(stats.chi2.sf(statistic, len(hits) - 1)))
