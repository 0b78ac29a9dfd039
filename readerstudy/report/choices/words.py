"""What page, texts and document say of choices among several images: tables and sentences of the same numbers."""

from readerstudy.analysis import ChoiceReading, Verdict, level_words
from readerstudy.choices import ChoiceResults
from readerstudy.planning.choice_words import AT_RANDOM, MATCHED, control_trials_rule
from readerstudy.planning.words import CHOICE_SECTION_WORDS
from readerstudy.report.choices.report import ChoiceReport
from readerstudy.report.figures.figure_tables import Table
from readerstudy.report.further_words import further_paragraph
from readerstudy.report.groups_words import groups_words
from readerstudy.report.phases_methods import phases_methods
from readerstudy.report.phases_words import phases_words
from readerstudy.report.text import (
    design_sentences,
    level_percent_of,
    p_number,
    p_words,
    percent,
    proof_sentences,
    share_words,
    simulated_words,
    verdict_headline,
)

OF_TRIALS = "takes trials for independent, which those of one patient are not here: a description, no evidence"
DECIDES = (
    " Trials whose images to find were of one patient were drawn together, and as the other images have patients too, "
    "the larger of this p and that of the averaged share decided."
)
NO_RIGHT_CHOICE = "There was no right choice: raters said which image they found better, and results compare the arms."


def headline(results: ChoiceResults) -> str:
    return verdict_headline(Verdict(results.verdict)) if results.verdict else results.sentence.partition(":")[0]


def pairing_words(report: ChoiceReport) -> str:
    return MATCHED if report.task.put_together()["matched"] else AT_RANDOM


def raters_table(report: ChoiceReport) -> Table:
    """Of preferences without what only right choices have."""
    results, level = report.results, level_percent_of(report.alpha)
    rows = zip(results.raters, results.choices.readers, results.choices.p_adjusted, results.sides, strict=True)
    if not report.task.right_choice:
        columns = ["Rater", "Choices", "Most chosen side"]
        return Table(
            columns=columns,
            rows=[[report.rater_labels[number], str(reading.n), percent(side)] for number, reading, _, side in rows],
        )
    return Table(
        columns=["Rater", "Right", "Share right", "d′ of single images", "p", "p adjusted", "Most chosen side"],
        rows=[
            [report.rater_labels[number], *_reading(reading, level=level), p_number(adjusted), percent(side)]
            for number, reading, adjusted, side in rows
        ],
    )


def _reading(reading: ChoiceReading, *, level: str) -> list[str]:
    d_prime = share_words(reading.d_prime, level=level)
    return [f"{reading.right} of {reading.n}", share_words(reading.share, level=level), d_prime, p_number(reading.p)]


def programs_table(report: ChoiceReport) -> Table | None:
    """None where no program read."""
    level = level_percent_of(report.alpha)
    rows = [[one.program, *_reading(one.reading, level=level)] for one in report.results.programs]
    columns = ["Program", "Right", "Share right", "d′ of single images", "p"]
    return Table(columns=columns, rows=rows) if rows else None


def panel_lines(report: ChoiceReport) -> list[tuple[str, str, str]]:
    """Name, section of the plan and words of each number of the panel; none where there is no right choice."""
    if not report.task.right_choice:
        return []
    return [
        ("Exact joint test", "primary", _joint(report)),
        ("Averaged over raters", "choice_share", _share(report)),
        ("Within the margin", "choice_share", _within(report)),
        ("Trials of positive controls", "primary", _controls(report)),
        ("Image that most raters chose", "plurality", _plurality(report)),
        ("Agreement", "choice_agreement", _agreement(report)),
        *([("Choices and confidence", "choice_raters", _sureness(report))] if report.results.sureness else []),
    ]


