"""What may be said of choices among several images: a difference by the exact test, equivalence by the interval."""

from __future__ import annotations

from readerstudy.analysis.panel.equivalence import Judgement, Verdict, level_words
from readerstudy.analysis.panel.forced_choice import NO_CHOICES, ForcedChoice

ONE_SIDE = "some reader chose one side nearly always, whatever stood there"


def judge_choices(found: ForcedChoice, *, alpha: float, unproven: str, constant: bool) -> Judgement:
    """One verdict with its sentence.

    `unproven` says why nothing shows that these readers look, and then "equivalent" is not said; `constant`: some
    reader chose one side nearly always, whatever stood there.
    """
    panel, joint, chance = found.panel, found.joint, 1 / found.images
    if panel.share.value is None or found.decision_p is None or joint.expected is None:
        reason = panel.share.reason or NO_CHOICES
        return _said(
            Verdict.INCONCLUSIVE, f"Inconclusive: the share of right choices could not be estimated ({reason})"
        )
    share = f"{panel.share.value:.3f} right, chance {chance:.3f}"
    inner, within = _interval(found, alpha), bool(panel.equivalent)
    if found.decision_p <= alpha:
        # The test counts choices, the share raters: where choices are missing they may lie on two sides of chance.
        how = "finds it" if joint.right > joint.expected else "uses the right information and chooses the other one"
        if within and not constant:
            return _said(Verdict.DETECTABLE_WITHIN, f"Detectable but within the margin: {share}; {inner}")
        # Whoever always chooses the same side pulls the share to chance: how small the difference is, nothing tells.
        unsaid = f". That it lies within the margin is not said: {ONE_SIDE}" if within else ""
        return _said(Verdict.DISCRIMINATES, f"The panel discriminates: it {how} ({share}){unsaid}")
    return _not_found(share, inner, within=within, unproven=unproven, constant=constant)


def judge_preference(p_exact: float | None, *, alpha: float) -> str:
    """Of choices of the better image: whether arms differ. That none is preferred is never said."""
    if p_exact is None:
        return "Inconclusive: there is nothing to compare, as every trial showed images of one arm or nobody chose."
    if p_exact <= alpha:
        return "Some arm is preferred: were all alike, choices so far apart would hardly come about."
    return "Inconclusive: no arm was found to be preferred. This is not evidence that the arms are alike."


def _not_found(share: str, inner: str, *, within: bool, unproven: str, constant: bool) -> Judgement:
    if constant:
        return _said(Verdict.NOT_ASSESSABLE, f"Not assessable: {ONE_SIDE} ({share})")
    if within and unproven:
        return _said(Verdict.INCONCLUSIVE, f"Inconclusive: {inner}, but “equivalent” is not said: {unproven}")
    if within:
        return _said(Verdict.EQUIVALENT, f"Equivalent to chance within the margin: {inner}")
    return _said(
        Verdict.INCONCLUSIVE,
        f"Inconclusive: {share} does not differ from chance, and {inner}. This is not evidence that the images cannot "
        "be told apart",
    )


def _interval(found: ForcedChoice, alpha: float) -> str:
    limits, (low, high) = found.panel.equivalence_interval, found.shares_within
    if limits is None:
        return f"there is no interval ({found.panel.share.reason})"
    interval = f"the {level_words(1 - 2 * alpha)} % interval {limits[0]:.3f} to {limits[1]:.3f}"
    if found.panel.note:
        return f"{interval} is not held against the margin ({found.panel.note})"
    lies = "lies" if found.panel.equivalent else "does not lie"
    areas = f"{0.5 - found.margin:.2f} to {0.5 + found.margin:.2f}"
    return f"{interval} {lies} within {low:.3f} to {high:.3f}, the shares at areas of {areas}"


def _said(verdict: Verdict, sentence: str) -> Judgement:
    return Judgement(verdict=verdict, sentence=f"{sentence}.")
