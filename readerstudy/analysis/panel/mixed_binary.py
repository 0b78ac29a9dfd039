"""Generalised linear mixed model for yes/no data with crossed random raters and cases, by Laplace approximation.

Where patients give several cases, patients are random as well and cases stand within them.

Source: Breslow & Clayton, JASA 1993;88:9 (Laplace); Bates et al., J Stat Softw 2015;67(1); the observed information
is used for both links, as TMB does (Kristensen et al. 2016). Standard errors from the joint numeric Hessian.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from math import log, pi, sqrt
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse, special, stats

from readerstudy.analysis.estimate import ArrayLike, FloatArray, MatrixLike, as_matrix, as_truth, as_vector, is_rated
from readerstudy.analysis.numeric import minimise, numeric_hessian
from readerstudy.analysis.panel.separation import beyond_answers, separation
from readerstudy.analysis.patients import PatientNumbers, any_repeated, patient_numbers

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
    """Fixed effects (p,) with standard errors, and the standard deviations of rater, case and patient effects.

    `singular` means that a standard deviation was estimated as 0. `sd_rater_slope` is that of the raters' own slopes on
    the last fixed effect, whose test then has t's distribution with raters - 1 degrees of freedom. `coefficients` is
    empty with a `reason` when the
    model cannot be fitted.
    """

    coefficients: tuple[float, ...] = ()
    se: tuple[float | None, ...] = ()
    z: tuple[float | None, ...] = ()
    p: tuple[float | None, ...] = ()
    sd_rater: float | None = None
    sd_case: float | None = None
    sd_rater_slope: float | None = None
    sd_patient: float | None = None
    log_likelihood: float | None = None
    singular: bool = False
    reason: str | None = None

    @property
    def estimates(self) -> tuple[float, ...]:
        """All that was estimated on the scale of the link."""
        sds = (self.sd_rater, self.sd_case, self.sd_rater_slope, self.sd_patient)
        return (*self.coefficients, *(sd for sd in sds if sd is not None))


@dataclass(frozen=True, kw_only=True)
class _Data:
    answer: FloatArray
    design: FloatArray
    rater: IntArray
    case: IntArray
    raters: int
    cases: int
    link: Link
    slope: FloatArray | None  # (n,): what the raters' own slopes multiply
    patient: IntArray  # (cases,): the patient of each case; empty where patients have no effect of their own
    patients: int


def fit_mixed_binary(
    *,
    answer: ArrayLike,
    design: MatrixLike,
    rater: ArrayLike,
    case: ArrayLike,
    link: Link = "logit",
    rater_slope: bool = False,
    patient: ArrayLike | None = None,
) -> MixedBinary:
    """Fit `answer` (n,) 0/1 on `design` (n, p) with crossed random intercepts; `rater`/`case` (n,) are labels.

    With `patient` (n,), labels of the patient of each case, patients have random intercepts too.

    With `rater_slope` every rater has an own slope on the last column of the design as well, independent of the own
    intercept where the column is centred: without it, raters who differ in skill make chance look like detection.
    """
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
        slope=_centred(x[:, -1]) if rater_slope else None,
        patient=_patient_of_case(patient, case_codes),
        patients=0 if patient is None else len(np.unique(as_vector(patient))),
    )
    reason = _cannot_fit(data)
    if reason:
        return MixedBinary(reason=reason)
    return _fit(data)


def _patient_of_case(patient: ArrayLike | None, case: IntArray) -> IntArray:
    if patient is None:
        return np.zeros(0, dtype=np.intp)
    codes = np.unique(as_vector(patient), return_inverse=True)[1]
    return np.asarray(codes[np.unique(case, return_index=True)[1]], dtype=np.intp)


def _centred(column: FloatArray) -> FloatArray:
    return np.asarray(column - column.sum() / max(len(column), 1), dtype=np.float64)


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
    own = [0.5] * ((data.slope is not None) + (data.patients > 0))
    start = np.concatenate([np.zeros(p), [0.5, 1.0], own])
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
        p=tuple(_p_value(value, data, last=number == p - 1) for number, value in enumerate(z)),
        sd_rater=float(point[p]),
        sd_case=float(point[p + 1]),
        sd_rater_slope=float(point[p + 2]) if data.slope is not None else None,
        sd_patient=float(point[-1]) if data.patients else None,
        log_likelihood=-float(laplace(point)),
        singular=not kept.all(),
    )


def _p_value(z: float | None, data: _Data, *, last: bool) -> float | None:
    if z is None:
        return None
    if last and data.slope is not None:
        return float(2 * stats.t.sf(abs(z), data.raters - 1))
    return float(2 * stats.norm.sf(abs(z)))


def _errors(hessian: FloatArray, p: int) -> list[float | None]:
    try:
        variances = np.diag(np.linalg.inv(hessian))[:p]
    except np.linalg.LinAlgError:
        return [None] * p
    return [sqrt(float(variance)) if variance > 0 else None for variance in variances]


class _Laplace:
    """Negative Laplace log-likelihood of (beta, sd_rater, sd_case[, sd_rater_slope][, sd_patient]).

    Remembers the mode to start from. The raters' effects have the columns `by_rater` (n, raters or twice as many):
    intercepts, then slopes. Effects stand in the order raters, patients, cases.
    """

    def __init__(self, data: _Data) -> None:
        self.data = data
        intercepts = (data.rater[:, None] == np.arange(data.raters)).astype(np.float64)
        columns = [intercepts] if data.slope is None else [intercepts, intercepts * data.slope[:, None]]
        self.by_rater = np.concatenate(columns, axis=1)
        rows = np.arange(len(data.case))
        self.by_case = sparse.csr_array((np.ones(len(rows)), (data.case, rows)), shape=(data.cases, len(rows)))
        of_cases = np.arange(len(data.patient))
        shape = (data.patients, data.cases)
        self.by_patient = sparse.csr_array((np.ones(len(of_cases)), (data.patient, of_cases)), shape=shape)
        self.effects = np.zeros(self.by_rater.shape[1] + data.patients + data.cases)

    def __call__(self, parameters: FloatArray) -> float:
        data, p = self.data, self.data.design.shape[1]
        fixed, (sd_rater, sd_case, *others) = data.design @ parameters[:p], parameters[p:]
        sd_patient = others.pop() if data.patients else 0.0
        sd_slope = others
        raters = self.by_rater * np.repeat([sd_rater, *sd_slope], data.raters)

        def at(effects: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            own, of_patients, of_cases = self._parts(effects)
            of_places = sd_case * of_cases
            if data.patients:
                of_places = of_places + sd_patient * of_patients[data.patient]
            predictor: FloatArray = fixed + raters @ own + of_places[data.case]
            value, slope, weight = _likelihood(data, predictor)
            return value - float(effects @ effects) / 2, slope, weight

        effects = self.effects
        value, slope, weight = at(effects)
        log_determinant = 0.0
        for _ in range(NEWTON_STEPS):
            of_cases = self.by_case @ slope
            pulled = [slope @ raters, sd_patient * (self.by_patient @ of_cases), sd_case * of_cases]
            gradient = np.concatenate(pulled) - effects
            step, log_determinant = self._solve(weight, gradient, raters, sd_case=sd_case, sd_patient=sd_patient)
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

    def _parts(self, effects: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        raters = self.by_rater.shape[1]
        own, of_patients, of_cases = np.split(effects, [raters, raters + self.data.patients])
        return own, of_patients, of_cases

    def _solve(
        self, weight: FloatArray, gradient: FloatArray, raters: FloatArray, *, sd_case: float, sd_patient: float
    ) -> tuple[FloatArray, float]:
        """Solve the Newton system by eliminating the (diagonal) cases, then the patients, who are diagonal after that.

        Returns the step and the system's log-determinant.
        """
        weighted, of_cases = weight[:, None] * raters, np.asarray(self.by_case @ weight)
        right, right_patients, right_cases = self._parts(gradient)
        cases: FloatArray = 1 + sd_case**2 * of_cases
        cross_cases: FloatArray = np.asarray(self.by_case @ weighted)
        shared = sd_case * sd_patient * of_cases  # of a case and its patient
        cross_patients = sd_patient * np.asarray(self.by_patient @ cross_cases)
        cross_cases = sd_case * cross_cases
        gone = cross_cases / cases[:, None]
        own = np.eye(raters.shape[1]) + raters.T @ weighted - cross_cases.T @ gone
        patients = 1 + np.asarray(self.by_patient @ (sd_patient**2 * of_cases - shared**2 / cases))
        cross_patients = cross_patients - np.asarray(self.by_patient @ (shared[:, None] * gone))
        right = right - cross_cases.T @ (right_cases / cases)
        right_patients = right_patients - np.asarray(self.by_patient @ (shared * right_cases / cases))
        own = own - cross_patients.T @ (cross_patients / patients[:, None])
        by_rater = np.linalg.solve(own, right - cross_patients.T @ (right_patients / patients))
        by_patient = (right_patients - cross_patients @ by_rater) / patients
        by_case = (right_cases - cross_cases @ by_rater - shared * (by_patient @ self.by_patient)) / cases
        determinants = np.log(cases).sum() + np.log(patients).sum() + np.linalg.slogdet(own)[1]
        return np.concatenate([by_rater, by_patient, by_case]), float(determinants)


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


def panel_model(
    *, truth: ArrayLike, calls: MatrixLike, patients: Sequence[Hashable] | PatientNumbers | None = None
) -> PanelModel:
    """Fit correct ~ 1 (logit) and call ~ truth (probit) with crossed raters and cases; `calls` (cases, raters).

    In the second every rater has an own slope on the truth, which is the own d'. The logit intercept is conditional on
    an average rater and case: it is not the marginal accuracy. `patients` (cases,) names each case's patient; where one
    gives several cases, patients are random too.
    """
    true, matrix = as_truth(truth), as_matrix(calls)
    case, rater = np.nonzero(is_rated(matrix))
    call, kind = matrix[case, rater], true[case]
    numbers = patient_numbers(patients, cases=len(true))
    ones = np.ones((len(call), 1))
    right = (call == kind).astype(np.float64)
    separated = separation(truth=kind, calls=call, rater=rater.astype(np.float64))
    raters, cases = rater.astype(np.float64), case.astype(np.float64)
    who = numbers[case].astype(np.float64) if any_repeated(numbers) else None
    accuracy = fit_mixed_binary(answer=right, design=ones, rater=raters, case=cases, patient=who)
    if separated:
        return PanelModel(accuracy=accuracy, detection=MixedBinary(reason=separated))
    design = np.column_stack([ones, kind])
    detection = fit_mixed_binary(
        answer=call, design=design, rater=raters, case=cases, link="probit", rater_slope=True, patient=who
    )
    nearly = beyond_answers(detection.estimates, answers=len(call)) if detection.coefficients else None
    return PanelModel(accuracy=accuracy, detection=MixedBinary(reason=nearly) if nearly else detection)