def _joint(report: ChoiceReport) -> str:
    found = report.results.choices
    joint = found.joint
    if joint.expected is None or joint.sd is None:
        return "no choices"
    words = (
        f"{joint.right} right choices, {joint.expected:.1f} expected of images that are alike (SD {joint.sd:.2f}): "
        f"{p_words(joint.p)}, for all raters at once"
    )
    if not found.by_patient:
        return f"{words} and whatever they have in common"
    return (
        f"{words}, all trials of a patient together. As the other images have patients too, the larger of this p and "
        f"that of the averaged share decides: {p_words(found.decision_p)}"
    )


def _share(report: ChoiceReport) -> str:
    panel, level = report.results.choices.panel, level_percent_of(report.alpha)
    scales = ""
    if panel.d_prime is not None and panel.area is not None:
        matched = report.task.put_together()["matched"]
        to = "an area that no study of single images compares with" if matched else "an AUC of single images"
        scales = f"; d′ {panel.d_prime:.3f}, {to} of {panel.area:.3f}"
    tested = panel.p is not None and panel.df is not None
    units = "patients as units" if report.plan["unit"] == "patient" else "trials as units"
    test = f"; t with {panel.df:.1f} degrees of freedom, {p_words(panel.p)}" if tested else ""
    note = f". {panel.note[:1].upper()}{panel.note[1:]}" if panel.note else ""
    random = "" if panel.note else "raters and trials random, "
    return f"{share_words(panel.share, level=level)}{scales}{test} ({random}{units}){note}"


def _within(report: ChoiceReport) -> str:
    found = report.results.choices
    low, high = found.shares_within
    limits, level = found.panel.equivalence_interval, level_words(1 - 2 * report.alpha)
    margin = f"{low:.3f} to {high:.3f}, an area of 0.5 ± {100 * found.margin:g} points"
    if limits is None:
        return f"not tested: there is no interval; the margin is {margin}"
    interval = f"the {level} % interval {limits[0]:.3f} to {limits[1]:.3f}"
    if found.panel.note:
        return f"not tested, {interval} is not to be trusted: {found.panel.note}; the margin is {margin}"
    lies = "lies within" if found.panel.equivalent else "does not lie within"
    return f"{interval} {lies} {margin}"


def _controls(report: ChoiceReport) -> str:
    """Counted apart: what proves that these raters would have found a difference."""
    controls = report.results.controls
    if controls is None or not controls.n:
        return "none were shown, so “equivalent” can't be said"
    most = f", in {controls.found} of {controls.n} trials by most raters"
    needed = "" if controls.needed is None else f" ({controls.needed} planned for)"
    proven = f"this proves nothing: {controls.reason}" if controls.reason else "so these raters find such edits"
    return f"right in {controls.right} of {controls.answered} choices, {p_words(controls.p)}{most}{needed}; {proven}"


def _plurality(report: ChoiceReport) -> str:
    most = report.results.choices.plurality
    tied = f"{most.tied} tied and left out"
    return (
        f"right in {most.right} of {most.decided} trials with one such image, {tied}: {p_words(most.p)}"
        f"{_of_trials(report)}"
    )


def _of_trials(report: ChoiceReport) -> str:
    return f", which {OF_TRIALS}" if report.results.choices.by_patient else ""


def _agreement(report: ChoiceReport) -> str:
    agreement = report.results.choices.agreement
    if agreement.observed is None or agreement.expected is None:
        return "not estimable: no trial was answered by two raters"
    kappa = "not defined" if agreement.kappa is None else f"{agreement.kappa:.3f}"
    return (
        f"{percent(agreement.observed)} of pairs of raters chose the same image, {percent(agreement.expected)} "
        f"expected of their share of right choices: kappa {kappa}"
    )


def _sureness(report: ChoiceReport) -> str:
    results = report.results
    own = [
        f"{report.rater_labels[number]} {p_words(test.p)}, adjusted {p_words(adjusted)}"
        for number, test, adjusted in zip(results.raters, results.sureness, results.sureness_adjusted, strict=True)
    ]
    return f"exact signed rank tests of right choices by how sure raters were: {'; '.join(own)}{_of_trials(report)}"


