"""A dry run through the public API, and its results against an independent computation."""

import csv
import io
import json

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from scipy import stats

from ctplatform.accounts.models import User
from readerstudy.models import RatingEvent, StudyRater
from readerstudy.results import analysis_of
from readerstudy.simulation import simulate
from readerstudy.unblinding import services as unblinding
from readerstudy.unblinding.opened import UnblindedStudy
from readerstudy.verification import verify
from tests.readerstudy.worlds import make_draft, make_world


@pytest.fixture
def simulated(cast, stages):
    study = make_draft(cast, make_world(cast.owner, sources=4, edits_per_source=3), cases=24, raters=[])
    call_command("simulate_raters", "Trial", "--raters", "3", verbosity=0)
    stages.open(study)
    call_command("simulate_raters", str(study.pk), "--skill", "0.8", "--seed", "5")
    study.refresh_from_db()
    return study


def unblinded(study):
    unblinding.close(study=study, actor=study.owner)
    unblinding.unblind(study=study, actor=study.owner, typed_title=study.title)
    return study


def exported(study, user):
    client = Client()
    client.force_login(user)
    text = client.get(reverse("studies:export-csv", args=[study.pk])).content.decode()
    table = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.DictReader(io.StringIO("\n".join(table)))), text


def test_virtual_raters_rate_everything_through_the_api_and_are_marked(simulated, cast):
    assert simulated.ledger_count == 3 * 24
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
    assert [(row["done"], row["total"], row["simulated"]) for row in progress] == [(24, 24, True)] * 3
    unblinded(simulated)
    assert "dry run" in client.get(reverse("studies:results", args=[simulated.pk])).content.decode()


def test_the_same_run_again_adds_nothing(simulated):
    before = list(RatingEvent.objects.values_list("digest", flat=True))
    assert simulate(study=simulated, skill=0.8, seed=5, say=lambda _: None) == 0
    assert list(RatingEvent.objects.values_list("digest", flat=True)) == before


def test_skill_is_the_share_of_right_answers(simulated):
    unblinded(simulated)
    correct = sum(row.correct for row in analysis_of(UnblindedStudy(simulated)).raters)
    # 72 answers, each right with probability .8
    assert stats.binomtest(correct, 72, 0.8).pvalue > 1e-3
    assert correct > 44  # guessing is refuted


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
        interval = test.proportion_ci(0.95, method="exact")
        synthetic = [row for row in own if row["truth"] == "synthetic"]
        hits = sum(row["answer"] == "synthetic" for row in synthetic)
        hit_interval = stats.binomtest(hits, len(synthetic)).proportion_ci(0.95, method="exact")
        assert (reading.n, reading.correct) == (len(own), right)
        assert reading.accuracy.low == pytest.approx(interval.low, abs=1e-12)
        assert reading.accuracy.high == pytest.approx(interval.high, abs=1e-12)
        assert reading.binomial_p == pytest.approx(test.pvalue, abs=1e-12)
        assert reading.sensitivity.value == pytest.approx(hits / len(synthetic))
        assert reading.sensitivity.low == pytest.approx(hit_interval.low, abs=1e-12)
        p_values.append(test.pvalue)

    decided = []
    for code in {row["case"] for row in valid}:
        votes = [row for row in valid if row["case"] == code]
        synthetic_votes = sum(row["answer"] == "synthetic" for row in votes)
        call = "synthetic" if 2 * synthetic_votes > len(votes) else "real"
        decided.append(call == votes[0]["truth"])
    ensemble = analysis.ensemble
    assert (ensemble.n, ensemble.correct, ensemble.n_ties) == (24, sum(decided), 0)
    p_values.append(stats.binomtest(sum(decided), 24, 0.5).pvalue)
    assert ensemble.binomial_p == pytest.approx(p_values[-1], abs=1e-12)

    # Holm, from its definition: sorted p times the number of hypotheses left, made monotone
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    running, holm = 0.0, [0.0] * len(p_values)
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        holm[index] = running
    printed = [*(row.p_adjusted for row in analysis.raters), ensemble.p_adjusted]
    assert printed == pytest.approx(holm, abs=1e-12)


def test_exports_hold_the_truth_only_after_the_unblinding(simulated, cast):
    rows, text = exported(simulated, cast.owner)
    assert len(rows) == 72
    assert "truth" not in rows[0]
    assert "scan" not in rows[0]
    assert all(f"# {column}: " in text for column in rows[0])  # the codebook explains every column
    unblinded(simulated)
    after, text = exported(simulated, cast.owner)
    assert all(f"# {column}: " in text for column in after[0])
    assert [{k: v for k, v in row.items() if k in rows[0]} for row in after] == rows
    assert {row["truth"] for row in after} == {"real", "synthetic"}
    client = Client()
    client.force_login(cast.member)
    content = json.loads(client.get(reverse("studies:export-json", args=[simulated.pk])).content)
    assert content["schedule_seed"] == simulated.seal.schedule_seed
    assert content["analysis"]["raters"][0]["correct"] == analysis_of(UnblindedStudy(simulated)).raters[0].correct
    assert len(content["ratings"]) == 72
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
