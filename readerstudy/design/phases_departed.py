"""Where the phases of a study that follows a published one are others than those that were published."""

from readerstudy.design.cases import place_of, truths_of
from readerstudy.design.published_phases import PHASED
from readerstudy.design.published_protocol import Cases, PublishedProtocol
from readerstudy.models import Study


def phases_departed(study: Study) -> list[str]:
    """In words; nothing where the publication has one phase."""
    for phased in PHASED.values():
        keys = [phase.key for phase in phased.phases]
        if study.published in keys:
            number = keys.index(study.published)
            return [*_before(study, phased.phases[: number + 1]), *_after(study, phased.phases[number + 1 :])]
    return []


def _before(study: Study, phases: tuple[PublishedProtocol, ...]) -> list[str]:
    """`phases` ends with the study's own."""
    *before, own = phases
    if not before:
        return []
    if study.continues is None:
        return [f"There it came after “{before[-1].title}”, by the same readers; here it is read alone."]
    said = []
    if study.continues.published != before[-1].key:
        said.append(f"There it came after “{before[-1].title}”; here it comes after another study.")
    if own.cases is Cases.SAME and _shows_others(study, study.continues):
        said.append("There the cases were those of the phase before; here they are others.")
    if own.cases is Cases.OTHERS and not study.other_patients:
        said.append("There the cases were others than before; here patients may come again.")
    return said


def _after(study: Study, phases: tuple[PublishedProtocol, ...]) -> list[str]:
    if not phases or study.continued_by.filter(published=phases[0].key).exists():
        return []
    return [f"There “{phases[0].title}” came after it; here no study continues this one."]


def _shows_others(study: Study, earlier: Study) -> bool:
    """Not said before both have cases."""
    own, before = ({place_of(truth) for truth in truths_of(one)} for one in (study, earlier))
    return bool(own and before) and own != before
