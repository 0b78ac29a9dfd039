"""A finished study as plain data: a constant rater, an even panel with ties, missing answers, unequal classes."""

import hashlib

import numpy as np

from readerstudy.analysis import AnalysisOptions, agreement_with_oneself, default_analysis, signed_rating
from readerstudy.report.data import ReportData, ReportedCase, ReportedRater

LEVELS = 3
COLUMNS = (
    *("rater", "simulated", "excluded", "excluded_reason", "case", "position", "answer", "confidence", "valid"),
    *("reading_ms", "truth", "correct", "again", "digest"),
)
CODEBOOK = {name: f"Meaning of {name}" for name in COLUMNS}


def sample_report(
    *,
    real=12,
    synthetic=18,
    raters=4,
    levels=LEVELS,
    seed=3,
    excluded=(),
    title="A study",
    cases_of_a_patient=1,
    one_kind=False,
    repeats=0,
    reals_only=False,
    plan=None,
    **options,
):
    """Rater 1 always says synthetic, rater 2 left every seventh case out, the others guess with some skill.

    With `reals_only` rater 3 judged the real cases alone.
    """
    random = np.random.default_rng(seed)
    codes = [f"C{number:03d}" for number in range(real + synthetic)]
    truth = np.array([0] * real + [1] * synthetic)
    random.shuffle(truth)
    patients = [row // cases_of_a_patient for row in range(len(codes))]
    if one_kind:
        patients = [2 * (row // cases_of_a_patient) + int(truth[row]) for row in range(len(codes))]
    skilled = np.where(random.random((len(codes), raters)) < 0.65, truth[:, None], 1 - truth[:, None])
    calls = skilled.astype(float)
    calls[:, 0] = 1
    if raters > 1:
        calls[::7, 1] = np.nan
    if reals_only:
        calls[truth == 1, 2] = np.nan
    sure = random.integers(1, max(levels, 1) + 1, calls.shape).astype(float)
    sure[np.isnan(calls)] = np.nan
    people = [
        ReportedRater(number=number, simulated=number == 3, excluded_reason="left" if number in excluded else "")
        for number in range(1, raters + 1)
    ]
    kept = [index for index, rater in enumerate(people) if not rater.excluded]
    ratings = signed_rating(calls=calls[:, kept], confidence=sure[:, kept], levels=levels) if levels and kept else None
    analysis = default_analysis(
        truth=truth,
        calls=calls[:, kept],
        ratings=ratings,
        rater_ids=[people[index].key for index in kept],
        case_ids=codes,
        patients=patients,
        **_course(calls[:, kept], seed),
        options=None if plan else AnalysisOptions(**options),
        plan=plan,
    )
    twice = answers_again(repeats, calls, sure, seed) if repeats else []
    return ReportData(
        study={
            "id": "00000000-0000-0000-0000-000000000001",
            "title": title,
            "question": "Real or synthetic?",
            "display": "patches",
            "confidence_levels": levels,
            "going_back": "last",
            "display_check": "off",
            "repeats": repeats,
            "repeat_distance": 10,
            "locked_at": "2026-01-02T03:04:05+00:00",
            "unblinded_at": "2026-03-04T05:06:07.891234+00:00",
            "software_version": "0",
        },
        raters=people,
        cases=[
            ReportedCase(
                number=row + 1,
                code=code,
                synthetic=bool(truth[row]),
                scan=f"scan {row}",
                patient=int(patients[row]) + 1,
                dataset="dataset",
                subject=f"subject {patients[row]}",
                host_scan=f"scan {row}",
                diameter_mm=10.0 + row,
                depth_mm=None,
                generator="",
                kind="",
            )
            for row, code in enumerate(codes)
        ],
        ratings=[
            *_rows(codes, truth, calls, sure if levels else None, people, random),
            *_rows_again(twice, codes, truth, levels, people),
        ],
        repeats=_repeats(twice, calls, sure, levels, people, patients, kept) if repeats else None,
        codebook=CODEBOOK,
        plan={},
        plan_in_words=["One sentence."],
        deviations=[],
        hashes={"protocol": "a" * 64, "plan": "b" * 64},
        flow={"edited": 30, "accepted": 20, "rejected": 8, "not_reviewed": 2},
        blinding={"attempts_to_lock": 2, "in_words": "The study was locked at attempt 2."},
        analysis=analysis,
    )


def answers_again(repeats, calls, sure, seed):
    """Case, rater, call and confidence of second answers: three in four stay, the confidence wanders."""
    random = np.random.default_rng([seed, 1])
    twice = []
    for column in range(calls.shape[1]):
        for row in sorted(random.choice(len(calls), repeats, replace=False)):
            call = calls[row, column] if random.random() < 0.75 else 1 - calls[row, column]
            if not np.isnan(call):
                twice.append((row, column, call, max(1, sure[row, column] - random.integers(0, 2))))
    return twice


def _rows_again(twice, codes, truth, levels, people):
    return [
        {
            "rater": people[column].number,
            "simulated": int(people[column].simulated),
            "excluded": int(people[column].excluded),
            "excluded_reason": people[column].excluded_reason,
            "case": codes[row],
            "position": len(codes) + 1,
            "answer": "synthetic" if call else "real",
            "confidence": int(confidence) if levels else None,
            "valid": 1,
            "reading_ms": 5000,
            "truth": "synthetic" if truth[row] else "real",
            "correct": int(call == truth[row]),
            "again": 1,
            "digest": hashlib.sha256(f"again {column} {row}".encode()).hexdigest(),
        }
        for row, column, call, confidence in twice
    ]


def _repeats(twice, calls, sure, levels, people, patients, kept):
    again, sure_again = np.full_like(calls, np.nan), np.full_like(calls, np.nan)
    for row, column, call, confidence in twice:
        again[row, column], sure_again[row, column] = call, confidence

    def scores(call, confidence):
        return signed_rating(calls=call[:, kept], confidence=confidence[:, kept], levels=levels) if levels else None

    return agreement_with_oneself(
        calls=calls[:, kept],
        calls_again=again[:, kept],
        scores=scores(calls, sure),
        scores_again=scores(again, sure_again),
        rater_ids=[people[index].key for index in kept],
        patients=patients,
    )


def _rows(codes, truth, calls, sure, people, random):
    rows = []
    for column, rater in enumerate(people):
        order = random.permutation(len(codes))
        for position, row in enumerate(order, start=1):
            if np.isnan(calls[row, column]):
                continue
            answer = "synthetic" if calls[row, column] else "real"
            true = "synthetic" if truth[row] else "real"
            rows.append(
                {
                    "rater": rater.number,
                    "simulated": int(rater.simulated),
                    "excluded": int(rater.excluded),
                    "excluded_reason": rater.excluded_reason,
                    "case": codes[row],
                    "position": position,
                    "answer": answer,
                    "confidence": None if sure is None else int(sure[row, column]),
                    "valid": 1,
                    "reading_ms": int(random.lognormal(9, 0.5)),
                    "truth": true,
                    "correct": int(answer == true),
                    "again": 0,
                    "digest": hashlib.sha256(f"{column} {position}".encode()).hexdigest(),
                }
            )
    # One answer that its rater revised: it stands in the ledger and does not count.
    revised = {**rows[0], "valid": 0, "answer": "real", "correct": int(rows[0]["truth"] == "real")}
    return [revised, *rows]


def _course(calls, seed):
    """Position and time of every reading, of draws of their own."""
    random = np.random.default_rng([seed, 1])
    order = np.argsort(random.random(calls.shape), axis=0) + 1.0
    times = np.where(np.isnan(calls), np.nan, np.exp(9 + 0.4 * random.normal(size=calls.shape)))
    return {"order": order, "times_ms": times}
