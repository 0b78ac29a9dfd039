"""What of an audit may be shown, and in which words."""

from typing import Any

from readerstudy.blinding.leaks import CLASSIFIER, FALSE_ALARMS, certificate_of
from readerstudy.digests import digest_of
from readerstudy.models import Study, StudySeal

Outcome = dict[str, Any]

_KEPT = ("requests", "raters", "checked_at", "attempts")
# What outcomes from before the audit asked over HTTP don't tell.
_EARLIER: Outcome = {
    "families": [],
    "findings": [],
    "judgeable": False,
    "false_alarms": FALSE_ALARMS,
    "permutations": 0,
    "requests": 0,
    "raters": 0,
    "checked_at": "",
    "attempts": 1,
    "leaks_by_arm": [],
}


def open_part(outcome: Outcome) -> Outcome:
    """Passed or not, what was measured, the smallest leak that would have been found: no figure of the truth."""
    whole = _completed(outcome)
    return {**certificate_of(whole), **{name: whole[name] for name in _KEPT}}


def outcome_digest(outcome: Outcome, seal: StudySeal) -> str:
    """Salted, because the figures of an outcome follow from the truth."""
    return digest_of([seal.salt, outcome])


def shown_audit(study: Study) -> Outcome:
    """With figures while the truth is open to the team anyway: in the draft and after the unblinding."""
    outcome = study.leak_audit
    if not outcome:
        return {}
    return open_part(outcome) if study.stage.sealed else _completed(outcome)


def what_leaks(study: Study) -> list[str]:
    """Names of what leaks. While the truth is sealed only of what differs between cases whatever their kind."""
    return leaks_of(study.leak_audit, sealed=study.stage.sealed) if study.leak_audit else []


def leaks_of(outcome: Outcome, *, sealed: bool) -> list[str]:
    whole = _completed(outcome)
    if not sealed:
        return list(whole["leaks"])
    named = [finding["name"] for finding in whole["findings"] if finding["leak"] and finding["sort"] != "blind"]
    named += [f"something among “{family['name']}”" for family in whole["families"] if family["leak"]]
    return [*named, "how the pictures of one arm were written"] if whole["leaks_by_arm"] else named


def limits_words(outcome: Outcome) -> str:
    """What the check could have found, and what not, in one sentence."""
    whole = _completed(outcome)
    if not whole["requests"]:
        return "An earlier version of the check judged this study; check again to know what it would find."
    found = [family["smallest_auc"] for family in whole["families"] if family["smallest_auc"] is not None]
    if not whole["judgeable"]:
        return (
            f"With {whole['cases']} cases no statistic could have found a leak: only what must be the same for every "
            "case was compared."
        )
    unjudged = [f"“{family['name']}”" for family in whole["families"] if _finds_nothing(family)]
    beyond = f" Among {', '.join(unjudged)} no statistic could have found one." if unjudged else ""
    if not found:
        return f"With {whole['cases']} cases only what tells every case would have been found.{beyond}"
    least, most = min(found), max(found)
    span = f"{least:.2f} or more" if least == most else f"at least {least:.2f} to {most:.2f}, depending on what leaks"
    blunt = [f"“{family['name']}”" for family in whole["families"] if _finds_hardly_anything(family)]
    rest = f"; among {', '.join(blunt)} only what tells every case is found" if blunt else ""
    return f"With {whole['cases']} cases a leak is found with 90 % power when its AUC is {span}{rest}.{beyond}"


def _finds_nothing(family: Outcome) -> bool:
    return not family["judgeable"] and family["name"] != CLASSIFIER


def _finds_hardly_anything(family: Outcome) -> bool:
    """Many small leaks that add up have no smallest one, so the test of all together is no blunt one."""
    return family["smallest_auc"] is None and family["judgeable"] and family["name"] != CLASSIFIER


def certificate_for_report(study: Study) -> Outcome:
    """Of an unblinded study: the last outcome with its figures, every check since the lock, and the tries to lock."""
    checks = study.record.filter(action="checked for leaks").order_by("id")
    return {
        "attempts_to_lock": _completed(study.protocol.get("leak_audit", {}))["attempts"],
        "at_the_lock": study.protocol.get("leak_audit", {}),
        "checks_since": [{"at": check.at.isoformat(), **check.details} for check in checks],
        "last_outcome": study.leak_audit,
        "in_words": certificate_words(study),
    }


def certificate_words(study: Study) -> str:
    """For the methods: what was done, how often, what it could find, and how it ended."""
    outcome = _completed(study.leak_audit)
    attempts = outcome["attempts"]
    ended = "nothing was found" if outcome["passed"] else f"it found a leak ({', '.join(outcome['leaks'])})"
    tries = "at the first attempt" if attempts == 1 else f"at attempt {attempts}"
    return (
        f"Whatever raters and team could receive ({outcome['requests']} answers of the server to {outcome['raters']} "
        f"raters) and the stored pictures were tested for whether they tell the kinds apart; {ended}. "
        f"{limits_words(outcome)} The study was locked {tries}."
    )


def _completed(outcome: Outcome) -> Outcome:
    whole = {**_EARLIER, **outcome}
    findings = [{"family": "", **finding} for finding in whole["findings"]]
    leaks = whole.get("leaks", [finding["name"] for finding in findings if finding["leak"]])
    return {**whole, "findings": findings, "leaks": leaks}
