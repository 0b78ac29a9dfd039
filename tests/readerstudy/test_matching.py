"""A draw leaves nothing but the lesion to tell the kinds apart: place, other lesions, scans seen twice, patients."""

from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from ml.geometry import Grid
from readerstudy.blinding.cutting import cut_for, study_frame
from readerstudy.design import pictures
from readerstudy.design.candidate import Candidate
from readerstudy.design.likeness import LIMITS, _wins, auc_interval, match_report, sealed_match, verdict
from readerstudy.design.matching import matched_draw
from readerstudy.design.patients import PatientBalance
from readerstudy.design.pictures import Picture, frame_position, surroundings_hu
from readerstudy.design.readiness import _without_a_partner


def candidate(synthetic, number, *, root, place=(0.0, 0.0, 0.0), subject=None, **position):
    return Candidate(
        synthetic=synthetic,
        scan=f"{root} {'edit' if synthetic else 'itself'} {number if synthetic else ''}",
        root=root,
        subject=subject or f"patient of {root}",
        place_lps_mm=place,
        diameter_mm=12.0,
        **position,
    )


def pool(synthetic, count, *, roots, random, **position):
    """Candidates spread over roots and far from each other; `position` names functions of the generator."""
    return [
        candidate(
            synthetic,
            number,
            root=f"scan {number % roots}",
            place=(0.0, 0.0, 100.0 * number),
            **{name: draw(random) for name, draw in position.items()},
        )
        for number in range(count)
    ]


def measures(cases):
    return {measure["name"]: measure for measure in match_report(cases)["measures"]}


def drawn(real, synthetic, **settings):
    return [c for pair in matched_draw(real, synthetic, **{"pairs": 20, "seed": 3, **settings}) for c in pair]


@pytest.mark.parametrize(
    ("name", "real", "synthetic"),
    [
        ("row_mm", lambda r: r.normal(-20, 25), lambda r: r.normal(20, 25)),
        ("liver_left", lambda r: r.uniform(0, 0.8), lambda r: r.uniform(0.2, 1)),
        ("others", lambda r: int(r.poisson(3)), lambda r: int(r.poisson(1.2))),
    ],
)
def test_what_tells_the_pools_apart_does_not_tell_the_drawn_cases(name, real, synthetic):
    random = np.random.default_rng(5)
    pools = [pool(kind, 120, roots=12, random=random, **{name: at}) for kind, at in ((False, real), (True, synthetic))]
    before, after = measures([*pools[0], *pools[1]])[name], measures(drawn(*pools))[name]
    assert before["verdict"] == "apart"
    assert after["verdict"] == "alike"
    assert abs(after["auc"] - 0.5) < 0.06


def test_without_company_an_inserted_lesion_is_refused_and_with_hosts_like_the_real_ones_it_is_not():
    """Ten real lesions with others around them; insertions into empty scans, then also into scans that have lesions."""
    real = [candidate(False, n, root=f"r {n}", others=n % 4 + 1, other_distance_mm=30.0) for n in range(10)]
    alone = [candidate(True, n, root=f"s {n}", others=0) for n in range(20)]
    company = [candidate(True, n, root=f"t {n}", others=n % 4 + 1, other_distance_mm=35.0) for n in range(20)]
    assert measures(drawn(real, alone))["others"]["verdict"] == "apart"
    chosen = drawn(real, [*alone, *company])
    assert len(chosen) == 20
    assert measures(chosen)["others"]["verdict"] == "alike"
    assert abs(measures(chosen)["others"]["auc"] - 0.5) < 0.06


@pytest.mark.parametrize("whole", [True, False])
def test_no_two_cases_of_a_draw_show_the_same_part_of_a_scan(whole):
    """Real lesions, and edits of the same scans at the same places and near them."""
    random = np.random.default_rng(8)
    picture = Picture(whole=whole, field_of_view_mm=40.0, slices_mm=15.0)
    pools = [
        [
            candidate(kind, n, root=f"scan {n % 6}", place=tuple(float(v) for v in random.uniform(0, 120, 3)))
            for n in range(60)
        ]
        for kind in (False, True)
    ]
    chosen = drawn(*pools, shares_picture=picture.shares)
    assert len(chosen) >= 12
    for index, one in enumerate(chosen):
        for other in chosen[:index]:
            apart = np.abs(np.subtract(one.place_lps_mm, other.place_lps_mm))
            same = apart[2] < 15 and (whole or (apart[:2] < 40).all())
            assert one.root != other.root or not same
    assert len(drawn(*pools, shares_picture=None)) >= len(chosen)


