"""May this study be locked? Every condition with what is missing, in words for the coordinator."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext

from readerstudy.analysis import LEAST_OF_GROUP, AnalysisPlan, SameNames
from readerstudy.design.candidates import is_accepted, patient_of, root_of
from readerstudy.design.cases import compared_arms, patients_and_kinds, truths_of
from readerstudy.design.feedback import TALKING, TOLD, counting_words, told_elsewhere
from readerstudy.design.patients import PatientBalance, names_in_several_datasets
from readerstudy.design.phases import continued, missing_for_lock, phase_words
from readerstudy.design.pictures import Picture
from readerstudy.design.planned_phase import missing_for_comparison, named_measure
from readerstudy.design.services import display_of
from readerstudy.design.telling import missing_clue, telling_title, telling_words
from readerstudy.design.usual_words import USUAL
from readerstudy.models import CaseTruth, Feedback, GoingBack, Study
from readerstudy.models.study import most_repeats, too_many_repeats
from readerstudy.planning.plans import draft_plan
from readerstudy.planning.words import BETWEEN_PHASES

# An AUC of fewer has hardly a variance, and their share says little.
FEWEST_CONTROLS = 5
MOST_NAMES = 3


@dataclass(frozen=True, kw_only=True)
class Check:
    title: str
    met: bool
    message: str
    # An advice does not keep the study from being locked.
    advice: bool = False

    @property
    def blocks(self) -> bool:
        return not self.met and not self.advice


@dataclass(frozen=True, kw_only=True)
class BeforeLock:
    """What would be frozen now, and what speaks against it."""

    checks: list[Check]
    cases: int
    patients: int
    raters: int

    @property
    def ready(self) -> bool:
        return not blocking(self.checks)

    @property
    def advice(self) -> list[str]:
        """What a lock freezes unmended."""
        return [check.message for check in self.checks if check.advice and not check.met]


def readiness(study: Study) -> list[Check]:
    return before_lock(study).checks


def before_lock(study: Study) -> BeforeLock:
    truths, raters, plan = truths_of(study), study.raters.panel().count(), draft_plan(study)
    patients = {patient for patient, _ in patients_and_kinds(truths, same_names=plan.same_names)}
    checks = _checks(study, truths, raters, plan)
    return BeforeLock(checks=checks, cases=len(truths), patients=len(patients), raters=raters)


def _checks(study: Study, truths: list[CaseTruth], raters: int, plan: AnalysisPlan) -> list[Check]:
    """`plan` is what the lock would freeze: of the draft's choices those that fit."""
    ordinary = (
        counted_of(truths, **study.asked.task.put_together())
        if study.asked.task.images > 1
        else [truth for truth in truths if not truth.control]
    )
    return [
        _enough_cases(study, ordinary),
        _balanced(study, ordinary),
        _controls(study, truths),
        _all_accepted(truths),
        *_withdrawn(truths),
        *_trials(study, truths),
        _places_differ(truths),
        _raters(raters),
        _match(study),
        _twins(study, truths),
        *_patients(study, truths, plan.same_names),
        *_planned_arms(plan, truths),
        *_planned_groups(study, plan),
        *_repeats(study, truths),
        *_phases(study, truths),
        *_planned_phase(study),
        *_feedback(study, truths),
        *_words_of_the_size(study, raters, plan.sample_size),
        *_words_that_may_not_fit(study),
        _no_job(study),
    ]


def blocking(checks: list[Check]) -> list[str]:
    return [check.message for check in checks if check.blocks]


def _enough_cases(study: Study, truths: list[CaseTruth]) -> Check:
    count, planned = len(truths), study.cases_planned
    message = gettext("%(count)s of %(planned)s planned cases are chosen.") % {"count": count, "planned": planned}
    if count > planned:
        message += " " + gettext("Remove some.")
    elif 0 < count < planned:
        message += " " + _stopped_early(study)
    elif not count:
        message += " " + gettext("Draw them.")
    return Check(title="Cases", met=count == planned, message=message)


def _stopped_early(study: Study) -> str:
    even = gettext("give both kinds the same number of cases per scan")
    alike = even if study.asked.task.images <= 2 else gettext("make whole trials of one scan")
    return gettext(
        "A draw that stops early found no more places that show no part of a scan twice and %(alike)s: add scans and "
        "edits, or plan for another number."
    ) % {"alike": alike}


