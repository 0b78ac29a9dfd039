from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from ml.errors import TrainingError
from ml.evaluation.classify import (
    FEWEST_OF_A_CLASS,
    Difference,
    LabelledPatches,
    baseline_tables,
    classifiers,
    collect,
    difference,
    evaluate,
    evaluate_network,
)
from ml.nets.config import NetConfig
from ml.patches.sampling import VIEW_ZOOMS
from ml.reproduce import held_out_cases
from ml.scans.cases import load_cases


def patches(rng, count, contrast):
    """Noise with a soft dark ball of ``contrast`` in the middle; shape (count, 8, 40, 40)."""
    z, y, x = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in (8, 40, 40)], indexing="ij")
    ball = 1 / (1 + np.exp((np.sqrt((2.4 * z) ** 2 + y**2 + x**2) - 7) / 1.2))
    noise = ndimage.gaussian_filter(rng.standard_normal((count, 8, 40, 40)), (0, 0.4, 0.8, 0.8))
    return (contrast * ball + 0.18 / noise.std() * noise).astype(np.float32)


@pytest.fixture(scope="module")
def separable():
    rng = np.random.default_rng(0)
    both = np.concatenate([patches(rng, 50, -0.5), patches(rng, 50, 0.0)])
    truth = np.r_[np.ones(50, int), np.zeros(50, int)]
    people = np.array([f"p{n}" for n in np.r_[np.arange(50), np.arange(50)] % 11])
    return LabelledPatches("wide", both, truth, people, np.array(["x"] * 100))


@pytest.fixture(scope="module")
def scrambled(separable):
    truth = np.random.default_rng(1).permutation(separable.truth)
    return LabelledPatches("wide", separable.patches, truth, separable.patients, separable.kinds)


def test_what_is_separable_is_separated_and_nothing_else(separable, scrambled):
    table = baseline_tables(separable)["radiomics"]
    scores = {s.classifier: s for s in evaluate("radiomics", table, separable)}
    best = scores["LinearSVM"]
    assert best.accuracy[0] > 0.9
    assert best.accuracy[1] <= best.accuracy[0] <= best.accuracy[2]
    assert best.auc[0] > 0.95
    assert (best.lesions, best.normals, best.patients) == (50, 50, 11)
    assert all(0.3 < s.accuracy[0] < 0.7 for s in evaluate("radiomics", table, scrambled))


def test_the_supervised_network_learns_what_is_there_and_nothing_else(separable, scrambled):
    assert evaluate_network(separable).auc[0] > 0.9
    assert 0.25 < evaluate_network(scrambled).auc[0] < 0.75


def test_folds_keep_patients_together(separable):
    for train, test in separable.folds:
        assert not set(separable.patients[train]) & set(separable.patients[test])


def test_principal_components_of_pixels_never_see_the_held_out_fold(separable):
    """With pure noise and as many components as patients, a leak would show as accuracy above chance."""
    rng = np.random.default_rng(2)
    noise = LabelledPatches("wide", patches(rng, 100, 0.0), separable.truth, separable.patients, separable.kinds)
    scores = evaluate("raw-pixel PCA", baseline_tables(noise)["raw-pixel PCA"], noise)
    assert all(0.3 < s.accuracy[0] < 0.7 for s in scores)


def test_a_difference_is_zero_against_itself_and_has_the_sign_of_the_better_one(separable):
    tables = baseline_tables(separable)
    good = next(s for s in evaluate("radiomics", tables["radiomics"], separable) if s.classifier == "LinearSVM")
    noise = np.random.default_rng(3).standard_normal((100, 4))
    bad = next(s for s in evaluate("noise", noise, separable) if s.classifier == "LinearSVM")
    assert difference(good, good, separable) == Difference((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
    gain, loss = difference(good, bad, separable), difference(bad, good, separable)
    assert gain.accuracy[1] > 0.15
    assert gain.auc[1] > 0.15
    assert gain.accuracy[0] == pytest.approx(good.accuracy[0] - bad.accuracy[0])
    assert gain.auc[0] == pytest.approx(good.auc[0] - bad.auc[0])
    assert (loss.accuracy[0], loss.auc[0]) == pytest.approx((-gain.accuracy[0], -gain.auc[0]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    from ml.phantom.__main__ import main

    out = tmp_path_factory.mktemp("phantoms")
    main(["--count", "5", "--seed", "41", "--out", str(out), "--slices", "12", "--pixels", "96"])
    return out


def test_every_view_shows_the_same_places_and_normals_match_lesions_by_patient(folder):
    net = NetConfig((8, 16, 16), (4.0, 3.0, 3.0), 8, 8)
    data = collect(load_cases(folder), net, seed=0)
    assert set(data) == set(VIEW_ZOOMS)
    wide, close = data["wide"], data["close"]
    assert np.array_equal(wide.truth, close.truth)
    assert not np.array_equal(wide.patches, close.patches)
    for patient in np.unique(wide.patients):
        mine = wide.truth[wide.patients == patient]
        assert (mine == 0).sum() <= (mine == 1).sum()


def test_few_patients_are_said_to_be_few_and_too_few_lesions_are_refused(folder):
    net = NetConfig((8, 16, 16), (4.0, 3.0, 3.0), 8, 8)
    cases = load_cases(folder)
    few = collect(cases[:3], net, seed=0)["close"]
    assert "3 patients only" in few.note
    assert len(np.unique(few.patients)) == len(few.truth)
    table = few.patches.reshape(len(few.truth), -1)[:, ::64].astype(float)
    assert evaluate("pixels", table, few)[0].patients == 3
    assert collect(cases, net, seed=0)["close"].note == ""
    small = [replace(case, lesions=case.lesions[:1]) for case in cases[:2]]
    with pytest.raises(TrainingError, match="at least 6 lesions"):
        collect(small, net, seed=0)


def test_the_fewest_patches_that_are_allowed_serve_every_classifier():
    rng = np.random.default_rng(3)
    truth = np.r_[np.ones(FEWEST_OF_A_CLASS, int), np.zeros(FEWEST_OF_A_CLASS, int)]
    alone = np.array([f"patch {n}" for n in range(len(truth))])
    few = LabelledPatches("close", np.zeros((len(truth), 1, 8, 8), np.float32), truth, alone, alone, "one patient", 1)
    scores = evaluate("numbers", rng.standard_normal((len(truth), 3)) + 4 * truth[:, None], few)
    assert {s.classifier for s in scores} == set(classifiers(truth, alone, seed=0))
    assert scores[0].accuracy[0] > 0.8


def test_normal_liver_of_one_patient_alone_is_refused():
    truth = np.r_[np.ones(20, int), np.zeros(10, int)]
    people = np.array([f"p{n % 5}" for n in range(20)] + ["p0"] * 10)
    data = LabelledPatches("close", np.zeros((30, 1, 8, 8), np.float32), truth, people, people)
    with pytest.raises(TrainingError, match="of one patient"):
        evaluate("numbers", np.zeros((30, 2)), data)


def test_scans_that_trained_a_generator_are_not_measured_on(folder, demo_generator):
    cases = load_cases(folder)
    trained_on = type(demo_generator)(
        demo_generator.net, card={"data": {"case_names": [cases[0].name]}}, device=demo_generator.device
    )
    assert [c.name for c in held_out_cases(cases, {"x": trained_on})] == [c.name for c in cases[1:]]