def arms_table(report: ChoiceReport) -> Table:
    rows = [
        [
            one.arm,
            f"{one.votes} of {one.shown}",
            percent(one.votes / one.shown if one.shown else None),
            "–" if one.ability is None else f"{one.ability:+.3f}",
            "–" if one.se is None else f"{one.se:.3f}",
        ]
        for one in report.results.preference.abilities
    ]
    return Table(columns=["Arm", "Chosen", "Share", "Ability against real", "SE"], rows=rows)


def arms_words(report: ChoiceReport) -> str:
    preference = report.results.preference
    alike = ", the same in all trials of a patient" if report.results.choices.by_patient else ""
    exact = (
        f"All arms alike, by {preference.permutations} permutations within trials{alike}: "
        f"{p_words(preference.p_exact)}."
        if preference.p_exact is not None
        else "Whether all arms are alike can't be tested."
    )
    if preference.p_equal is None:
        return f"{exact} No abilities: {preference.reason}."
    return (
        f"{exact} Likelihood ratio {preference.statistic:.2f} on {preference.df} degrees of freedom, "
        f"{p_words(preference.p_equal)}, which takes all choices for independent."
    )


def arms_status(report: ChoiceReport) -> str:
    return report.status("choice_arms" if report.task.right_choice else "primary")


def results_text(report: ChoiceReport) -> list[str]:
    """Paragraphs, verdict first; whatever the plan does not name says so."""
    results, level = report.results, level_percent_of(report.alpha)
    paragraphs = [f"{results.sentence} {pairing_words(report)}"]
    if report.task.right_choice:
        own = " ".join(
            f"{report.rater_labels[number]} was right in {reading.right} of {reading.n} trials, "
            f"{share_words(reading.share, level=level)}, {p_words(reading.p)}, adjusted {p_words(adjusted)}."
            for number, reading, adjusted in zip(
                results.raters, results.choices.readers, results.choices.p_adjusted, strict=True
            )
        )
        if report.results.choices.by_patient:
            own += f" Each rater's p and interval {OF_TRIALS}."
        lines = [(name, section, f"{words}.") for name, section, words in panel_lines(report)]
        lines.insert(1, ("Each rater", "choice_raters", own))
        paragraphs += [f"{_marked(report, section)} {name}: {words}" for name, section, words in lines]
    chosen = "; ".join(f"{one.arm}: {one.votes} of {one.shown}" for one in results.preference.abilities)
    arms = "choice_arms" if report.task.right_choice else "primary"
    counted = f"{_marked(report, arms)} How often images of each arm were chosen: {chosen}."
    paragraphs.append(f"{counted} {arms_words(report)}")
    if results.programs:
        paragraphs.append(_programs(report))
    if report.groups.readings:
        paragraphs.append(f"{_marked(report, 'groups')} Groups of raters: {groups_words(report)}")
    if further := further_paragraph(report):
        paragraphs.append(further)
    if report.phases is not None:
        paragraphs.append(" ".join(phases_words(report.phases)))
    if simulated := simulated_words(report):
        paragraphs.insert(0, simulated)
    if not report.intact:
        paragraphs.insert(0, report.verified)
    return paragraphs


def _programs(report: ChoiceReport) -> str:
    level = level_percent_of(report.alpha)
    own = "; ".join(
        f"{one.program} was right in {one.reading.right} of {one.reading.n} trials, "
        f"{share_words(one.reading.share, level=level)}, {p_words(one.reading.p)}"
        for one in report.results.programs
    )
    return f"Exploratory, which the plan does not name. Programs read beside the raters and count in nothing: {own}."


def _marked(report: ChoiceReport, section: str) -> str:
    planned = report.status(section) == "planned"
    return "Planned." if planned else "Exploratory, which the plan does not name."


