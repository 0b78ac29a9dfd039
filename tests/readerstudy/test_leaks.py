"""The leak audit: planted leaks of many kinds are found, clean studies pass."""

import numpy as np
import pytest

from readerstudy.blinding import leaks
from readerstudy.blinding.cutting import HU_HIGH, HU_LOW

CASES = 60
SYNTHETIC = [number % 2 == 0 for number in range(CASES)]


def clean_pixels(seed=0, shape=(1, 41, 41)):
    random = np.random.default_rng(seed)
    return [np.rint(random.normal(60, 15, shape)).astype("<i2") for _ in range(CASES)]


def judged(pixels=None, extra=()):
    pixels = clean_pixels() if pixels is None else pixels
    measures = [leaks.stimulus_measures(one, surroundings=outside(one.shape)) for one in pixels]
    return leaks.audit([*leaks.measure_observables(measures), *extra], synthetic=SYNTHETIC)


def outside(shape):
    y, x = np.ogrid[: shape[1], : shape[2]]
    ring = np.hypot(y - shape[1] // 2, x - shape[2] // 2) > 14
    return np.broadcast_to(ring, shape)


def found(report):
    return {finding["name"] for finding in report["findings"] if finding["leak"]}


def planted(change, seed=0):
    """Stimuli of which the synthetic ones went through `change`."""
    return [
        np.asarray(change(one)).astype("<i2") if kind else one
        for one, kind in zip(clean_pixels(seed), SYNTHETIC, strict=True)
    ]


def padded_corner(pixels):
    pixels = pixels.copy()
    pixels[:, :2, :2] = HU_LOW
    return pixels


def clipped(pixels):
    pixels = pixels.copy()
    pixels[:, 20, 20:23] = HU_HIGH
    return pixels


PIXEL_LEAKS = {
    "padding": (padded_corner, "padding"),
    "clipping": (clipped, "upper clipping"),
    "rounded to even": (lambda p: p // 2 * 2, "even values"),
    "rounded to fives": (lambda p: np.rint(p / 5) * 5, "multiples of five"),
    "brighter all over": (lambda p: p + 4, "surroundings: mean HU"),
    "smoothed all over": (lambda p: 60 + (p - 60) * 0.8, "surroundings: noise"),
    "coarser grey scale": (lambda p: 60 + np.rint((p - 60) / 3) * 3, "surroundings: unused grey values"),
    "another size": (lambda p: p[:, :-1], "shape"),
    "more slices": (lambda p: np.concatenate([p, p]), "bytes"),
}


@pytest.mark.parametrize("name", PIXEL_LEAKS)
def test_a_leak_in_the_pixels_is_found(name):
    change, observable = PIXEL_LEAKS[name]
    report = judged(planted(change))
    assert not report["passed"]
    assert observable in found(report)


def test_another_sample_type_is_found():
    pixels = [one.astype(">i2") if kind else one for one, kind in zip(clean_pixels(), SYNTHETIC, strict=True)]
    assert "sample type" in found(judged(pixels))


TOKENS = [f"{'k' if number % 3 else 'q'}{number:04x}" for number in np.random.default_rng(1).permutation(CASES)]
OTHER_LEAKS = {
    "a header of one kind": leaks.fixed_observables("header", [{"X-Made": "yes"} if k else {} for k in SYNTHETIC]),
    "an ETag per kind": leaks.fixed_observables("header", [{"ETag": str(k)} for k in SYNTHETIC]),
    "a longer name": leaks.text_observables(
        "key", [t + "-s" if k else t for t, k in zip(TOKENS, SYNTHETIC, strict=True)]
    ),
    "names by kind": leaks.text_observables(
        "key", [f"{'pos' if k else 'neg'}{t}" for t, k in zip(TOKENS, SYNTHETIC, strict=True)]
    ),
    "names in order of kind": leaks.text_observables("key", [f"{n + CASES * k:06d}" for n, k in enumerate(SYNTHETIC)]),
    "stored after the real ones": [
        leaks.number_observable("order of storage", np.argsort(np.argsort(SYNTHETIC, kind="stable")))
    ],
    "first in the order": [
        leaks.number_observable("slot", [n / 3 + (0 if k else 12) for n, k in enumerate(SYNTHETIC)])
    ],
    "marker on one side": [
        leaks.number_observable("marker column", [100 + 40 * k + n % 30 for n, k in enumerate(SYNTHETIC)])
    ],
    "a start slice of its own": leaks.fixed_observables("case", [{"start_slice": 7 - k} for k in SYNTHETIC]),
}


@pytest.mark.parametrize("name", OTHER_LEAKS)
def test_a_leak_beside_the_pixels_is_found(name):
    assert not judged(extra=OTHER_LEAKS[name])["passed"]


def test_the_lesion_itself_is_no_leak():
    """Synthetic lesions that look different are what the study is to find out: the middle is not judged."""

    def other_lesion(pixels):
        pixels = pixels.copy()
        y, x = np.ogrid[:41, :41]
        pixels[:, np.hypot(y - 20, x - 20) <= 8] -= 20
        return pixels

    report = judged(planted(other_lesion))
    assert report["passed"], found(report)
    content = next(finding for finding in report["findings"] if finding["name"] == "mean HU")
    assert content["auc"] < 0.1  # it is reported all the same


def test_clean_studies_pass():
    """The family of observables raises a false alarm in about one of a hundred studies."""
    alarms = 0
    for seed in range(40):
        random = np.random.default_rng(seed)
        tokens = ["".join(random.choice(list("0123456789abcdef"), 12)) for _ in range(CASES)]
        extra = [*leaks.text_observables("key", tokens), leaks.number_observable("slot", random.permutation(CASES))]
        alarms += not judged(clean_pixels(seed), extra)["passed"]
    assert alarms <= 3  # Poisson with mean 0.4: more than 3 has p < .001


def test_permutation_p_agrees_with_the_exact_test():
    from scipy import stats

    values = [3.0, 1.0, 4.0, 1.5, 5.0, 9.0, 2.0, 6.0]
    kinds = [True, False, True, False, True, True, False, False]
    report = leaks.audit([leaks.number_observable("x", values)], synthetic=kinds)
    finding = report["findings"][0]
    exact = stats.mannwhitneyu(
        [v for v, k in zip(values, kinds, strict=True) if k],
        [v for v, k in zip(values, kinds, strict=True) if not k],
        method="exact",
    )
    assert finding["auc"] == pytest.approx(exact.statistic / 16)
    assert finding["p"] == pytest.approx(exact.pvalue, abs=0.015)


def test_large_studies_and_small_ones_are_judged():
    many = [number % 2 == 0 for number in range(1400)]
    slots = list(np.random.default_rng(0).permutation(1400))
    assert leaks.audit([leaks.number_observable("slot", slots)], synthetic=many)["passed"]
    few = leaks.audit([leaks.number_observable("slot", [0, 1, 2, 3])], synthetic=[True, True, False, False])
    assert few["smallest_p_possible"] == pytest.approx(2 / 6)