def _repeats(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Whether so many cases can be shown twice so far apart; nothing where none is asked for."""
    if not study.repeats or not truths:
        return []
    cases, distance = len(truths), study.repeat_distance
    if study.repeats > most_repeats(cases=cases, distance=distance):
        return [Check(title="Cases shown twice", met=False, message=too_many_repeats(cases=cases, distance=distance))]
    slots = cases + study.repeats
    message = gettext(
        "%(repeats)s of %(cases)s cases come twice, %(distance)s apart: every rater answers %(slots)s times."
    ) % {"repeats": study.repeats, "cases": cases, "distance": distance, "slots": slots}
    return [Check(title="Cases shown twice", met=True, message=message)]


def _phases(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Of a study that continues another one."""
    if study.continues is None:
        return []
    missing = missing_for_lock(study, truths)
    message = " ".join(missing) or phase_words(continued(study))
    return [Check(title="Earlier study", met=not missing, message=message)]


def _planned_phase(study: Study) -> list[Check]:
    """A comparison with the earlier study that the plan names."""
    if study.continues is None or not named_measure(study):
        return []
    missing = missing_for_comparison(study)
    message = missing or gettext("The plan compares the answers with those of “%(title)s”.") % {
        "title": study.continues.asked.title
    }
    return [Check(title="Phases of the plan", met=not missing, message=message)]


def _feedback(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Of a study that tells its raters truths, or is linked with one that does."""
    if missing := told_elsewhere(study):
        return [Check(title="Feedback", met=False, message=" ".join(missing))]
    if study.feedback == Feedback.NONE:
        return []
    message = f"{gettext(TOLD[Feedback(study.feedback)])} {gettext(TALKING)}"
    counted = counting_words(study, truths)
    if not counted:
        return [Check(title="Feedback", met=True, message=message)]
    return [Check(title="Feedback", met=False, message=f"{message} {counted}", advice=True)]


def _balanced(study: Study, truths: list[CaseTruth]) -> Check:
    synthetic = sum(truth.synthetic for truth in truths)
    real = len(truths) - synthetic
    of_real, of_synthetic = study.asked.task.of_each_kind
    met = real * of_synthetic == synthetic * of_real > 0
    numbers = {"real": real, "synthetic": synthetic, "of_real": of_real, "of_synthetic": of_synthetic}
    message = gettext("%(real)s real and %(synthetic)s synthetic cases.") % numbers
    if not met and of_real == of_synthetic:
        message += " " + gettext("Make them equal.")
    elif not met:
        message += " " + gettext("Every trial takes %(of_real)s and %(of_synthetic)s of them.") % numbers
    return Check(title="Balance", met=met, message=message)


def _controls(study: Study, truths: list[CaseTruth]) -> Check:
    """Without them no result can say "equivalent": nobody would know whether these raters find anything."""
    count = sum(truth.control for truth in truths)
    task = study.asked.task
    if task.images > 1:
        return _control_trials(count // (task.of_each_kind[1] or 1), right_choice=task.right_choice)
    some = ngettext("%(count)s positive control is marked.", "%(count)s positive controls are marked.", count) % {
        "count": count
    }
    marked = some if count else gettext("No positive controls are marked.")
    told = (
        gettext(
            "With fewer than %(fewest)s the results can't say “equivalent”: mark edits that were degraded on "
            "purpose on the page of the cases."
        )
        if count < FEWEST_CONTROLS
        else gettext("They are counted apart.")
    )
    message = f"{marked} {told % {'fewest': FEWEST_CONTROLS}}"
    return Check(title="Positive controls", met=count >= FEWEST_CONTROLS, message=message, advice=True)


def _control_trials(count: int, *, right_choice: bool) -> Check:
    if not right_choice:
        return Check(title="Positive controls", met=True, message=gettext("Of preferences “equivalent” is never said."))
    some = ngettext("%(count)s trial of positive controls.", "%(count)s trials of positive controls.", count)
    marked = some % {"count": count} if count else gettext("No trial of positive controls.")
    told = (
        gettext(
            "With fewer than %(fewest)s the results can't say “equivalent”: mark edits that were degraded on purpose "
            "on the page of the cases, all synthetic ones of a trial, or add them with as many real images as trials "
            "of them take."
        )
        % {"fewest": FEWEST_CONTROLS}
        if count < FEWEST_CONTROLS
        else gettext("They are counted apart.")
    )
    return Check(title="Positive controls", met=count >= FEWEST_CONTROLS, message=f"{marked} {told}", advice=True)


def _trials(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Where several images are shown at a time, every one must have its place in a trial."""
    images, rule = study.asked.task.images, study.asked.task.put_together()
    if images == 1:
        return []
    missing = _without_a_place(truths, **rule)
    count = len(truths) // images
    return [Check(title="Trials", met=not missing, message=missing or _trials_counted(count, images))]


def _trials_counted(count: int, images: int) -> str:
    return gettext("%(count)s trials of %(images)s images.") % {"count": count, "images": images}


def _without_a_place(truths: list[CaseTruth], *, images: int, finds_synthetic: bool, matched: bool) -> str:
    """Why these cases make no trials; empty where they do."""
    controls, each = sum(truth.control for truth in truths), 1 if finds_synthetic else images - 1
    if controls % each:
        return gettext(
            "%(count)s positive controls do not make trials with %(each)s of them in each: mark more or fewer."
        ) % {"count": controls, "each": each}
    if matched:
        return _without_a_partner(truths, images=images, finds_synthetic=finds_synthetic)
    found = sum(truth.synthetic == finds_synthetic for truth in truths)
    if found * images == len(truths):
        return ""
    return gettext("%(found)s images to find and %(others)s others do not make trials of %(images)s.") % {
        "found": found,
        "others": len(truths) - found,
        "images": images,
    }


def counted_of(truths: list[CaseTruth], *, images: int, finds_synthetic: bool, matched: bool) -> list[CaseTruth]:
    """Without the trials of positive controls. Of images put together at random those count for as many real ones."""
    of_controls = {truth.pair for truth in truths if truth.control}
    if matched:
        return [truth for truth in truths if truth.pair not in of_controls]
    controls = sum(truth.control for truth in truths)
    beside = controls * (images - 1) if finds_synthetic else controls // (images - 1)
    real = [truth for truth in truths if not truth.synthetic]
    return [truth for truth in truths if truth.synthetic and not truth.control] + real[: max(0, len(real) - beside)]


def _without_a_partner(truths: list[CaseTruth], *, images: int, finds_synthetic: bool) -> str:
    together: dict[int | None, list[CaseTruth]] = {}
    for truth in truths:
        together.setdefault(truth.pair, []).append(truth)
    # Positive controls that were added by hand are put together with real images that were.
    by_hand = together.get(None, [])
    if any(truth.control for truth in by_hand) and all(truth.control == truth.synthetic for truth in by_hand):
        together.pop(None)
        found = sum(truth.synthetic == finds_synthetic for truth in by_hand)
        if found * images != len(by_hand):
            return gettext(
                "%(found)s images to find and %(others)s others that were added by hand do not make trials of "
                "%(images)s with positive controls."
            ) % {"found": found, "others": len(by_hand) - found, "images": images}
    if mixed := sum(len({t.control for t in group if t.synthetic}) > 1 for group in together.values()):
        return gettext(
            "%(count)s trials show positive controls beside other edits: mark all edits of a trial, or none."
        ) % {"count": mixed}
    alone = sum(len(group) for pair, group in together.items() if pair is None or len(group) != images)
    if alone:
        return gettext(
            "%(count)s cases have no partner in the draw; draw the cases, or put images together at random."
        ) % {"count": alone}
    several = sum(len({root_of(truth.scan).pk for truth in group}) > 1 for group in together.values())
    if several and images > 2:
        return gettext(
            "%(count)s trials are of more than one scan, so that the image to find stands out; draw the cases again."
        ) % {"count": several}
    return ""


def _all_accepted(truths: list[CaseTruth]) -> Check:
    open_ = sum(truth.synthetic and not is_accepted(truth.scan) for truth in truths)
    message = (
        ngettext(
            "%(count)s synthetic case is not accepted in the review; review or remove it.",
            "%(count)s synthetic cases are not accepted in the review; review or remove them.",
            open_,
        )
        % {"count": open_}
        if open_
        else gettext("All synthetic cases were reviewed and accepted.")
    )
    return Check(title="Review", met=not open_, message=message)


def _withdrawn(truths: list[CaseTruth]) -> list[Check]:
    gone = sum(truth.scan.withdrawn_at is not None for truth in truths)
    if not gone:
        return []
    message = ngettext(
        "%(count)s case shows a scan that was withdrawn, so its pixels are no longer here; remove it.",
        "%(count)s cases show scans that were withdrawn, so their pixels are no longer here; remove them.",
        gone,
    ) % {"count": gone}
    return [Check(title="Withdrawn", met=False, message=message)]


def _places_differ(truths: list[CaseTruth]) -> Check:
    places = Counter((truth.scan_id, *(round(v, 1) for v in truth.place_lps_mm)) for truth in truths)
    twice = sum(count - 1 for count in places.values())
    again = ngettext(
        "%(count)s case shows the place of another in the same scan; remove it.",
        "%(count)s cases show the places of others in the same scan; remove them.",
        twice,
    ) % {"count": twice}
    message = again if twice else gettext("No case comes twice.")
    return Check(title="No case twice", met=not twice, message=message)


def _raters(count: int) -> Check:
    chosen = ngettext("%(count)s rater is chosen.", "%(count)s raters are chosen.", count) % {"count": count}
    message = chosen if count else gettext("No person is chosen to rate; invite people and choose them here.")
    return Check(title="Raters", met=count > 0, message=message)


def _planned_arms(plan: AnalysisPlan, truths: list[CaseTruth]) -> list[Check]:
    """A comparison that the plan names needs cases of every arm that it names."""
    named = plan.compared_arms
    if not named:
        return []
    missing = [name for name in named if name not in compared_arms(truths)]
    message = gettext("The plan compares %(arms)s.") % {"arms": _quoted(named)}
    if missing:
        message += " " + gettext("No case is of %(arms)s: draw cases of every arm, or change the plan.") % {
            "arms": _quoted(missing)
        }
    return [Check(title="Arms of the plan", met=not missing, message=message)]


def _planned_groups(study: Study, plan: AnalysisPlan) -> list[Check]:
    """A comparison that the plan names needs two groups, each with raters enough to be tested."""
    if "groups" not in plan.secondary:
        return []
    sizes = Counter(study.raters.panel().exclude(group="").values_list("group", flat=True))
    met = len(sizes) == 2 and min(sizes.values()) >= LEAST_OF_GROUP
    message = gettext("The plan compares two groups of raters.")
    if not met:
        message += " " + gettext("Put %(least)s raters or more into each of two groups, or change the plan.") % {
            "least": LEAST_OF_GROUP
        }
    return [Check(title="Groups of the plan", met=met, message=message)]


def _words_of_the_size(study: Study, raters: int, size: str) -> list[Check]:
    """The plan's words, which the methods print, against the study as it is."""
    sizes = [f"{study.cases_planned} cases", *([f"{raters} rater{'' if raters == 1 else 's'}"] if raters else [])]
    missing = [words for words in sizes if not re.search(rf"\b{words}\b", size)]
    wrong = []
    if missing:
        wrong.append(
            gettext("The plan's words on the size do not speak of %(sizes)s; the methods print them.")
            % {"sizes": _quoted(missing)}
        )
    if BETWEEN_PHASES in size and study.continues is None:
        wrong.append(
            gettext(
                "The plan's words on the size promise a change between two phases, and this study continues none, so "
                "it compares nothing: choose the earlier study in the protocol, or let the words say that this is the "
                "first."
            )
        )
    if not size or not wrong:
        return []
    return [Check(title="Words on the size", met=False, message=" ".join(wrong), advice=True)]


def _words_that_may_not_fit(study: Study) -> list[Check]:
    """What people have written before they changed what it speaks of; only they know what it should say."""
    telling = {"Title": telling_title(study.title), "Words": telling_words(study), "Clue": missing_clue(study)}
    checks = [Check(title=title, met=False, message=said, advice=True) for title, said in telling.items() if said]
    told = any(words in study.instructions for words in USUAL[study.language].going_back)
    if study.going_back == GoingBack.NEVER and told:
        message = gettext(
            "The instructions tell raters that they can go back, and the protocol lets them change no answer."
        )
        checks.append(Check(title="Instructions", met=False, message=message, advice=True))
    if study.feedback != Feedback.NONE and any(one in study.instructions for one in USUAL[study.language].no_feedback):
        message = gettext("The instructions tell raters that they get no feedback, and the protocol gives them some.")
        checks.append(Check(title="Instructions", met=False, message=message, advice=True))
    return checks


def _match(study: Study) -> Check:
    """What a rater could tell the kinds apart by, without looking at the lesion."""
    report = study.match_report
    if not report.get("measures"):
        message = gettext(
            "How alike the kinds are is not known: draw cases, or draw them again if they are from before."
        )
        return Check(title="Match", met=False, message=message, advice=True)
    if report["display"] != display_of(study):
        message = gettext("The display was changed since the draw, so other lesions stand in the pictures. Draw again.")
        return Check(title="Match", met=False, message=message)
    apart, undecided = (_measures_that_are(report, verdict) for verdict in ("apart", "open"))
    low, high = (number_format(limit) for limit in report["limits"])
    if apart:
        message = gettext(
            "Real and synthetic cases can be told apart without looking at the lesion, by %(measures)s. Draw "
            "them again, with more candidates of both kinds in like places."
        ) % {"measures": _listed(apart)}
        return Check(title="Match", met=False, message=message)
    if undecided:
        message = gettext(
            "Not shown to be alike (an interval reaches beyond %(low)s to %(high)s): %(measures)s. More cases, "
            "or more candidates to draw from, would settle it."
        ) % {"low": low, "high": high, "measures": _listed(undecided)}
        return Check(title="Match", met=False, message=message, advice=True)
    message = gettext(
        "Real and synthetic cases are alike in all but the lesion: the interval of each measure lies within the limits."
    )
    return Check(title="Match", met=True, message=message)


def _measures_that_are(report: dict[str, Any], verdict: str) -> list[str]:
    return [
        f"{gettext(m['words'])} (AUC {number_format(m['auc'], 2)})"
        for m in report["measures"]
        if m["verdict"] == verdict
    ]


def _quoted(names: Sequence[str]) -> str:
    return _listed([f"“{name}”" for name in names])


def _listed(words: list[str]) -> str:
    return gettext(" and ").join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _twins(study: Study, truths: list[CaseTruth]) -> Check:
    """Whoever sees a part of a scan twice, once with one lesion more, needs no radiology to call it synthetic."""
    again = _cases_sharing_a_picture(study, truths)
    if not again:
        return Check(title="Twins", met=True, message=gettext("No two cases show the same part of a scan."))
    if study.twins_allowed:
        message = gettext(
            "%(count)s cases show a part of a scan that another case shows too, as the protocol allows."
        ) % {"count": again}
        return Check(title="Twins", met=False, message=message, advice=True)
    message = gettext(
        "%(count)s cases show a part of a scan that another case shows too: comparing the two solves both. Draw again, "
        "remove some, or let the protocol allow twins."
    ) % {"count": again}
    return Check(title="Twins", met=False, message=message)


def _cases_sharing_a_picture(study: Study, truths: list[CaseTruth]) -> int:
    picture = Picture.of(study, [truth.scan for truth in truths])
    by_root: dict[Any, list[list[float]]] = {}
    for truth in truths:
        by_root.setdefault(root_of(truth.scan).pk, []).append(truth.place_lps_mm)
    sharing = 0
    for held in by_root.values():
        places = np.array(held)
        shared = picture.shares(places, places)
        np.fill_diagonal(shared, False)
        sharing += int(shared.any(axis=1).sum())
    return sharing


def _patients(study: Study, truths: list[CaseTruth], same_names: SameNames) -> list[Check]:
    of_real, of_synthetic = study.asked.task.of_each_kind
    kinds = patients_and_kinds(truths, same_names=same_names)
    balance = PatientBalance.of(kinds, synthetic_per_real=of_synthetic / of_real)
    known = Check(title="Patients", met=not balance.lopsided, message=balance.words, advice=not balance.confounded)
    twice = names_in_several_datasets(patient_of(truth.scan) for truth in truths)
    if not twice:
        return [known]
    named = _quoted(twice[:MOST_NAMES]) + (gettext(" and others") if len(twice) > MOST_NAMES else "")
    counted = gettext("different people") if same_names == "apart" else gettext("one person each")
    message = gettext(
        "%(named)s stand in several datasets. Patients of one name count as %(counted)s, as the analysis plan "
        "says: change it there if that is wrong."
    ) % {"named": named, "counted": counted}
    return [known, Check(title="Names of patients", met=False, message=message, advice=True)]


def _no_job(study: Study) -> Check:
    job = study.busy_job
    message = (
        gettext("“%(title)s” is still at work.") % {"title": job.title}
        if job
        else gettext("No job is at work on this study.")
    )
    return Check(title="Nothing in progress", met=job is None, message=message)
