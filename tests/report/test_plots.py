"""Figures say what the analysis says, to those who look and to those who listen."""

import io
import re
from importlib.machinery import ModuleSpec
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from ctplatform.figures.drawing import Drawing, Paint
from readerstudy.report.figures.catalogue import figures
from readerstudy.report.figures.flow_steps import flow_steps
from readerstudy.report.figures.plots.flow import FlowStep, flow_diagram
from readerstudy.report.figures.plots.forest import ForestRow, forest_plot
from readerstudy.report.figures.raster import png
from tests.report.sample import sample_report

SVG = "{http://www.w3.org/2000/svg}"
EXTREMES = {
    "unequal": {},
    "no confidence": {"levels": 0},
    "one rater": {"raters": 1},
    "nobody analysed": {"raters": 2, "excluded": (1, 2)},
    "tiny": {"real": 1, "synthetic": 1, "raters": 2},
    "only synthetic": {"real": 0, "synthetic": 6},
    "many raters": {"raters": 12},
}


@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
def test_every_figure_of_every_kind_of_study_is_well_formed_and_described(extreme):
    for figure in figures(sample_report(**extreme)):
        root = ET.fromstring(figure.drawing.svg(name=figure.name))
        assert root.find(f"{SVG}title").text
        assert root.find(f"{SVG}desc").text
        assert root.get("role") == "img"
        named = {root.find(f"{SVG}title").get("id"), root.find(f"{SVG}desc").get("id")}
        assert set(root.get("aria-labelledby").split()) == named
        assert not any(
            "NaN" in str(value) or "nan" in str(value) for value in root.iter() for value in value.attrib.values()
        )


@pytest.mark.parametrize("extreme", EXTREMES.values(), ids=EXTREMES)
def test_no_shape_leaves_the_sheet(extreme):
    for figure in figures(sample_report(**extreme)):
        sheet = ET.fromstring(figure.drawing.svg(name=figure.name))
        width, height = float(sheet.get("width")), float(sheet.get("height"))
        for shape in sheet.iter():
            for point in (shape.get("points") or "").split():
                x, y = map(float, point.split(","))
                assert -1 <= x <= width + 1, figure.name
                assert -1 <= y <= height + 1, figure.name


def test_what_would_show_nothing_is_no_figure():
    """Empty axes look like a result."""
    assert [figure.name for figure in figures(sample_report(**EXTREMES["nobody analysed"]))] == ["flow"]
    one_kind = {figure.name for figure in figures(sample_report(**EXTREMES["only synthetic"]))}
    assert not {"forest-auc", "forest-accuracy", "roc"} & one_kind
    assert {"confusion", "times", "difficulty"} <= one_kind
    assert len(figures(sample_report())) == 10


def test_texts_are_escaped():
    drawing = Drawing(width=10, height=10, title="<b>", description='"&"')
    drawing.text(0, 0, "<script>alert(1)</script>")
    root = ET.fromstring(drawing.svg(name="x"))
    assert root.find(f"{SVG}text").text == "<script>alert(1)</script>"
    assert "<script" not in drawing.svg(name="x")


def test_characters_that_xml_cannot_hold_are_left_out():
    drawing = Drawing(width=100, height=30, title="a\x01b", description="c\x0bd\ufffe")
    drawing.text(5, 20, "Rater\x00 1\x1f")
    root = ET.fromstring(drawing.svg(name="x"))
    assert [part.text for part in root] == ["ab", "cd", "Rater 1"]
    assert png(drawing).startswith(b"\x89PNG")


def test_a_curve_without_points_is_no_shape():
    drawing = Drawing(width=100, height=50, title="Empty", description="A rater who gave no answer")
    drawing.line([], paint=Paint(stroke="#000000"))
    drawing.area([], paint=Paint(fill="#000000"))
    assert drawing.shapes == []
    assert png(drawing).startswith(b"\x89PNG")


def test_the_picture_is_the_drawing():
    drawing = Drawing(width=96, height=48, title="Half", description="Left half dark")
    drawing.box(0, 0, 48, 48, paint=Paint(fill="#000000"))
    pixels = np.asarray(Image.open(io.BytesIO(png(drawing))).convert("L"))
    assert pixels.shape == (150, 300)
    assert pixels[:, :145].max() < 20
    assert pixels[:, 155:].min() > 235


