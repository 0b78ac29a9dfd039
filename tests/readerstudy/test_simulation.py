"""A dry run through the public API, and its results against an independent computation."""

import csv
import io
import json

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from scipy import special, stats

from ctplatform.accounts.models import User
from readerstudy.models import RatingEvent, StudyRater
from readerstudy.results import analysis_of
from readerstudy.simulation import simulate
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import make_draft, make_world

# Fewer cases than the leak audit takes statistics of, and about as many answers as a small study.
RATERS, CASES = 5, 14


@pytest.fixture
def simulated(recorded, cast, stages):
    def make():
        world = make_world(cast.owner, sources=4, edits_per_source=3)
        # patches of one scan so small that they show nothing of each other
        study = make_draft(cast, world, cases=CASES, raters=[], field_of_view_mm=13.75)
        call_command("simulate_raters", "Trial", "--raters", str(RATERS), verbosity=0)
        stages.open(study)
        call_command("simulate_raters", str(study.pk), "--skill", "0.8", "--seed", "5")
        study.refresh_from_db()
        return study

    return recorded("simulated", make)


def unblinded(study):
    unblinding.close(study=study, actor=study.owner)
    unblinding.unblind(study=study, actor=study.owner, typed_title=study.title)
    return study


def exported(study, user):
    client = Client()
    client.force_login(user)
    text = client.get(reverse("studies:export-csv", args=[study.pk])).getvalue().decode()
    explained = client.get(reverse("studies:export-codebook", args=[study.pk])).getvalue().decode()
    columns = {row["column"] for row in csv.DictReader(io.StringIO(explained)) if row["meaning"]}
    return list(csv.DictReader(io.StringIO(text))), columns


def test_virtual_raters_rate_everything_through_the_api_and_are_marked(simulated, cast):
    assert simulated.ledger_count == RATERS * CASES
    assert verify(simulated).intact
    assert all(rater.user.is_simulated for rater in StudyRater.objects.filter(study=simulated))
    assert not any(user.has_usable_password() for user in User.objects.filter(is_simulated=True))
    client = Client()
    client.force_login(cast.owner)
    assert "simulated" in client.get(reverse("studies:study", args=[simulated.pk])).content.decode()
    rows, _ = exported(simulated, cast.owner)
    assert {row["simulated"] for row in rows} == {"1"}
    client.get("/api/studies/")
    progress = client.get(reverse("study-progress", args=[simulated.pk])).json()
    assert [(row["done"], row["total"], row["simulated"]) for row in progress] == [(CASES, CASES, True)] * RATERS
    unblinded(simulated)
    assert "dry run" in client.get(reverse("studies:results", args=[simulated.pk])).content.decode()


def test_the_same_run_again_adds_nothing(simulated):
    before = list(RatingEvent.objects.values_list("digest", flat=True))
    assert simulate(study=simulated, skill=0.8, seed=5, say=lambda _: None) == 0
    assert list(RatingEvent.objects.values_list("digest", flat=True)) == before


def test_skill_is_the_share_of_right_answers(simulated):
    unblinded(simulated)
    correct = sum(row.correct for row in analysis_of(UnblindedStudy(simulated)).raters)
    # 70 answers, each right with probability .8
    assert stats.binomtest(correct, RATERS * CASES, 0.8).pvalue > 1e-3
    assert correct > 43  # guessing is refuted


def limits_over_patients(rows):
    """The 95 % limits of a share of right answers by the linear model: kinds as columns, cases of a subject together."""
    right = np.array([row["answer"] == row["truth"] for row in rows], dtype=float)
    kinds = sorted({row["truth"] for row in rows})
    columns = np.array([[row["truth"] == kind for kind in kinds] for row in rows], dtype=float)
    subjects = sorted({row["subject"] for row in rows})
    member = np.array([[row["subject"] == subject for subject in subjects] for row in rows], dtype=float)
    count, own = columns.sum(axis=0), member.T @ columns
    weight = count / len(rows) * np.sqrt(1 - 1 / count) / (count - own)
    hat = columns @ np.diag(1 / count) @ columns.T
    pulled = member * (columns @ weight.T)
    variance = float(((pulled.T @ (right - hat @ right)) ** 2).sum())
    if variance < 1e-20:  # subjects alike by chance: the cases are what is left
        alone = columns @ (count / len(rows) * np.sqrt(1 - 1 / count) / (count - 1))
        variance = float(((alone * (right - hat @ right)) ** 2).sum())
    spread = pulled.T @ (np.eye(len(rows)) - hat) @ pulled
    value, df = right.mean(), np.trace(spread) ** 2 / (spread**2).sum()
    half = stats.t.ppf(0.975, df) * np.sqrt(variance) / (value * (1 - value))
    return tuple(special.expit(special.logit(value) + sign * half) for sign in (-1, 1))


