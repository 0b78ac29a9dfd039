"""The tables of choices among several images, with what their columns mean."""

from collections.abc import Mapping
from typing import Any

from readerstudy.analysis import ChoiceReading, Estimate
from readerstudy.report.choices.report import ChoiceReport
from readerstudy.report.data import Row
from readerstudy.report.phases_words import planned_row

READING_MEANINGS = {
    "n": "Choices; of the majority: trials with one image that most raters chose",
    "right": "Choices of the image that was to be found",
    "share": "Share of right choices; of the panel averaged over raters",
    "share_low": "Lower limit of the interval of share",
    "share_high": "Upper limit of the interval of share",
    "d_prime": "d′ on the scale of single images that goes with the share",
    "p": "Two-sided p-value: of the primary analysis exact joint (where patients give several trials put together at "
    "random, not below that of the panel's share), of a rater exact binomial, of the panel's share by t",
}
CHOICE_TABLES: Mapping[str, Mapping[str, str]] = {
    "results": {
        "reader": "Primary analysis (exact joint test), a change against the earlier phase, a rater, the average "
        "of raters, or the majority",
        **READING_MEANINGS,
        "p_adjusted": "p-value adjusted by Holm over the raters",
        "confidence_p": "Exact signed rank test of a rater's right choices by confidence; of pairs only",
        "confidence_p_adjusted": "The same adjusted by Holm over the raters",
        "most_chosen_side": "Of a rater's choices the share on the side that was chosen most",
        "expected": "Right choices expected of images that are alike, by the joint test",
        "sd": "Standard deviation of that number by the joint test",
        "se": "Standard error of the averaged share",
        "df": "Degrees of freedom of the averaged share",
        "margin_low": "Share of right choices at an area of single images of one half less the margin",
        "margin_high": "The same at one half and the margin",
        "inner_low": "Lower limit of the interval that is held against the margin",
        "inner_high": "Upper limit of that interval",
        "change": "This phase less the earlier one, where the plan names that comparison; phases.csv has the rest",
        "change_low": "Lower limit of the interval of change",
        "change_high": "Upper limit of the interval of change",
    },
    "trials": {
        "trial": "Number of the trial, the same for every rater",
        "image": "Number of the image within the trial; 0 is the one to find, where there was one",
        "case": "Code of the image, as in ratings and cases",
        "truth": "real or synthetic",
        "arm": "real, or the program that made the image and what it did",
        "patient": "Number of the patient of the image",
        "chosen": "How many raters chose it",
    },
    "arms": {
        "arm": "real, or the program that made the images and what it did",
        "chosen": "How often images of this arm were chosen",
        "choices": "Choices in trials that showed it, counted once for each of its images",
        "ability": "Ability against real images (Bradley-Terry, Luce)",
        "se": "Its standard error, which takes all choices for independent",
    },
    "grades": {
        "rater": "Number of the rater",
        "case": "Code of the image that was asked about, whichever side it stood on",
        "control": "1: of a trial of positive controls, counted apart",
        "arm": "real, or the program that made the image and what it did",
        "name": "Short name of the further question",
        "answer": "The answer: of grades and choices its number from 1, of numbers the number",
    },
    "programs": {"program": "Name and version of a program that read", **READING_MEANINGS},
}


def result_rows(report: ChoiceReport) -> list[Row]:
    """None where there is no right choice."""
    if not report.task.right_choice:
        return []
    results = report.results
    found = results.choices
    panel, joint, most = found.panel, found.joint, found.plurality
    low, high = found.shares_within
    inner = panel.equivalence_interval or (None, None)
    change = planned_row(report.phases)
    return [
        {
            "reader": "Primary analysis",
            **{name: getattr(joint, name) for name in ("right", "expected", "sd")},
            "p": found.decision_p,
        },
        *([change] if change else []),
        *(_rater(report, place) for place in range(len(results.raters))),
        {
            "reader": "Average of raters",
            "n": report.analysed_readings,
            **_share(panel.share),
            **{name: getattr(panel, name) for name in ("d_prime", "se", "df", "p")},
            **dict(zip(("margin_low", "margin_high", "inner_low", "inner_high"), (low, high, *inner), strict=True)),
        },
        {"reader": "Most chosen image", "n": most.decided, "right": most.right, "p": most.p},
    ]


def _rater(report: ChoiceReport, place: int) -> Row:
    results = report.results
    sure = results.sureness[place] if results.sureness else None
    return {
        "reader": report.rater_labels[results.raters[place]],
        **_reading(results.choices.readers[place]),
        "p_adjusted": results.choices.p_adjusted[place],
        "most_chosen_side": results.sides[place],
        "confidence_p": sure.p if sure else None,
        "confidence_p_adjusted": results.sureness_adjusted[place] if sure else None,
    }


def _reading(reading: ChoiceReading) -> Row:
    return {
        "n": reading.n,
        "right": reading.right,
        **_share(reading.share),
        "d_prime": reading.d_prime.value,
        "p": reading.p,
    }


def _share(share: Estimate) -> dict[str, Any]:
    return {"share": share.value, "share_low": share.low, "share_high": share.high}


def trial_rows(report: ChoiceReport) -> list[Row]:
    case, raters = {one.code: one for one in report.cases}, {r.number for r in report.raters if not r.excluded}
    chosen: dict[str, int] = {}
    for row in report.counted:
        if row["rater"] in raters:
            chosen[row["case"]] = chosen.get(row["case"], 0) + 1
    return [
        {
            "trial": number,
            "image": image,
            "case": code,
            "truth": "synthetic" if case[code].synthetic else "real",
            "arm": case[code].arm,
            "patient": case[code].patient,
            "chosen": chosen.get(code, 0),
        }
        for number, trial in enumerate(report.trials, start=1)
        for image, code in enumerate(trial)
    ]


def arm_rows(report: ChoiceReport) -> list[Row]:
    return [
        {"arm": one.arm, "chosen": one.votes, "choices": one.shown, "ability": one.ability, "se": one.se}
        for one in report.results.preference.abilities
    ]


def program_rows(report: ChoiceReport) -> list[Row]:
    return [{"program": one.program, **_reading(one.reading)} for one in report.results.programs]
