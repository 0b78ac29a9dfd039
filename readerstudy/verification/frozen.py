"""Columns, raters, truth, stimuli, slots and orders are the ones that the protocol froze."""

from collections.abc import Mapping
from dataclasses import asdict

from readerstudy.blinding.schedule import NoOrderError, schedule_digest
from readerstudy.design.cases import truths_of
from readerstudy.digests import digest_of
from readerstudy.locking.orders import redrawn_orders
from readerstudy.locking.sealed_tables import FIRST_SCHEMA, order_of, sealed_digests, slots
from readerstudy.locking.stimuli import round_trip_of
from readerstudy.models import Presentation, Study
from readerstudy.models.asked import Asked
from readerstudy.verification.outcome import Verification

NAMES = {
    "truth_digest": "the sealed truth",
    "stimuli_digest": "what is stored of the stimuli",
    "codes_digest": "the codes of the cases",
    "slots_digest": "which slot shows which case",
    "match_digest": "the likeness of the kinds",
}
# What protocols leave out of a rater who has none.
NOT_SAID = {"program": None, "group": ""}


def verify_columns(outcome: Verification) -> None:
    """Raters get what the protocol says; a column that says something else was changed after the lock."""
    study = outcome.study
    protocol, frozen, now = study.protocol, Asked.of_protocol(study.protocol), Asked.of_columns(study)
    changed = [name for name in Asked.__dataclass_fields__ if getattr(frozen, name) != getattr(now, name)]
    plan = protocol["analysis_plan"]
    others = {
        "study": (protocol["study"], str(study.pk)),
        "plan_digest": (plan["digest"], study.plan_digest),
        "schedule_digest": (protocol["order"]["digest"], study.schedule_digest),
        "published": (protocol.get("published", {}).get("key", ""), study.published),
        "going_back": (protocol.get("going_back", study.going_back), study.going_back),
        "display_check": (protocol.get("display_check", study.display_check), study.display_check),
        "unblinding_by_two": (protocol.get("unblinding_by_two", study.unblinding_by_two), study.unblinding_by_two),
        "plan": (digest_of(plan["plan"]), plan["digest"]),
        "flow": (protocol["cases"]["flow"], study.flow),
        "seed": (protocol["cases"]["draw_seed"], study.seed),
        "cases_planned": (protocol["cases"].get("planned", study.cases_planned), study.cases_planned),
        "twins_allowed": (protocol["cases"].get("twins_allowed", study.twins_allowed), study.twins_allowed),
        "grace_hours": (protocol.get("arrival", {}).get("grace_hours", study.grace_hours), study.grace_hours),
    }
    # Of before there were repeats, and where there are none, protocols name none.
    others["repeats"] = (protocol["order"].get("asked", {}).get("repeats", 0), study.repeats)
    trip = asdict(round_trip_of(study))
    others["round_trip"] = (protocol["display"].get("round_trip", trip), trip)
    limits = [study.diameter_min_mm, study.diameter_max_mm]
    others["diameters"] = (protocol["cases"].get("diameter_limits_mm", limits), limits)
    others |= {name: (value, getattr(study, name)) for name, value in protocol["order"].get("asked", {}).items()}
    others |= _phase(study)
    changed += [name for name, (locked, stored) in others.items() if locked != stored]
    if changed:
        outcome.problems.append(f"{', '.join(changed)} of the study differ from the protocol")


def _phase(study: Study) -> dict[str, tuple[object, object]]:
    """What it continues, as that was locked; protocols of studies that continue nothing name none."""
    frozen, earlier = study.protocol.get("continues", {}), study.continues
    return {
        "continues": (frozen.get("study"), None if earlier is None else str(earlier.pk)),
        "least_gap_days": (frozen.get("least_gap_days", 0), study.least_gap_days),
        "other_patients": (frozen.get("other_patients", False), study.other_patients),
        "the earlier study's protocol": (
            frozen.get("protocol_digest"),
            None if earlier is None else earlier.protocol_digest,
        ),
    }


def verify_raters(outcome: Verification) -> None:
    """By account as well as by name: names may be exchanged between accounts. Covariates may change there."""
    frozen = {rater["number"]: rater for rater in outcome.study.protocol["raters"]}
    now = {
        rater.number: {
            "number": rater.number,
            "account": rater.user_id,
            "username": rater.user.username,
            "simulated": rater.user.is_simulated,
            "group": rater.group,
            "program": rater.user.as_program.as_json() if rater.user.as_program else None,
        }
        for rater in outcome.study.raters.select_related("user__program")
    }
    differing = sorted(
        number
        for number in frozen.keys() | now.keys()
        if number not in frozen
        or number not in now
        or any(now[number].get(name, value) != value for name, value in {**NOT_SAID, **frozen[number]}.items())
    )
    if differing:
        outcome.problems.append(f"rater {', '.join(map(str, differing))} is not who was locked")


def verify_sealed(outcome: Verification) -> None:
    """Truth, pixels, codes and slots are the ones whose digests were published, and the orders follow from the seed."""
    study = outcome.study
    sealed, salt = study.protocol["sealed"], study.seal.salt
    digests = sealed_digests(study, salt=salt, schema=study.protocol.get("schema", FIRST_SCHEMA))
    differing = [NAMES[name] for name, digest in digests.items() if sealed[name] != digest]
    outcome.problems += [f"{what} differs from what was locked" for what in differing]
    if NAMES["truth_digest"] in differing:
        return
    order = study.protocol["order"]
    stored = {int(number): order_of(of_rater) for number, of_rater in slots(study).items()}
    locked = schedule_digest(
        stored, algorithm=order["algorithm"], constraints=order["constraints"], seed=int(study.seal.schedule_seed, 16)
    )
    if locked != order["digest"]:
        outcome.problems.append("the stored orders or their seed differ from what was locked")
    elif not _follow_from_seed(study, stored):
        outcome.problems.append("the stored orders differ from what seed and protocol give")


def verify_positions(outcome: Verification) -> None:
    """The digest of the slots knows their order alone; export and analysis print the number of each, and its side."""
    images = outcome.study.protocol["order"]["constraints"].get("images", 1)
    numbers: dict[int, list[tuple[int, int]]] = {}
    slots = Presentation.objects.filter(session__rater__study=outcome.study).order_by("position", "side")
    for rater, position, side in slots.values_list("session__rater__number", "position", "side"):
        numbers.setdefault(rater, []).append((position, side))
    moved = [rater for rater, stored in numbers.items() if stored != [divmod(n, images) for n in range(len(stored))]]
    if moved:
        outcome.problems.append(f"the slots of rater {', '.join(map(str, sorted(moved)))} are numbered otherwise")


def _follow_from_seed(study: Study, stored: Mapping[int, list[str]]) -> bool:
    try:
        return redrawn_orders(study, truths_of(study), rater_numbers=list(stored)) == stored
    except NoOrderError:  # the scans behind the cases are no longer the same
        return False