def test_the_same_scan_again_means_neither_kind():
    """A scan gives many real cases and few edits: in the draw it gives as many of both, or pairs with one like it."""
    random = np.random.default_rng(2)
    real = pool(False, 90, roots=9, random=random)
    synthetic = pool(True, 12, roots=12, random=random)
    chosen = drawn(real, synthetic, pairs=12)
    per_scan = [Counter(c.root for c in chosen if c.synthetic is kind) for kind in (False, True)]
    assert sorted(per_scan[0].values()) == sorted(per_scan[1].values())
    assert measures(chosen)["cases_per_scan"]["auc"] == 0.5
    careless = [*real[:12], *synthetic]  # two real cases of some scans, one edit of each
    assert measures(careless)["cases_per_scan"]["auc"] != 0.5


def test_kinds_are_paired_within_patients_where_they_can_be():
    random = np.random.default_rng(4)
    depths = {"depth_mm": lambda r: r.uniform(5, 40)}
    real, synthetic = (pool(kind, 40, roots=10, random=random, **depths) for kind in (False, True))
    pairs = matched_draw(real, synthetic, pairs=15, seed=1)
    assert sum(a.subject == b.subject for a, b in pairs) >= 14


def test_a_seed_gives_the_same_draw_whatever_order_the_candidates_come_in():
    random = np.random.default_rng(6)
    real, synthetic = (pool(kind, 30, roots=10, random=random, row_mm=lambda r: r.normal()) for kind in (False, True))
    first = matched_draw(real, synthetic, pairs=10, seed=11)
    assert matched_draw(real[::-1], synthetic[::-1], pairs=10, seed=11) == first
    assert matched_draw(real, synthetic, pairs=10, seed=12) != first


def test_nothing_is_drawn_from_nothing():
    some = pool(False, 3, roots=3, random=np.random.default_rng(1))
    picture = Picture(whole=True, field_of_view_mm=40.0, slices_mm=15.0)
    assert matched_draw(some, [], pairs=4, seed=1, shares_picture=picture.shares) == []
    assert matched_draw([], [], pairs=4, seed=1) == []


def interval_of(real, synthetic, pairs=None):
    labels = pairs or [[f"{kind}{n}" for n in range(len(values))] for kind, values in (("r", real), ("s", synthetic))]
    return auc_interval(_wins(np.asarray(real), np.asarray(synthetic), unseen=0.0), pairs=tuple(map(np.array, labels)))


def test_the_interval_holds_the_true_auc_nine_times_in_ten():
    random = np.random.default_rng(1)
    shift = 0.5
    truth = stats.norm.cdf(shift / np.sqrt(2))
    held = [
        low <= truth <= high
        for _, low, high in (interval_of(random.normal(0, 1, 24), random.normal(shift, 1, 24)) for _ in range(400))
    ]
    assert 0.86 < np.mean(held) < 0.94


def test_alike_pairs_narrow_the_interval():
    random = np.random.default_rng(9)
    real = random.normal(0, 1, 12)
    synthetic = real + random.normal(0, 0.05, 12)
    labels = [str(n) for n in range(12)]
    alone, paired = interval_of(real, synthetic), interval_of(real, synthetic, [labels, labels])
    assert alone[2] - alone[1] > 0.3
    assert paired[2] - paired[1] < 0.15


def test_verdicts_judge_effects():
    assert verdict(0.52, 0.44, 0.6) == "alike"
    assert verdict(0.52, 0.3, 0.74) == "open"  # a large p would have called this alike
    assert verdict(0.7, 0.48, 0.92) == "open"
    assert verdict(0.92, 0.8, 1.0) == "apart"
    assert verdict(0.6, 0.55, 0.64) == "alike"  # apart from 0.5 for certain, but by little
    assert LIMITS == (0.35, 0.65)


def test_a_difference_that_nobody_sees_does_not_count():
    real = [candidate(False, n, root=f"scan {n}", depth_mm=12.0) for n in range(12)]
    synthetic = [candidate(True, n, root=f"scan {n}", depth_mm=13.0) for n in range(12)]
    assert measures([*real, *synthetic])["depth_mm"]["auc"] == 0.5


def liver_at(left, back, head):
    return {"liver_left": left, "liver_back": back, "liver_head": head}


