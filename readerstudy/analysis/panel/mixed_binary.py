"""Generalised linear mixed model for yes/no data with crossed random raters and cases, by Laplace approximation.

Source: Breslow & Clayton, JASA 1993;88:9 (Laplace); Bates et al., J Stat Softw 2015;67(1); the observed information
is used for both links, as TMB does (Kristensen et al. 2016). Standard errors from the joint numeric Hessian.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log, pi, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, MatrixLike, as_matrix, as_truth, as_vector, is_rated
from readerstudy.analysis.numeric import minimise, numeric_hessian

Link = Literal["logit", "probit"]
IntArray = npt.NDArray[np.intp]
LOG_ROOT_TWO_PI = log(2 * pi) / 2
NEWTON_STEPS = 60
STEP_HALVINGS = 12
# The mode must be sharp: derivatives of the criterion are taken numerically.
MODE_TOLERANCE = 1e-18
# A standard deviation below this is on the boundary: the fit is singular in that term.
SINGULAR_BELOW = 1e-3
# Beyond this the linear predictor only follows separated data towards infinity.
LARGEST_COEFFICIENT = 50.0


@dataclass(frozen=True, kw_only=True)
class MixedBinary:
    """Fixed effects (p,) with standard errors, and the standard deviations of rater and case effects.

    `singular` means that a standard deviation was estimated as 0. `coefficients` is empty with a `reason` when the
    model cannot be fitted.
    """

    coefficients: tuple[float, ...] = ()
    se: tuple[float | None, ...] = ()
    z: tuple[float | None, ...] = ()
    p: tuple[float | None, ...] = ()
    sd_rater: float | None = None
    sd_case: float | None = None
    log_likelihood: float | None = None
    singular: bool = False
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Data:
    answer: FloatArray
    design: FloatArray
    rater: IntArray
    case: IntArray
    raters: int
    cases: int
    link: Link


def fit_mixed_binary(
    *, answer: ArrayLike, design: MatrixLike, rater: ArrayLike, case: ArrayLike, link: Link = "logit"
) -> MixedBinary:
    """Fit `answer` (n,) 0/1 on `design` (n, p) with crossed random intercepts; `rater`/`case` (n,) are labels."""
    y, x = as_truth(answer), as_matrix(design)
    rater_codes = np.unique(as_vector(rater), return_inverse=True)[1]
    case_codes = np.unique(as_vector(case), return_inverse=True)[1]
    data = _Data(
        answer=y,
        design=x,
        rater=rater_codes,
        case=case_codes,
        raters=int(rater_codes.max(initial=-1)) + 1,
        cases=int(case_codes.max(initial=-1)) + 1,
        link=link,
    )
    reason = _cannot_fit(data)
    if reason:
        return MixedBinary(reason=reason)
    return _fit(data)


def _cannot_fit(data: _Data) -> str | None:
    if len(data.answer) == 0 or len(np.unique(data.answer)) < 2:
        return "all answers are the same"
    if data.raters < 2 or data.cases < 2:
        return "random raters and cases need at least two of each"
    if np.linalg.matrix_rank(data.design) < data.design.shape[1]:
        return "the fixed effects cannot be told apart"
    return None


def _fit(data: _Data) -> MixedBinary:
    p = data.design.shape[1]
    laplace = _Laplace(data)
    start = np.concatenate([np.zeros(p), [0.5, 1.0]])
    found, value = minimise(laplace, start, step=1e-5)
    beta, sds = found[:p], np.abs(found[p:])
    if not np.isfinite(value) or np.abs(beta).max() > LARGEST_COEFFICIENT:
        return MixedBinary(reason="the fit did not converge")
    kept = sds > SINGULAR_BELOW
    free = np.concatenate([np.ones(p, dtype=np.bool_), kept])
    point = np.concatenate([beta, np.where(kept, sds, 0.0)])

    def restricted(part: FloatArray) -> float:
        full = point.copy()
        full[free] = part
        return laplace(full)

    se = _errors(numeric_hessian(restricted, point[free], step=3e-4), p)
    z = [None if error is None else float(b / error) for b, error in zip(beta, se, strict=True)]
    return MixedBinary(
        coefficients=tuple(float(b) for b in beta),
        se=tuple(se),
        z=tuple(z),
        p=tuple(None if value is None else float(2 * stats.norm.sf(abs(value))) for value in z),
        sd_rater=float(point[p]),
        sd_case=float(point[p + 1]),
        log_likelihood=-float(laplace(point)),
        singular=not kept.all(),
    )


def _errors(hessian: FloatArray, p: int) -> list[float | None]:
    try:
        variances = np.diag(np.linalg.inv(hessian))[:p]
    except np.linalg.LinAlgError:
        return [None] * p
    return [sqrt(float(variance)) if variance > 0 else None for variance in variances]


class _Laplace:
    """Negative Laplace log-likelihood of (beta, sd_rater, sd_case); remembers the mode to start from."""

    def __init__(self, data: _Data) -> None:
        self.data = data
        self.effects = np.zeros(data.raters + data.cases)

    def __call__(self, parameters: FloatArray) -> float:
        data, p = self.data, self.data.design.shape[1]
        fixed, (sd_rater, sd_case) = data.design @ parameters[:p], parameters[p:]

        def at(effects: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            value, slope, weight = _likelihood(data, self._predictor(fixed, effects, sd_rater, sd_case))
            return value - float(effects @ effects) / 2, slope, weight

        effects = self.effects
        value, slope, weight = at(effects)
        log_determinant = 0.0
        for _ in range(NEWTON_STEPS):
            gradient = self._sums(slope, sd_rater, sd_case) - effects
            step, log_determinant = self._solve(weight, gradient, sd_rater, sd_case)
            if float(gradient @ step) < MODE_TOLERANCE:
                break
            for halvings in range(STEP_HALVINGS):
                moved = effects + step / 2**halvings
                reached = at(moved)
                if reached[0] >= value - 1e-12:
                    break
            else:
                break
            effects, (value, slope, weight) = moved, reached
        self.effects = effects
        return log_determinant / 2 - value

    def _predictor(self, fixed: FloatArray, effects: FloatArray, sd_rater: float, sd_case: float) -> FloatArray:
        data = self.data
        by_rater, by_case = effects[: data.raters], effects[data.raters :]
        return np.asarray(fixed + sd_rater * by_rater[data.rater] + sd_case * by_case[data.case], dtype=np.float64)

    def _sums(self, values: FloatArray, sd_rater: float, sd_case: float) -> FloatArray:
        data = self.data
        return np.concatenate(
            [
                sd_rater * np.bincount(data.rater, values, data.raters),
                sd_case * np.bincount(data.case, values, data.cases),
            ]
        )

    def _solve(
        self, weight: FloatArray, gradient: FloatArray, sd_rater: float, sd_case: float
    ) -> tuple[FloatArray, float]:
        """Solve the Newton system by eliminating the (diagonal) cases; also its log-determinant."""
        data = self.data
        cases = 1 + sd_case**2 * np.bincount(data.case, weight, data.cases)
        raters = np.diag(1 + sd_rater**2 * np.bincount(data.rater, weight, data.raters))
        cross = (
            sd_rater
            * sd_case
            * np.bincount(data.case * data.raters + data.rater, weight, data.cases * data.raters).reshape(
                data.cases, data.raters
            )
        )
        reduced = raters - cross.T @ (cross / cases[:, None])
        right, below = gradient[: data.raters], gradient[data.raters :]
        by_rater = np.linalg.solve(reduced, right - cross.T @ (below / cases))
        by_case = (below - cross @ by_rater) / cases
        log_determinant = float(np.log(cases).sum() + np.linalg.slogdet(reduced)[1])
        return np.concatenate([by_rater, by_case]), log_determinant


def _likelihood(data: _Data, predictor: FloatArray) -> tuple[float, FloatArray, FloatArray]:
    """Log-likelihood with its slope and (negative) curvature in the linear predictor."""
    if data.link == "logit":
        share = special.expit(predictor)
        value = float((data.answer * predictor + special.log_expit(-predictor)).sum())
        return value, np.asarray(data.answer - share), np.asarray(share * (1 - share))
    sign = 2 * data.answer - 1
    signed = sign * predictor
    log_share = special.log_ndtr(signed)
    ratio: FloatArray = np.exp(-(signed**2) / 2 - LOG_ROOT_TWO_PI - log_share)
    return float(log_share.sum()), np.asarray(sign * ratio), np.asarray(ratio * (ratio + signed))


@dataclass(frozen=True, kw_only=True)
class PanelModel:
    """Accuracy and detection of the average rater on the average case, with the fitted models."""

    accuracy: MixedBinary
    detection: MixedBinary

    @property
    def d_prime(self) -> float | None:
        """Slope of the probit model on the truth."""
        return self.detection.coefficients[1] if self.detection.coefficients else None

    @property
    def criterion(self) -> float | None:
        """-(intercept + d'/2) of the probit model; > 0 = reluctant to say synthetic."""
        if not self.detection.coefficients:
            return None
        return -(self.detection.coefficients[0] + self.detection.coefficients[1] / 2)


def panel_model(*, truth: ArrayLike, calls: MatrixLike) -> PanelModel:
    """Fit correct ~ 1 (logit) and call ~ truth (probit) with crossed raters and cases; `calls` (cases, raters).

    The logit intercept is conditional on an average rater and case: it is not the marginal accuracy.
    """
    true, matrix = as_truth(truth), as_matrix(calls)
    case, rater = np.nonzero(is_rated(matrix))
    call, kind = matrix[case, rater], true[case]
    raters, cases = rater.astype(np.float64), case.astype(np.float64)
    ones = np.ones((len(call), 1))
    right = (call == kind).astype(np.float64)
    return PanelModel(
        accuracy=fit_mixed_binary(answer=right, design=ones, rater=raters, case=cases),
        detection=fit_mixed_binary(
            answer=call, design=np.column_stack([ones, kind]), rater=raters, case=cases, link="probit"
        ),
    )
