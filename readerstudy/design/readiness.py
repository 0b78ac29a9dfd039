"""May this study be locked? Every condition with what is missing, in words for the coordinator."""

import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from readerstudy.analysis import LEAST_OF_GROUP, AnalysisPlan, SameNames
from readerstudy.design.candidates import is_accepted, patient_of, root_of
from readerstudy.design.cases import compared_arms, patients_and_kinds, truths_of
from readerstudy.design.feedback import TALKING, WHEN, counting_words, told_elsewhere
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
    message = f"{count} of {planned} planned cases are chosen"
    even = "give both kinds the same number of cases per scan"
    alike = even if study.asked.task.images <= 2 else "make whole trials of one scan"
    if count > planned:
        message += "; remove some"
    elif 0 < count < planned:
        message += (
            f"; a draw that stops early found no more places that show no part of a scan twice and {alike}: add scans "
            "and edits, or plan for another number"
        )
    elif not count:
        message += "; draw them"
    return Check(title="Cases", met=count == planned, message=message + ".")


def _repeats(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Whether so many cases can be shown twice so far apart; nothing where none is asked for."""
    if not study.repeats or not truths:
        return []
    cases, distance = len(truths), study.repeat_distance
    if study.repeats > most_repeats(cases=cases, distance=distance):
        return [Check(title="Cases shown twice", met=False, message=too_many_repeats(cases=cases, distance=distance))]
    slots = cases + study.repeats
    message = f"{study.repeats} of {cases} cases come twice, {distance} apart: every rater answers {slots} times."
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
    message = missing or f"The plan compares the answers with those of “{study.continues.asked.title}”."
    return [Check(title="Phases of the plan", met=not missing, message=message)]


def _feedback(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Of a study that tells its raters truths, or is linked with one that does."""
    if missing := told_elsewhere(study):
        return [Check(title="Feedback", met=False, message=" ".join(missing))]
    if study.feedback == Feedback.NONE:
        return []
    message = f"Raters are told what their cases were {WHEN[Feedback(study.feedback)]}. {TALKING}"
    counted = counting_words(study, truths)
    if not counted:
        return [Check(title="Feedback", met=True, message=message)]
    return [Check(title="Feedback", met=False, message=f"{message} {counted}.", advice=True)]


def _balanced(study: Study, truths: list[CaseTruth]) -> Check:
    synthetic = sum(truth.synthetic for truth in truths)
    real = len(truths) - synthetic
    of_real, of_synthetic = study.asked.task.of_each_kind
    met = real * of_synthetic == synthetic * of_real > 0
    wanted = "make them equal" if of_real == of_synthetic else f"every trial takes {of_real} and {of_synthetic} of them"
    message = f"{real} real and {synthetic} synthetic cases" + ("." if met else f"; {wanted}.")
    return Check(title="Balance", met=met, message=message)


def _controls(study: Study, truths: list[CaseTruth]) -> Check:
    """Without them no result can say "equivalent": nobody would know whether these raters find anything."""
    count = sum(truth.control for truth in truths)
    task = study.asked.task
    if task.images > 1:
        return _control_trials(count // (task.of_each_kind[1] or 1), right_choice=task.right_choice)
    marked = "1 positive control is marked" if count == 1 else f"{count or 'No'} positive controls are marked"
    message = f"{marked}; they are counted apart."
    if count < FEWEST_CONTROLS:
        message = (
            f"{marked}. With fewer than {FEWEST_CONTROLS} the results can't say "
            "“equivalent”: mark edits that were degraded on purpose on the page of the cases."
        )
    return Check(title="Positive controls", met=count >= FEWEST_CONTROLS, message=message, advice=True)


def _control_trials(count: int, *, right_choice: bool) -> Check:
    marked = f"{count or 'No'} trial{'' if count == 1 else 's'} of positive controls"
    message = f"{marked}; they are counted apart."
    if not right_choice:
        return Check(title="Positive controls", met=True, message="Of preferences “equivalent” is never said.")
    if count < FEWEST_CONTROLS:
        message = (
            f"{marked}. With fewer than {FEWEST_CONTROLS} the results can't say “equivalent”: mark edits that were "
            "degraded on purpose on the page of the cases, all synthetic ones of a trial, or add them with as many "
            "real images as trials of them take."
        )
    return Check(title="Positive controls", met=count >= FEWEST_CONTROLS, message=message, advice=True)


def _trials(study: Study, truths: list[CaseTruth]) -> list[Check]:
    """Where several images are shown at a time, every one must have its place in a trial."""
    images, rule = study.asked.task.images, study.asked.task.put_together()
    if images == 1:
        return []
    missing = _without_a_place(truths, **rule)
    count = len(truths) // images
    return [Check(title="Trials", met=not missing, message=missing or f"{count} trials of {images} images.")]


def _without_a_place(truths: list[CaseTruth], *, images: int, finds_synthetic: bool, matched: bool) -> str:
    """Why these cases make no trials; empty where they do."""
    controls, each = sum(truth.control for truth in truths), 1 if finds_synthetic else images - 1
    if controls % each:
        return f"{controls} positive controls do not make trials with {each} of them in each: mark more or fewer."
    if matched:
        return _without_a_partner(truths, images=images, finds_synthetic=finds_synthetic)
    found = sum(truth.synthetic == finds_synthetic for truth in truths)
    if found * images == len(truths):
        return ""
    return f"{found} images to find and {len(truths) - found} others do not make trials of {images}."


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
    if by_hand and all(truth.control == truth.synthetic for truth in by_hand):
        together.pop(None)
        found = sum(truth.synthetic == finds_synthetic for truth in by_hand)
        if found * images != len(by_hand):
            return (
                f"{found} images to find and {len(by_hand) - found} others that were added by hand do not make trials "
                f"of {images} with positive controls."
            )
    if mixed := sum(len({t.control for t in group if t.synthetic}) > 1 for group in together.values()):
        return f"{mixed} trials show positive controls beside other edits: mark all edits of a trial, or none."
    alone = sum(len(group) for pair, group in together.items() if pair is None or len(group) != images)
    if alone:
        return f"{alone} cases have no partner in the draw; draw the cases, or put images together at random."
    several = sum(len({root_of(truth.scan).pk for truth in group}) > 1 for group in together.values())
    if several and images > 2:
        return (
            f"{several} trials are of more than one scan, so that the image to find stands out; draw the cases again."
        )
    return ""


def _all_accepted(truths: list[CaseTruth]) -> Check:
    open_ = sum(truth.synthetic and not is_accepted(truth.scan) for truth in truths)
    message = (
        f"{open_} synthetic {'case is' if open_ == 1 else 'cases are'} not accepted in the review; review or remove "
        f"{'it' if open_ == 1 else 'them'}."
        if open_
        else "All synthetic cases were reviewed and accepted."
    )
    return Check(title="Review", met=not open_, message=message)


def _withdrawn(truths: list[CaseTruth]) -> list[Check]:
    gone = sum(truth.scan.withdrawn_at is not None for truth in truths)
    if not gone:
        return []
    message = (
        "1 case shows a scan that was withdrawn, so its pixels are no longer here; remove it."
        if gone == 1
        else f"{gone} cases show scans that were withdrawn, so their pixels are no longer here; remove them."
    )
    return [Check(title="Withdrawn", met=False, message=message)]


def _places_differ(truths: list[CaseTruth]) -> Check:
    places = Counter((truth.scan_id, *(round(v, 1) for v in truth.place_lps_mm)) for truth in truths)
    twice = sum(count - 1 for count in places.values())
    shown = "1 case shows the place of another" if twice == 1 else f"{twice} cases show the places of others"
    message = f"{shown} in the same scan; remove {'it' if twice == 1 else 'them'}." if twice else "No case comes twice."
    return Check(title="No case twice", met=not twice, message=message)


def _raters(count: int) -> Check:
    chosen = "1 rater is" if count == 1 else f"{count} raters are"
    message = f"{chosen} chosen." if count else "No person is chosen to rate; invite people and choose them here."
    return Check(title="Raters", met=count > 0, message=message)


def _planned_arms(plan: AnalysisPlan, truths: list[CaseTruth]) -> list[Check]:
    """A comparison that the plan names needs cases of every arm that it names."""
    named = plan.compared_arms
    if not named:
        return []
    missing = [name for name in named if name not in compared_arms(truths)]
    message = f"The plan compares {_listed([f'“{name}”' for name in named])}."
    if missing:
        lacking = _listed([f"“{name}”" for name in missing])
        message += f" No case is of {lacking}: draw cases of every arm, or change the plan."
    return [Check(title="Arms of the plan", met=not missing, message=message)]


def _planned_groups(study: Study, plan: AnalysisPlan) -> list[Check]:
    """A comparison that the plan names needs two groups, each with raters enough to be tested."""
    if "groups" not in plan.secondary:
        return []
    sizes = Counter(study.raters.panel().exclude(group="").values_list("group", flat=True))
    met = len(sizes) == 2 and min(sizes.values()) >= LEAST_OF_GROUP
    message = "The plan compares two groups of raters."
    if not met:
        message += f" Put {LEAST_OF_GROUP} raters or more into each of two groups, or change the plan."
    return [Check(title="Groups of the plan", met=met, message=message)]


def _words_of_the_size(study: Study, raters: int, size: str) -> list[Check]:
    """The plan's words, which the methods print, against the study as it is."""
    sizes = [f"{study.cases_planned} cases", *([f"{raters} rater{'' if raters == 1 else 's'}"] if raters else [])]
    missing = [words for words in sizes if not re.search(rf"\b{words}\b", size)]
    wrong = []
    if missing:
        wrong.append(f"The plan's words on the size do not speak of {' and '.join(missing)}; the methods print them.")
    if BETWEEN_PHASES in size and study.continues is None:
        wrong.append(
            "The plan's words on the size promise a change between two phases, and this study continues none, so it "
            "compares nothing: choose the earlier study in the protocol, or let the words say that this is the first."
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
        message = "The instructions tell raters that they can go back, and the protocol lets them change no answer."
        checks.append(Check(title="Instructions", met=False, message=message, advice=True))
    if study.feedback != Feedback.NONE and any(one in study.instructions for one in USUAL[study.language].no_feedback):
        message = "The instructions tell raters that they get no feedback, and the protocol gives them some."
        checks.append(Check(title="Instructions", met=False, message=message, advice=True))
    return checks


def _match(study: Study) -> Check:
    """What a rater could tell the kinds apart by, without looking at the lesion."""
    report = study.match_report
    if not report.get("measures"):
        message = "How alike the kinds are is not known: draw cases, or draw them again if they are from before."
        return Check(title="Match", met=False, message=message, advice=True)
    if report["display"] != display_of(study):
        message = "The display was changed since the draw, so other lesions stand in the pictures. Draw again."
        return Check(title="Match", met=False, message=message)
    apart, undecided = (_measures_that_are(report, verdict) for verdict in ("apart", "open"))
    low, high = report["limits"]
    if apart:
        message = (
            f"Real and synthetic cases can be told apart without looking at the lesion, by {_listed(apart)}. "
            "Draw them again, with more candidates of both kinds in like places."
        )
        return Check(title="Match", met=False, message=message)
    if undecided:
        message = (
            f"Not shown to be alike (an interval reaches beyond {low} to {high}): {_listed(undecided)}. More cases, or "
            "more candidates to draw from, would settle it."
        )
        return Check(title="Match", met=False, message=message, advice=True)
    message = (
        "Real and synthetic cases are alike in all but the lesion: the interval of each measure lies within the limits."
    )
    return Check(title="Match", met=True, message=message)


def _measures_that_are(report: dict[str, Any], verdict: str) -> list[str]:
    return [f"{m['words']} (AUC {m['auc']:.2f})" for m in report["measures"] if m["verdict"] == verdict]


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _twins(study: Study, truths: list[CaseTruth]) -> Check:
    """Whoever sees a part of a scan twice, once with one lesion more, needs no radiology to call it synthetic."""
    again = _cases_sharing_a_picture(study, truths)
    if not again:
        return Check(title="Twins", met=True, message="No two cases show the same part of a scan.")
    if study.twins_allowed:
        message = f"{again} cases show a part of a scan that another case shows too, as the protocol allows."
        return Check(title="Twins", met=False, message=message, advice=True)
    message = (
        f"{again} cases show a part of a scan that another case shows too: comparing the two solves both. Draw again, "
        "remove some, or let the protocol allow twins."
    )
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
    named = _listed([f"“{name}”" for name in twice[:MOST_NAMES]]) + (" and others" if len(twice) > MOST_NAMES else "")
    counted = "different people" if same_names == "apart" else "one person each"
    message = (
        f"{named} stand in several datasets. Patients of one name count as {counted}, as the analysis plan says: "
        "change it there if that is wrong."
    )
    return [known, Check(title="Names of patients", met=False, message=message, advice=True)]


def _no_job(study: Study) -> Check:
    job = study.busy_job
    message = f"“{job.title}” is still at work." if job else "No job is at work on this study."
    return Check(title="Nothing in progress", met=job is None, message=message)
