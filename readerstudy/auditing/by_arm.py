"""Whether one program's pictures differ from the real ones in anything but the lesion, judged arm by arm.

Among all synthetic cases the habit of one program is diluted by the others: readers would learn it all the same.
"""

from collections.abc import Sequence
from dataclasses import replace

from readerstudy.blinding import leaks
from readerstudy.blinding.observables import Observable
from readerstudy.design.arms import Arm, arm_order


def leaks_by_arm(
    observables: Sequence[Observable], arms: Sequence[Arm], *, together: Sequence[int] | None = None
) -> list[str]:
    """Names of what differs, each with its arm. Over all arms together one clean study in a hundred is stopped.

    A study of one arm has nothing to judge beyond what `leaks.audit` says of its kinds; positive controls are degraded
    on purpose. `together` numbers each case's trial, as for `leaks.audit`.
    """
    programs = sorted({arm for arm in arms if not arm.is_real and not arm.control}, key=arm_order)
    if len(programs) < 2:
        return []
    blind = [observable for observable in observables if observable.sort == "blind"]
    found: list[str] = []
    for program in programs:
        rows = [row for row, arm in enumerate(arms) if arm.is_real or arm == program]
        judged = leaks.audit(
            [replace(observable, values=[observable.values[row] for row in rows]) for observable in blind],  # type: ignore[arg-type]
            synthetic=[not arms[row].is_real for row in rows],
            together=None if together is None else [together[row] for row in rows],
        )
        found += [
            f"{name} ({program.name})"
            for family in judged["families"]
            if family["judgeable"] and family["p"] <= leaks.FALSE_ALARMS / len(programs)
            for name in family["telling"] or [family["name"]]
        ]
    return found