def test_results_equal_an_independent_computation_from_the_export(simulated, cast):
    unblinded(simulated)
    rows, _ = exported(simulated, cast.owner)
    valid = [row for row in rows if row["valid"] == "1"]
    analysis = analysis_of(UnblindedStudy(simulated))
    p_values = []
    for reading in analysis.raters:
        own = [row for row in valid if row["rater"] == reading.rater]
        right = sum(row["answer"] == row["truth"] for row in own)
        test = stats.binomtest(right, len(own), 0.5)
        synthetic = [row for row in own if row["truth"] == "synthetic"]
        hits = sum(row["answer"] == "synthetic" for row in synthetic)
        assert (reading.n, reading.correct) == (len(own), right)
        limits = limits_over_patients(own)
        assert (reading.accuracy.low, reading.accuracy.high) == pytest.approx(limits, abs=1e-12)
        assert reading.binomial_p == pytest.approx(test.pvalue, abs=1e-12)
        assert reading.sensitivity.value == pytest.approx(hits / len(synthetic))
        limits = limits_over_patients(synthetic)
        assert (reading.sensitivity.low, reading.sensitivity.high) == pytest.approx(limits, abs=1e-12)
        p_values.append(reading.p)

    decided = []
    for code in {row["case"] for row in valid}:
        votes = [row for row in valid if row["case"] == code]
        synthetic_votes = sum(row["answer"] == "synthetic" for row in votes)
        call = "synthetic" if 2 * synthetic_votes > len(votes) else "real"
        decided.append(call == votes[0]["truth"])
    ensemble = analysis.ensemble
    assert (ensemble.n, ensemble.correct, ensemble.n_ties) == (CASES, sum(decided), 0)
    assert ensemble.binomial_p == pytest.approx(stats.binomtest(sum(decided), CASES, 0.5).pvalue, abs=1e-12)
    p_values.append(ensemble.p)

    # Holm, from its definition: sorted p times the number of hypotheses left, made monotone
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    running, holm = 0.0, [0.0] * len(p_values)
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        holm[index] = running
    printed = [*(row.p_adjusted for row in analysis.raters), ensemble.p_adjusted]
    assert printed == pytest.approx(holm, abs=1e-12)


def test_exports_hold_the_truth_only_after_the_unblinding(simulated, cast):
    rows, columns = exported(simulated, cast.owner)
    assert len(rows) == RATERS * CASES
    assert "truth" not in rows[0]
    assert "scan" not in rows[0]
    assert columns == set(rows[0])  # the codebook explains every column
    unblinded(simulated)
    after, columns = exported(simulated, cast.owner)
    assert columns == set(after[0])
    assert [{k: v for k, v in row.items() if k in rows[0]} for row in after] == rows
    assert {row["truth"] for row in after} == {"real", "synthetic"}
    client = Client()
    client.force_login(cast.member)
    content = json.loads(client.get(reverse("studies:export-json", args=[simulated.pk])).getvalue())
    assert content["schedule_seed"] == simulated.seal.schedule_seed
    assert content["analysis"]["raters"][0]["correct"] == analysis_of(UnblindedStudy(simulated)).raters[0].correct
    assert len(content["ratings"]) == RATERS * CASES
    results = client.get(reverse("study-results", args=[simulated.pk])).json()
    assert results["ensemble"] == content["analysis"]["ensemble"]


def test_a_person_is_never_taken_for_a_virtual_rater(cast, world):
    cast.rater.username = "simulated-1"
    cast.rater.save()
    make_draft(cast, world, raters=[])
    with pytest.raises(CommandError, match="belongs to a person"):
        call_command("simulate_raters", "Trial", "--raters", "1")


def test_simulation_refuses_what_it_cannot_do(cast, collecting):
    with pytest.raises(CommandError, match="no virtual rater"):
        call_command("simulate_raters", "Trial")
    with pytest.raises(CommandError, match="probability"):
        call_command("simulate_raters", "Trial", "--skill", "1.5")
    with pytest.raises(CommandError, match="No study is called"):
        call_command("simulate_raters", "Another")
    unblinding.close(study=collecting, actor=cast.owner)
    with pytest.raises(CommandError, match="open it for reading"):
        call_command("simulate_raters", "Trial")