def methods_paragraph(report: ChoiceReport) -> str:
    return " ".join([*design_sentences(report), *_analysis_sentences(report), *proof_sentences(report)])


def _analysis_sentences(report: ChoiceReport) -> list[str]:
    found, size = report.results.choices, str(report.plan.get("sample_size") or "")
    of_right = _right_choice_sentences(report) if report.task.right_choice else _preference_sentences(report)
    named = [CHOICE_SECTION_WORDS[name] for name in report.plan["secondary"] if name in CHOICE_SECTION_WORDS]
    planned = f"Planned beside the primary analysis: {'; '.join(named)}. " if named else ""
    return [
        *([size] if size else []),
        f"Of the {found.images} images of a trial {_in_each(report)}. {pairing_words(report)}",
        *of_right,
        *_control_sentences(report),
        *phases_methods(report.phases),
        f"{planned}Everything else that is reported is exploratory.",
    ]


def _control_sentences(report: ChoiceReport) -> list[str]:
    controls = report.results.controls
    if controls is None:
        return []
    if not controls.n:
        return ["No positive controls were shown, so that equivalence could not be concluded."]
    planned = {name: report.plan[f"control_{name}"] for name in ("rule", "share")}
    rule = control_trials_rule(**planned, alpha=report.alpha)
    return [
        (
            f"{controls.n} trials of positive controls, edits degraded on purpose, were shown among the others and are "
            f"in no other number; they counted as found if {rule}."
        )
    ]


def _in_each(report: ChoiceReport) -> str:
    real, synthetic = report.task.of_each_kind
    return f"{real} {'was' if real == 1 else 'were'} real and {synthetic} synthetic"


def _right_choice_sentences(report: ChoiceReport) -> list[str]:
    found, level = report.results.choices, level_percent_of(report.alpha)
    low, high = found.shares_within
    reason = str(report.plan.get("margin_reason") or "")
    units = "all trials of one patient taken together" if report.plan["unit"] == "patient" else "trials as units"
    sure = (
        " Of each rater's choices also the exact signed rank test by confidence is given."
        if report.results.sureness
        else ""
    )
    return [
        (
            "The primary analysis was the exact joint test of the right choices: were the images of a trial alike, "
            f"each of the {found.images} would be the one to find with a chance of {1 / found.images:.3f}, for all "
            "raters at once, so that the number of right choices is a sum of independent draws from the counts of "
            f"choices in each {'patient' if found.by_patient else 'trial'}; two-sided at {report.alpha:g}."
            f"{DECIDES if found.by_patient else ''}"
        ),
        (
            f"The share of right choices was averaged over raters with {level} % intervals from two-way mean squares, "
            f"raters and trials random (Gallas 2006), {units}. Its margin is an area of single images of "
            f"0.5 ± {100 * found.margin:g} points, shares from {low:.3f} to {high:.3f}."
        ),
        *([f"Why this margin: {reason}"] if reason else []),
        (
            "Single raters have Clopper-Pearson intervals and exact binomial tests against the share of guessing, with "
            f"Holm adjustment over raters, and d′ for {found.images} alternatives (Green and Swets 1966).{sure}"
        ),
        "Trials without one image that most raters chose were left out of the majority.",
        *([f"What is given of single raters and the majority {OF_TRIALS}."] if found.by_patient else []),
    ]


def _preference_sentences(report: ChoiceReport) -> list[str]:
    alike = " and alike in all trials of a patient" if report.results.choices.by_patient else ""
    return [
        (
            "There was no right choice. The primary analysis was whether any arm is preferred, by permuting the arms "
            f"among the images of each trial for all raters at once{alike} ({report.results.preference.permutations} "
            f"permutations), at {report.alpha:g}; abilities of the arms are those of Bradley and Terry, and of Luce, "
            "with standard errors that take all choices for independent."
        )
    ]
