"""Known habits of the reference programs, repeated here so that their printed numbers can be compared exactly."""

import math

import readerstudy.analysis as a

# R's uniroot stops at this tolerance unless told otherwise.
R_ROOT_TOLERANCE = 2.220446049250313e-16**0.25


def rounded_like(values, digits):
    return None if values is None else [round(value, digits) for value in values]


def r_uniroot_midp(counts):
    """Mid-p limits as R's uniroot finds them on [0, 1] with its default tolerance, from our mid-p values."""
    successes, trials, tail = counts["successes"], counts["trials"], (1 - counts["level"]) / 2

    def excess(side):
        return lambda p: getattr(a.exact_binomial(successes=successes, trials=trials, null=p), side) - tail

    low = 0.0 if successes == 0 else zeroin(excess("midp_greater"), 0.0, 1.0, R_ROOT_TOLERANCE)
    high = 1.0 if successes == trials else zeroin(excess("midp_less"), 0.0, 1.0, R_ROOT_TOLERANCE)
    return [low, high]


def zeroin(function, left, right, tolerance):
    """Brent's root finder as published (Algorithms for Minimization without Derivatives, 1973, ch. 4)."""
    a_, b = left, right
    fa, fb = function(a_), function(b)
    c, fc = a_, fa
    for _ in range(1000):
        step_before = b - a_
        if abs(fc) < abs(fb):
            a_, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        precision = 2 * 2.220446049250313e-16 * abs(b) + tolerance / 2
        step = (c - b) / 2
        if abs(step) <= precision or fb == 0:
            return b
        if abs(step_before) >= precision and abs(fa) > abs(fb):
            step = _interpolated(step, step_before, precision, (a_, b, c), (fa, fb, fc))
        if abs(step) < precision:
            step = math.copysign(precision, step)
        a_, fa = b, fb
        b += step
        fb = function(b)
        if (fb > 0) == (fc > 0):
            c, fc = a_, fa
    raise AssertionError("no root was found")


def _interpolated(half, before, precision, points, values):
    (a_, b, c), (fa, fb, fc) = points, values
    gap = c - b
    if a_ == c:
        ratio = fb / fa
        p, q = gap * ratio, 1 - ratio
    else:
        q, ratio, other = fa / fc, fb / fc, fb / fa
        p = other * (gap * q * (q - ratio) - (b - a_) * (ratio - 1))
        q = (q - 1) * (ratio - 1) * (other - 1)
    if p > 0:
        q = -q
    else:
        p = -p
    if p < 0.75 * gap * q - abs(precision * q) / 2 and p < abs(before * q / 2):
        return p / q
    return half


def irr_alpha(alpha, ratings):
    """Nominal, ordinal ... alpha as irr 0.84.1 prints it.

    For tables without missing values irr leaves out the division of pairs by (raters - 1), so that its small-sample
    factor counts pairs instead of ratings. Krippendorff's own definition is what the package returns.
    """
    raters = len(ratings[0])
    if alpha is None or raters <= 2 or any(value is None for row in ratings for value in row):
        return alpha
    number = len(ratings) * raters
    pairs = number * (raters - 1)
    return 1 - (1 - alpha) * number / (number - 1) * (pairs - 1) / pairs


def alpha_as_printed(alpha, ratings, expected):
    """Krippendorff's alpha by its definition, or as irr prints it, and whether irr's habit was needed.

    References of both kinds exist for complete tables; what the package claims is the definition.
    """
    through_irr = irr_alpha(alpha, ratings)
    if expected is None or alpha is None or abs(alpha - expected) <= abs(through_irr - expected):
        return alpha, False
    return through_irr, True


def signed_rank_of_unrounded(differences):
    """Signed-rank statistic and exact p of differences that tie on paper and not in binary: R ranks what it is given."""
    used = [value for value in differences if value != 0]
    order = sorted(range(len(used)), key=lambda k: abs(used[k]))
    statistic = sum(rank for rank, k in enumerate(order, start=1) if used[k] > 0)
    ways = [1]
    for rank in range(1, len(used) + 1):
        without, with_it = [*ways, *[0] * rank], [*[0] * rank, *ways]
        ways = [one + other for one, other in zip(without, with_it, strict=True)]
    total = sum(ways)
    lower, upper = sum(ways[: statistic + 1]) / total, sum(ways[statistic:]) / total
    return statistic, min(1.0, 2 * min(lower, upper))
