import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from ml.evaluation.ranking import area_under_curve


@pytest.mark.parametrize("levels", [2, 5, 1000])
def test_the_area_is_that_of_scikit_learn_with_and_without_ties(levels):
    rng = np.random.default_rng(levels)
    for _ in range(20):
        truth = rng.permutation(np.r_[np.ones(7, int), np.zeros(12, int)])
        scores = rng.integers(levels, size=19) + 0.4 * levels * truth
        assert area_under_curve(truth, scores) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)
