"""Linear mixed model by REML with any grouping factors (crossed or nested) and Satterthwaite degrees of freedom.

Source: Bates et al., J Stat Softw 2015;67(1) (profiled REML criterion); Kuznetsova et al., J Stat Softw 2017;82(13)
(Satterthwaite from numeric derivatives).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import log, pi

import numpy as np
import numpy.typing as npt
from scipy import stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, MatrixLike, as_matrix, as_vector
from readerstudy.analysis.numeric import minimise, numeric_gradient, numeric_hessian

# Relative standard deviations below this are on the boundary.
SINGULAR_BELOW = 1e-4


@dataclass(frozen=True, kw_only=True)
class RandomTerm:
    """Random effects of one grouping factor: `design` (n, k) columns vary by `groups` (n,), correlated within."""

    groups: FloatArray
    design: FloatArray


def random_intercept(groups: ArrayLike) -> RandomTerm:
    """Random intercept by `groups` (n,)."""
    labels = as_vector(groups)
    return RandomTerm(groups=labels, design=np.ones((len(labels), 1)))


@dataclass(frozen=True, kw_only=True)
class MixedLinear:
    """Fixed effects with t tests, covariance of each random term and the residual standard deviation.

    `random_sd[i]` are the standard deviations of term i's columns, `random_correlation[i]` their correlations. Empty
    with a `reason` when the model cannot be fitted.
    """

    coefficients: tuple[float, ...] = ()
    se: tuple[float, ...] = ()
    df: tuple[float | None, ...] = ()
    t: tuple[float, ...] = ()
    p: tuple[float, ...] = ()
    random_sd: tuple[tuple[float, ...], ...] = ()
    random_correlation: tuple[FloatArray, ...] = ()
    residual_sd: float | None = None
    reml_deviance: float | None = None
    singular: bool = False
    reason: str | None = None


def _columns(term: RandomTerm, codes: npt.NDArray[np.intp]) -> FloatArray:
    """One column (n,) for every effect of a term, those of a group side by side."""
    block = np.zeros((len(codes), int(codes.max()) + 1, term.design.shape[1]))
    block[np.arange(len(codes)), codes] = term.design
    return block.reshape(len(codes), -1)


def _summed(values: FloatArray, codes: npt.NDArray[np.intp]) -> FloatArray:
    """Sums of `values` (n, ...) by group."""
    total = np.zeros((int(codes.max()) + 1, *values.shape[1:]))
    np.add.at(total, codes, values)
    return total


class _Profile:
    """Cross products of the data, and the REML criterion as a function of the relative covariance factors.

    The groups of the term with the most effects (usually the cases) meet only within themselves: they are eliminated
    group by group, and what is left is as small as the other terms. A dense system of all effects took a hundred times
    as long, and with several threads of BLAS on busy cores a minute.
    """

    def __init__(self, response: FloatArray, design: FloatArray, terms: Sequence[RandomTerm]) -> None:
        self.terms = terms
        codes = [np.unique(term.groups, return_inverse=True)[1] for term in terms]
        self.levels = [int(code.max()) + 1 for code in codes]
        effects = [levels * term.design.shape[1] for levels, term in zip(self.levels, terms, strict=True)]
        self.most = int(np.argmax(effects))
        others = [_columns(term, code) for term, code in zip(terms, codes, strict=True)]
        own, code = terms[self.most].design, codes[self.most]
        del others[self.most]
        right = np.column_stack([*others, design, response])
        self.within = _summed(own[:, :, None] * own[:, None, :], code)
        self.across = _summed(own[:, :, None] * right[:, None, :], code)
        self.rest = right.T @ right
        self.n, self.p = design.shape
        self.yy = float(response @ response)

    def factors(self, theta: FloatArray) -> list[FloatArray]:
        """Relative Cholesky factor of every term, lower triangular."""
        found, used = [], 0
        for term in self.terms:
            k = term.design.shape[1]
            count = k * (k + 1) // 2
            one = np.zeros((k, k))
            one[np.tril_indices(k)] = theta[used : used + count]
            used += count
            found.append(one)
        return found

    def with_positive_diagonal(self, theta: FloatArray) -> FloatArray:
        """Return the same covariance factors with columns turned so that no diagonal is negative."""
        turned = [one * np.where(np.diag(one) < 0, -1.0, 1.0) for one in self.factors(theta)]
        return np.concatenate([one[np.tril_indices(len(one))] for one in turned])

    def solve(self, theta: FloatArray) -> tuple[FloatArray, FloatArray, float, float]:
        """Return fixed effects, their relative precision, the penalised sum of squares and log-determinants."""
        factors = self.factors(theta)
        own = factors[self.most]
        roots = np.linalg.cholesky(own.T @ self.within @ own + np.eye(len(own)))
        out = np.linalg.solve(roots, own.T @ self._scaled(self.across, factors)).reshape(-1, len(self.rest))
        left = self._scaled(self._scaled(self.rest, factors).T, factors) - out.T @ out
        others = len(left) - self.p - 1
        root = np.linalg.cholesky(left[:others, :others] + np.eye(others))
        right = np.linalg.solve(root, left[:others, others:])
        fixed = left[others:, others:] - right.T @ right
        precision, pulled = fixed[: self.p, : self.p], fixed[: self.p, self.p]
        beta = np.linalg.solve(precision, pulled)
        determinants = 2 * float(np.log(np.diagonal(roots, axis1=1, axis2=2)).sum() + np.log(np.diag(root)).sum())
        return (
            beta,
            precision,
            float(fixed[self.p, self.p] - beta @ pulled),
            determinants + float(np.linalg.slogdet(precision)[1]),
        )

    def _scaled(self, table: FloatArray, factors: Sequence[FloatArray]) -> FloatArray:
        """Multiply the columns of all terms but the eliminated one, which stand first, by their factors."""
        scaled, used = table.copy(), 0
        for number, (factor, levels) in enumerate(zip(factors, self.levels, strict=True)):
            if number != self.most:
                columns = slice(used, used + levels * len(factor))
                shape = (*table.shape[:-1], levels, len(factor))
                scaled[..., columns] = (table[..., columns].reshape(shape) @ factor).reshape(*table.shape[:-1], -1)
                used = columns.stop
        return scaled

    def profiled(self, theta: FloatArray) -> float:
        """REML deviance with the residual variance at its best."""
        _, _, rest, determinants = self.solve(theta)
        free = self.n - self.p
        return float(determinants + free * (1 + log(2 * pi * rest / free)))

    def deviance(self, parameters: FloatArray) -> float:
        """REML deviance of (theta, residual sd)."""
        _, _, rest, determinants = self.solve(parameters[:-1])
        variance = float(parameters[-1]) ** 2
        return float(determinants + (self.n - self.p) * log(2 * pi * variance) + rest / variance)

    def covariance(self, parameters: FloatArray) -> FloatArray:
        """Covariance of the fixed effects at (theta, residual sd)."""
        _, precision, _, _ = self.solve(parameters[:-1])
        return np.asarray(np.linalg.inv(precision) * parameters[-1] ** 2, dtype=np.float64)


def fit_mixed_linear(*, response: ArrayLike, design: MatrixLike, terms: Sequence[RandomTerm]) -> MixedLinear:
    """Fit `response` (n,) on `design` (n, p) with the random `terms` by REML."""
    y, x = as_vector(response), as_matrix(design)
    if len(y) <= x.shape[1] or np.linalg.matrix_rank(x) < x.shape[1]:
        return MixedLinear(reason="too few observations for the fixed effects")
    if any(len(np.unique(term.groups)) < 2 for term in terms):
        return MixedLinear(reason="a random effect needs at least two groups")
    profile = _Profile(y, x, terms)
    start, diagonal = _start(terms)
    if profile.solve(np.zeros_like(start))[2] <= 1e-12 * max(profile.yy, 1e-300):
        return MixedLinear(reason="the fixed effects explain everything: no residual variance")
    # Without bounds: the criterion is even in every column of the factor, so that 0 would hold a bounded search.
    theta, _ = minimise(profile.profiled, start, step=1e-6)
    return _result(profile, profile.with_positive_diagonal(theta), diagonal=diagonal)


def _start(terms: Sequence[RandomTerm]) -> tuple[FloatArray, list[bool]]:
    theta: list[float] = []
    for term in terms:
        rows, columns = np.tril_indices(term.design.shape[1])
        theta += [1.0 if row == column else 0.0 for row, column in zip(rows, columns, strict=True)]
    return np.array(theta), [value == 1.0 for value in theta]


def _result(profile: _Profile, theta: FloatArray, *, diagonal: list[bool]) -> MixedLinear:
    beta, _, rest, _ = profile.solve(theta)
    sigma = float(np.sqrt(rest / (profile.n - profile.p)))
    point = np.append(theta, sigma)
    variances = np.diag(profile.covariance(point))
    se = np.sqrt(variances)
    df = _satterthwaite(profile, point, variances)
    t = beta / se
    # Without usable derivatives the normal replaces t.
    p = [2 * (stats.norm.sf(abs(a)) if d is None else stats.t.sf(abs(a), d)) for a, d in zip(t, df, strict=True)]
    sds, correlations = _random_parts(profile, theta, sigma)
    return MixedLinear(
        coefficients=tuple(float(value) for value in beta),
        se=tuple(float(value) for value in se),
        df=tuple(df),
        t=tuple(float(value) for value in t),
        p=tuple(float(value) for value in p),
        random_sd=sds,
        random_correlation=correlations,
        residual_sd=sigma,
        reml_deviance=profile.profiled(theta),
        singular=bool(np.any(theta[np.array(diagonal)] < SINGULAR_BELOW)),
    )


def _random_parts(
    profile: _Profile, theta: FloatArray, sigma: float
) -> tuple[tuple[tuple[float, ...], ...], tuple[FloatArray, ...]]:
    sds, correlations = [], []
    for one in profile.factors(theta):
        covariance = one @ one.T * sigma**2
        sd = np.sqrt(np.diag(covariance))
        scale = np.outer(sd, sd)
        sds.append(tuple(float(value) for value in sd))
        correlations.append(np.divide(covariance, scale, out=np.full(scale.shape, np.nan), where=scale > 0))
    return tuple(sds), tuple(correlations)


def _satterthwaite(profile: _Profile, point: FloatArray, variances: FloatArray) -> list[float | None]:
    """df = 2 v^2 / (g' A g), A the covariance of the variance parameters, g the gradient of v."""
    free = np.append(np.abs(point[:-1]) >= SINGULAR_BELOW, True)

    def full(part: FloatArray) -> FloatArray:
        moved = point.copy()
        moved[free] = part
        return moved

    # Steps must stay small against the parameters: near 0 the criterion is flat and even.
    step = 1e-3 * float(min(1.0, np.abs(point[free]).min()))
    hessian = numeric_hessian(lambda part: profile.deviance(full(part)), point[free], step=step)
    if np.linalg.eigvalsh(hessian).min() <= 0:
        return [None] * len(variances)
    spread = 2 * np.linalg.inv(hessian)
    df: list[float | None] = []
    for index, variance in enumerate(variances):
        slope = numeric_gradient(
            lambda part, i=index: float(profile.covariance(full(part))[i, i]),  # type: ignore[misc]
            point[free],
            step=step,
        )
        below = float(slope @ spread @ slope)
        df.append(2 * float(variance) ** 2 / below if below > 0 else None)
    return df