def test_segments_follow_from_the_place_and_are_judged_together():
    corners = {(0.2, 0.2, 0.9): "VIII", (0.2, 0.2, 0.1): "V", (0.2, 0.8, 0.9): "VII", (0.2, 0.8, 0.1): "VI"}
    corners |= {(0.6, 0.5, 0.9): "IVa", (0.6, 0.5, 0.1): "IVb", (0.9, 0.5, 0.9): "II", (0.9, 0.5, 0.1): "III"}
    for shares, segment in corners.items():
        assert candidate(False, 0, root="r", **liver_at(*shares)).segment == segment
    places = list(corners)
    real = [candidate(False, n, root=f"r {n}", **liver_at(*places[n % 2])) for n in range(12)]
    alike = [candidate(True, n, root=f"s {n}", **liver_at(*places[n % 2])) for n in range(12)]
    elsewhere = [candidate(True, n, root=f"s {n}", **liver_at(*places[2 + n % 2])) for n in range(12)]
    assert measures([*real, *alike])["segment"]["auc"] <= 0.65
    assert measures([*real, *elsewhere])["segment"] == measures([*real, *elsewhere])["segment"] | {
        "auc": 1.0,
        "verdict": "apart",
    }
    # By head and foot alone the two halves of the liver look the same.
    assert measures([*real, *elsewhere])["liver_head"]["auc"] == 0.5


def test_what_is_frozen_of_the_match_tells_no_figure():
    report = match_report(drawn(*(pool(kind, 20, roots=10, random=np.random.default_rng(1)) for kind in (False, True))))
    frozen = sealed_match(report)
    assert {measure["name"] for measure in frozen["measures"]} == {measure["name"] for measure in report["measures"]}
    assert all(set(measure) == {"name", "verdict"} for measure in frozen["measures"])
    assert not {"kinds", "scans_of_both_kinds"} & set(frozen)


@pytest.mark.parametrize("flips", [(1, 1, 1), (-1, 1, -1), (1, -1, 1)])
def test_row_and_column_are_those_of_the_ring(flips):
    z, y, x = flips
    grid = Grid((20, 60, 50), (3.0, 0.8, 0.8), (5.0, -7.0, 100.0), (float(x), 0, 0, 0, float(y), 0, 0, 0, float(z)))
    frame = study_frame([grid], mode="slice", field_of_view_mm=1, stack_slices=3)
    for place_zyx in ((3, 11, 41), (16, 45, 7)):
        place = [float(v) for v in grid.to_world(place_zyx)]
        row_mm, column_mm, share = frame_position(SimpleNamespace(geometry=grid), place)
        _, row, column = cut_for(grid, frame, mode="slice", place_lps_mm=place).marker_zyx
        assert ((row - 29.5) * 0.8, (column - 24.5) * 0.8) == pytest.approx((row_mm, column_mm), abs=0.5)
        # The slice nearest the head comes first.
        assert share == pytest.approx(0.5 + (9.5 - place_zyx[0] if z > 0 else place_zyx[0] - 9.5) / 20)


def test_other_lesions_count_where_the_picture_shows_them():
    def lesion(*centre, diameter_mm=10.0):
        return SimpleNamespace(centroid_lps_mm=centre, diameter_mm=diameter_mm)

    near, beside, above = lesion(20, 0, 0), lesion(60, 0, 0), lesion(0, 30, 20)
    patch, slice_, stack = (
        Picture(whole=whole, field_of_view_mm=50.0, slices_mm=slices)
        for whole, slices in ((False, 3.0), (True, 3.0), (True, 45.0))
    )
    here = (0.0, 0.0, 0.0)
    assert patch.others(here, [near, beside, above]) == [15.0]
    assert slice_.others(here, [near, beside, above]) == [15.0, 55.0]
    assert len(stack.others(here, [near, beside, above])) == 3


def test_kinds_from_different_patients_are_named():
    seven_of_one = [("A", False)] * 7 + [("A", True)] + [(name, True) for name in "BCDEFG"]
    balance = PatientBalance.of(seven_of_one)
    assert balance.confounded
    assert "“A” gives 7 of 7 real and 1 of 7 synthetic cases" in balance.words
    assert balance.words.startswith("7 patients: 1 give real cases, 7 synthetic, 1 both.")


def test_a_kind_of_few_patients_is_said_to_reject_too_often():
    """Four patients with 12 edits each and one with 2, against 50 real scans: 7 % at 5."""
    singles = [(f"R{number}", False) for number in range(50)]
    few = [(name, True) for name in "ABCD" for _ in range(12)] + [("E", True)] * 2
    assert "The synthetic cases count as those of 4.3 patients" in PatientBalance.of([*singles, *few]).words
    many = [(f"S{number}", True) for number in range(10) for _ in range(5)]
    assert "count as" not in PatientBalance.of([*singles, *many]).words


