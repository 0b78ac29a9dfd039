"""How the comparison with the earlier phase was made, for the methods section."""

from readerstudy.planning.words import PHASE_SIDE_WORDS
from readerstudy.report.data import Phases


def phases_methods(phases: Phases | None) -> list[str]:
    """How the comparison that the plan names was made; nothing where it names none."""
    if phases is None or not phases.planned:
        return []
    judged = phases.change.judged if phases.change else None
    if phases.change is None or judged is None:
        return [f"The planned comparison with “{phases.earlier}” was not made: {phases.reason}."]
    images = "trials" if phases.several_images else "images"
    exchanged = (
        f" As both showed the same {images}, exchanging both phases' answers, for all raters at once, is reported "
        "beside it and decided nothing."
        if phases.change.same_images
        else ""
    )
    band = judged.equivalence
    equal = (
        ""
        if band is None
        else f" Both were to count as equal if the change lay within ± {100 * band.margin:g} points, by two one-sided "
        "tests."
    )
    sides = "two-sided" if judged.side == "two_sided" else f"one-sided for {PHASE_SIDE_WORDS[judged.side]}"
    return [
        (
            f"The plan named the change of the {phases.change.measure} against “{phases.earlier}”, of the raters who "
            f"read both, {sides} at {phases.alpha:g} with {phases.change.random} random (Obuchowski and Rockette 1995, "
            f"Hillis 2014).{exchanged}{equal}"
        )
    ]
