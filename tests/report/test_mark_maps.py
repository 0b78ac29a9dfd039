"""The maps of marks: what they count, what they show of few marks, and of marks that were put without looking."""

from math import hypot
from types import SimpleNamespace
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from readerstudy.report.arm_marks import ArmMarks, MarkMap, OneMark, ReasonOfArm
from readerstudy.report.figures.mark_maps import marks_at_edits, marks_in_pictures
from readerstudy.report.figures.plots.heat import FEW, HeatPanel, Squares, heat_plot
from readerstudy.report.mark_map_words import arm_reason_rows, arm_rows, mark_rows, reasons_words
from readerstudy.unblinding.edits import Edits

SVG = "{http://www.w3.org/2000/svg}"
RADIUS_MM, EDIT_MM, HALF_MM = 5.0, 6.0, 25.0


@given(half=st.floats(0.5, 300), at=st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_squares_cover_the_map_and_one_lies_around_its_middle(half, at):
    squares = Squares.over(half)
    assert squares.across % 2 == 1
    assert half <= squares.half_mm * (1 + 1e-9) <= half + squares.side_mm * (1 + 1e-9)
    assert squares.of((0.0, 0.0)) == (squares.across // 2, squares.across // 2)
    column, row = squares.of(tuple(share * half * 0.999 for share in at))
    middle = (np.array([column, row]) + 0.5) * squares.side_mm - squares.half_mm
    assert np.abs(middle - np.array(at) * half * 0.999).max() <= squares.side_mm / 2 + 1e-6
    assert squares.of((squares.half_mm + 1, 0.0)) is None


def arm_of(places, *, name="Test, inserted", real=False, reasons=()):
    """Of marks as (place of the edit, place of the mark) from the middle of the picture."""
    marks = []
    for number, (edit, mark) in enumerate(places):
        away = tuple(float(m - e) for m, e in zip(mark, edit, strict=True))
        beside = max(0.0, hypot(*away) - EDIT_MM)
        marks.append(
            OneMark(
                case=f"C{number % 20}",
                rater=str(number % 4),
                from_edit_mm=None if real else (*away, 0.0),
                from_middle_mm=(*map(float, mark), 0.0),
                distance_mm=None if real else beside,
                within=None if real else beside <= RADIUS_MM,
            )
        )
    return ArmMarks(
        arm=name,
        real=real,
        marks=tuple(marks),
        within=None if real else sum(bool(mark.within) for mark in marks),
        expected_within=None if real else 0.3 * len(marks),
        in_middle=sum(hypot(*mark.from_middle_mm[:2]) <= RADIUS_MM for mark in marks),
        edit_radius_mm=None if real else EDIT_MM,
        reasons=reasons,
    )


def found(*arms):
    return MarkMap(radius_mm=RADIUS_MM, picture_half_mm=HALF_MM, arms=arms)


def shapes(drawing):
    sheet = ET.fromstring(drawing.svg(name="x"))
    squares = [one for one in sheet.iter(f"{SVG}polygon") if one.get("fill") != "none" and one.get("stroke") is None]
    points = [one for one in sheet.iter(f"{SVG}circle") if one.get("fill") != "none"]
    words = " ".join(one.text or "" for one in sheet.iter(f"{SVG}text"))
    return squares, points, words


def opacity(square):
    return float(square.get("opacity", 1))


@pytest.fixture
def random():
    return np.random.default_rng(3)


def test_marks_without_looking_are_hot_in_the_picture_and_not_on_the_edit(random):
    edits = random.uniform(-20, 20, (200, 2))
    blind = arm_of([(edit, random.normal(0, 1, 2)) for edit in edits])
    looking = arm_of([(edit, edit + random.normal(0, 1, 2)) for edit in edits], name="Other, inserted")
    for drawing, hot in ((marks_in_pictures, blind), (marks_at_edits, looking)):
        other = looking if hot is blind else blind
        drawn = drawing(found(hot, other))
        squares, _, _ = shapes(drawn)
        # one scale for both: the hottest square is the hot arm's, and the other arm has none half as hot
        left = drawn.width / 2 - 120
        own, others = (
            [opacity(one) ** 2 for one in squares if (float(one.get("points").split(",")[0]) < left) == first]
            for first in (True, False)
        )
        assert max(own) == 1
        assert max(others) < 0.5
    assert blind.in_middle == 200
    assert blind.within < 100


def test_few_marks_are_drawn_one_by_one_and_said_to_be_few(random):
    few = arm_of([((0, 0), mark) for mark in random.normal(0, 3, (FEW - 1, 2))])
    squares, points, words = shapes(marks_in_pictures(found(few)))
    assert (len(squares), len(points)) == (0, FEW - 1)
    assert "Few marks: each is drawn" in words
    assert "of an arm's marks in a square" not in words
    enough = arm_of([((0, 0), mark) for mark in random.normal(0, 3, (FEW, 2))])
    squares, points, words = shapes(marks_in_pictures(found(enough)))
    assert squares
    assert not points
    assert "Few" not in words
    assert "of an arm's marks in a square" in words


def test_every_mark_is_in_a_square_or_counted_as_beyond(random):
    places = [tuple(place) for place in random.normal(0, 12, (100, 2))]
    panel = HeatPanel(label="A, inserted", places=places, notes=())
    squares, _, words = shapes(heat_plot([panel], half_mm=10, title="t", middle="m", notes=()))
    side = Squares.over(10)
    beyond = sum(side.of(place) is None for place in places)
    assert beyond
    assert f"{beyond} beyond this map" in words
    assert len({side.of(place) for place in places} - {None}) == len([one for one in squares if not one.get("stroke")])


@pytest.mark.parametrize("arms", [1, 3, 7])
def test_no_shape_leaves_the_sheet(random, arms):
    many = [arm_of([((0, 0), mark) for mark in random.uniform(-25, 25, (40, 2))], name=f"P{n}, x") for n in range(arms)]
    for drawn in (marks_at_edits(found(*many)), marks_in_pictures(found(*many))):
        sheet = ET.fromstring(drawn.svg(name="x"))
        for shape in sheet.iter():
            for point in (shape.get("points") or "").split():
                x, y = map(float, point.split(","))
                assert -1 <= x <= drawn.width + 1
                assert -1 <= y <= drawn.height + 1
        lowest = max(float(text.get("y")) for text in sheet.iter(f"{SVG}text"))
        assert lowest <= drawn.height


def test_real_cases_have_no_edit_and_no_marks_no_figure(random):
    real = arm_of([((0, 0), mark) for mark in random.normal(0, 3, (40, 2))], name="real", real=True)
    assert marks_at_edits(found(real)) is None
    assert "real" in shapes(marks_in_pictures(found(real)))[2]
    assert marks_in_pictures(MarkMap()) is None
    [row] = arm_rows(found(real))
    assert (row["marks"], row["within"], row["median_distance_mm"]) == (40, None, None)
    assert mark_rows(found(real))[0]["edit_x_mm"] is None


def test_reasons_are_told_by_arm_where_several_arms_have_some():
    reasons = (ReasonOfArm(reason="Edge", on_places=4, beside=1), ReasonOfArm(reason="Noise", on_places=0, beside=0))
    one, other = (arm_of([((0, 0), (1, 1))], name=name, reasons=reasons) for name in ("A, x", "B, x"))
    assert reasons_words(found(one)) == []
    assert reasons_words(found(one, other)) == ["Commonest reasons by arm: A, x: Edge 5; B, x: Edge 5."]
    assert [row["beside"] for row in arm_reason_rows(found(one, other))] == [1, 0, 1, 0]


@pytest.fixture
def two_edits():
    """Of 2 and of 4 voxels in a row, 20 mm apart, in a picture that runs to the right."""
    lattice = {"origin_lps_mm": [100.0, 0.0, 0.0], "steps_lps_mm": [[0, 0, 3], [0, 1, 0], [-1, 0, 0]]}
    stimulus = SimpleNamespace(size_zyx=[3, 40, 40], spacing_zyx_mm=[3.0, 1.0, 1.0], lattice=lattice)
    truth = SimpleNamespace(target={"runs": [[1, 10, 4, 6], [1, 10, 26, 30]]})
    return truth, stimulus


def test_a_mark_belongs_to_the_edit_that_it_is_nearest_to(two_edits):
    edits = Edits.of(*two_edits, apart_mm=5)
    assert [tuple(edit.centre_lps_mm) for edit in edits.edits] == [(95.5, 10, 3), (72.5, 10, 3)]
    assert [edit.radius_mm**2 * np.pi for edit in edits.edits] == pytest.approx([2, 4])
    edit, away = edits.nearest({"slice": 1, "row": 10, "column": 20})
    assert (tuple(edit.centre_lps_mm), away) == ((72.5, 10, 3), 6)
    edit, away = edits.nearest({"slice": 1, "row": 10, "column": 5})
    assert (tuple(edit.centre_lps_mm), away) == ((95.5, 10, 3), 0)
    # closer than the radius they are one
    assert len(Edits.of(*two_edits, apart_mm=25).edits) == 1


def test_what_was_sealed_says_which_pieces_are_one(two_edits):
    truth, stimulus = two_edits
    truth.target["place_of_run"] = [0, 0]
    assert len(Edits.of(truth, stimulus, apart_mm=5).edits) == 1


def test_a_case_without_edit_has_none(two_edits):
    _, stimulus = two_edits
    edits = Edits.of(SimpleNamespace(target={}), stimulus, apart_mm=5)
    assert edits.nearest({"slice": 1, "row": 10, "column": 20}) is None