def written(text, **style):
    drawing = Drawing(width=96, height=48, title=f"Title of {text}", description="Größe ≤ 5 mm")
    drawing.text(8, 32, text, **{"size": 20} | style)
    return Image.open(io.BytesIO(png(drawing)))


def ink(text, **style):
    return np.asarray(written(text, **style).convert("L")) < 128


def test_the_picture_has_every_letter_that_figures_use():
    no_glyph = ink("\ue123")
    for letter in "Aa0%±–“”…′ÄßéłŞЖκ":
        drawn = ink(letter)
        assert drawn.sum() > 20, letter
        assert (drawn != no_glyph).any(), letter
    assert ink("AUC", bold=True).sum() > 1.2 * ink("AUC").sum()
    across, upwards = (np.ptp(np.argwhere(ink("iiiii", size=9, vertical=turned)), axis=0) for turned in (False, True))
    assert abs(across - upwards[::-1]).max() <= 2
    assert ink("W")[:, :25].sum() == 0, "text begins where it is put"


def test_the_picture_carries_its_words_and_its_resolution():
    picture = written("x")
    assert picture.text == {"Title": "Title of x", "Description": "Größe ≤ 5 mm"}
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def test_no_picture_without_letters(monkeypatch, tmp_path):
    # A spec of its own: find_spec hands out the one of the whole process once matplotlib is imported.
    empty = ModuleSpec("matplotlib", loader=None, origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("ctplatform.figures.fonts.find_spec", lambda name: empty)
    with pytest.raises(FileNotFoundError, match=r"DejaVuSans\.ttf is missing"):
        written("x")


def forest_svg(**changes):
    row = {"label": "Rater 1", "n": 10, "value": 0.6, "low": 0.3, "high": 0.9, **changes}
    return forest_plot([ForestRow(**row)], measure="Accuracy", chance=0.5, margin=0.15, level="95").svg(name="forest")


def test_forest_shows_the_interval_the_chance_line_and_the_margin():
    drawn = forest_svg()
    assert "0.600 [0.300, 0.900]" in drawn
    assert "dashed line: chance" in drawn
    assert "± 15.0 %" in drawn


def test_what_cannot_be_estimated_is_said_and_not_drawn_as_zero():
    drawn = forest_svg(value=None, low=None, high=None)
    assert "not estimable" in drawn
    assert "0.000" not in drawn
    assert "(no interval)" in forest_svg(low=None, high=None)


def test_no_chance_line_where_classes_are_unequal():
    svg = {figure.name: figure.drawing.svg(name="x") for figure in figures(sample_report())}
    assert "no common chance line" in svg["forest-accuracy"]
    assert "dashed line: chance" in svg["forest-auc"]


def test_long_words_stay_in_their_boxes():
    cases = "Cases: 480 (240 synthetic, 240 real) and 12 positive controls, 160 scans, 160 patients"
    reason = "Rater 4 excluded: left the department before half of the cases had been read, and did not come back"
    svg = flow_diagram([FlowStep(text="Edits made: 48"), FlowStep(text=cases, left_out=[reason])]).svg(name="x")
    lines = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert " ".join(lines) == f"Edits made: 48 {cases} {reason}"
    assert max(len(line) for line in lines) <= 48


def test_the_flow_adds_up():
    data = sample_report(excluded=(4,), missing_rule="complete_cases")
    steps = [f"{step.text}; {'; '.join(step.left_out)}" for step in flow_steps(data)]
    words = " | ".join(steps)
    assert "Edits made: 30" in words
    assert "not reviewed: 2" in words
    assert "rejected: 8" in words
    assert "accepted but not drawn as cases: 2" in words
    answered = sum(row["valid"] for row in data.ratings)
    assert "Readings planned for 4 raters: 120; " in words
    assert f"not answered: {120 - answered}" in words
    assert "answers replaced by a revision: 1" in words
    assert "Rater 4 excluded: left" in words
    analysed, of_excluded = data.analysis.design.n_ratings, 30
    assert f"ratings of excluded raters: {of_excluded}" in words
    assert f"ratings of cases that not all raters rated: {answered - of_excluded - analysed}" in words
    assert words.split("Ratings analysed: ")[1].startswith(f"{analysed};")
