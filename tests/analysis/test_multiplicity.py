import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from readerstudy.analysis import adjust_p_values

METHODS = ["bonferroni", "holm", "hochberg", "hommel", "fdr_bh", "fdr_by"]
NAMES = {"hochberg": "simes-hochberg"}
p_values = st.lists(st.floats(0, 1) | st.sampled_from([0.01, 0.05, 0.5]), min_size=1, max_size=12)


@given(p_values, st.sampled_from(METHODS))
def test_agrees_with_statsmodels_on_complete_families(p, method):
    expected = multipletests(p, method=NAMES.get(method, method))[1]
    assert adjust_p_values(p, method=method) == pytest.approx(list(np.minimum(expected, 1)), abs=1e-9)


@given(p_values, st.sampled_from(METHODS), st.randoms())
def test_missing_values_do_not_count_and_stay_missing(p, method, random):
    mixed = [*p, None, math.nan]
    random.shuffle(mixed)
    adjusted = adjust_p_values(mixed, method=method)
    known = [value for value in mixed if value is not None and not math.isnan(value)]
    assert [value for value in adjusted if value is not None] == pytest.approx(adjust_p_values(known, method=method))
    assert [value is None for value in adjusted] == [v is None or math.isnan(v) for v in mixed]


@given(p_values, st.sampled_from(METHODS))
def test_adjusted_values_keep_the_order_and_never_shrink(p, method):
    adjusted = adjust_p_values(p, method=method)
    assert all(one >= raw - 1e-15 for one, raw in zip(adjusted, p, strict=True))
    ranked = [adjusted[index] for index in np.argsort(p, kind="stable")]
    assert all(one <= other + 1e-15 for one, other in itertools.pairwise(ranked))


def test_an_empty_family_and_an_impossible_p():
    assert adjust_p_values([]) == []
    with pytest.raises(ValueError, match="lie in"):
        adjust_p_values([1.2])