@pytest.mark.parametrize(
    ("cases", "named", "confounded"),
    [
        ([(name, kind) for name in "ABCDEF" for kind in (True, False)] * 2, False, False),
        ([(name, name < "D") for name in "ABCDEF"], False, False),  # one case a patient: no patient stands for a kind
        ([(name, name < "D") for name in "ABCDEF"] * 2, True, False),
        ([(name, name < "C") for name in "ABCD"] * 5, True, True),
    ],
)
def test_patients_are_judged_by_what_they_give_more_of_one_kind(cases, named, confounded):
    balance = PatientBalance.of(cases)
    assert (bool(balance.lopsided), balance.confounded) == (named, confounded)
    assert ("come from different patients" in balance.words) == named


def test_surroundings_are_measured_without_the_lesion_and_without_air(monkeypatch):
    grid = Grid((5, 90, 90), (3.0, 1.0, 1.0))
    place = [float(v) for v in grid.to_world((2, 45, 45))]

    def measured(noise, *, lesion=0.0, brighter=0.0):
        volume = np.random.default_rng(1).normal(60 + brighter, noise, grid.size_zyx)
        volume[:, :, 70:] = -1000
        volume[:, 40:51, 40:51] += lesion
        monkeypatch.setattr(
            pictures.voxels, "read_box", lambda _scan, _grid, box: np.rint(volume[box]).astype(np.int16)
        )
        return surroundings_hu(SimpleNamespace(geometry=grid, pk=1), place, radius_mm=5.0)

    quiet, loud = measured(8.0), measured(16.0)
    assert quiet == pytest.approx((60, 8 * 2 / np.sqrt(np.pi)), rel=0.05)
    assert loud[1] / quiet[1] == pytest.approx(2, rel=0.05)
    assert measured(8.0, lesion=-80.0) == quiet
    assert measured(8.0, brighter=30.0)[0] == pytest.approx(quiet[0] + 30, abs=0.5)
    assert measured(8.0, brighter=-1500.0) is None  # nothing but air


@pytest.mark.parametrize("of_each_kind", [(1, 3), (2, 1)])
def test_several_of_one_kind_are_drawn_for_one_of_the_other(of_each_kind):
    """A trial comes from one scan; its arms differ; no picture comes twice."""
    random = np.random.default_rng(8)
    real, synthetic = (pool(kind, 36, roots=6, random=random, row_mm=lambda r: r.normal()) for kind in (False, True))
    made = [
        replace(
            one, details={"operation": "insert", "generator_name": f"program {n // 6 % 3}", "generator_version": "1"}
        )
        for n, one in enumerate(synthetic)
    ]
    picture = Picture(whole=True, field_of_view_mm=40.0, slices_mm=15.0)
    settings = {"pairs": 6, "seed": 2, "shares_picture": picture.shares, "of_each_kind": of_each_kind}
    groups = matched_draw(real, made, **settings)
    assert len(groups) == 6
    assert {(sum(not c.synthetic for c in group), sum(c.synthetic for c in group)) for group in groups} == {
        of_each_kind
    }
    assert [{c.pair for c in group} for group in groups] == [{number} for number in range(1, 7)]
    drawn_cases = [c for group in groups for c in group]
    assert len({(c.scan, c.place_lps_mm) for c in drawn_cases}) == len(drawn_cases)
    assert all(len({c.root for c in group}) == 1 for group in groups)
    # From two scans the one of its kind would stand out beside the others, whatever it shows.
    elsewhere = [replace(one, root=f"other {one.root}") for one in made]
    assert matched_draw(real, elsewhere, **settings) == []
    assert len(matched_draw(real, elsewhere, **{**settings, "of_each_kind": (1, 1)})) == 6
    if of_each_kind[1] == 3:
        assert all(len({c.arm for c in group if c.synthetic}) == 3 for group in groups)
    for scan in {c.root for c in drawn_cases}:
        own = [c.synthetic for c in drawn_cases if c.root == scan]
        assert own.count(False) * of_each_kind[1] == own.count(True) * of_each_kind[0]
    # Where a scan has too few of a kind, nothing is drawn from it rather than part of a trial.
    assert matched_draw(real[:3], made[:2], **settings) == []


def test_trials_of_several_scans_are_not_locked():
    """A draft that was drawn before may have some: of more than two images the one to find stands out there."""

    def truths(images, scans):
        cases = [
            SimpleNamespace(
                pair=1, control=False, synthetic=not number, scan=SimpleNamespace(pk=scan, source_scan=None)
            )
            for number, scan in enumerate(scans)
        ]
        return _without_a_partner(cases, images=images, finds_synthetic=True)

    assert "1 trials are of more than one scan" in truths(3, "aab")
    assert not truths(3, "aaa")
    assert not truths(2, "ab")


def test_of_two_kinds_one_stands_alone():
    with pytest.raises(ValueError, match="one image of one kind"):
        matched_draw([], [], pairs=1, seed=1, of_each_kind=(2, 2))
