"""Response times: medians per rater and the crossed mixed model of log time over trials."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

import numpy as np

from readerstudy.analysis.estimate import ArrayLike, FloatArray, as_vector, is_rated
from readerstudy.analysis.panel.mixed_linear import MixedLinear, fit_mixed_linear, random_intercept


@dataclass(frozen=True, kw_only=True)
class MedianTimes:
    """Median times in ms over all, correct and wrong readings; None where there is no such reading."""

    overall: float | None
    correct: float | None
    wrong: float | None


def median_times(*, time_ms: ArrayLike, correct: ArrayLike) -> MedianTimes:
    """Return one rater's medians; `time_ms` and `correct` (trials,), NaN/None is left out."""
    times, right = as_vector(time_ms), as_vector(correct)
    known = is_rated(times)
    return MedianTimes(
        overall=_median(times[known]),
        correct=_median(times[known & (right == 1)]),
        wrong=_median(times[known & (right == 0)]),
    )


def _median(values: FloatArray) -> float | None:
    return float(np.median(values)) if len(values) else None


@dataclass(frozen=True, kw_only=True)
class TimeModel:
    """log(time) ~ trial/10 + correct + (1|rater) + (1|case); `ratio_per_10_trials` < 1 means getting faster."""

    fit: MixedLinear

    @property
    def ratio_per_10_trials(self) -> float | None:
        """Ratio of geometric mean times ten trials apart."""
        return exp(self.fit.coefficients[1]) if self.fit.coefficients else None

    @property
    def ratio_correct(self) -> float | None:
        """Ratio of geometric mean times of correct to wrong readings."""
        return exp(self.fit.coefficients[2]) if self.fit.coefficients else None


def time_model(
    *, time_ms: ArrayLike, trial: ArrayLike, correct: ArrayLike, rater: ArrayLike, case: ArrayLike
) -> TimeModel:
    """Fit the crossed model of log time by REML with Satterthwaite tests; all arrays (readings,), times positive."""
    times = as_vector(time_ms)
    known = is_rated(times) & (times > 0)
    columns = [np.ones(int(known.sum())), as_vector(trial)[known] / 10, as_vector(correct)[known]]
    return TimeModel(
        fit=fit_mixed_linear(
            response=np.log(times[known]),
            design=np.column_stack(columns),
            terms=[random_intercept(as_vector(rater)[known]), random_intercept(as_vector(case)[known])],
        )
    )
