"""Drawings as PNG, by matplotlib. Only the report's job comes here: a web process never loads matplotlib."""

import io

from ctplatform.figures.drawing import Circle, Drawing, Paint, Shape, Text

# One unit of a drawing is a CSS pixel, 1/96 inch.
UNITS_PER_INCH = 96
POINTS_PER_UNIT = 72 / UNITS_PER_INCH
DPI = 300
ALIGNMENT = {"start": "left", "middle": "center", "end": "right"}


def png(drawing: Drawing) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(drawing.width / UNITS_PER_INCH, drawing.height / UNITS_PER_INCH), dpi=DPI)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.set_axis_off()
    for shape in drawing.shapes:
        _draw(axes, shape)
    out = io.BytesIO()
    canvas.print_figure(out, format="png", metadata={"Title": drawing.title, "Description": drawing.description})
    return out.getvalue()


def _draw(axes: object, shape: Shape) -> None:
    from matplotlib.patches import Circle as CirclePatch
    from matplotlib.patches import Polygon

    if isinstance(shape, Text):
        _write(axes, shape)
    elif isinstance(shape, Circle):
        axes.add_patch(CirclePatch(shape.centre, shape.radius, **_paint(shape.paint)))  # type: ignore[attr-defined]
    else:
        axes.add_patch(Polygon(list(shape.points), closed=shape.closed, **_paint(shape.paint)))  # type: ignore[attr-defined]


def _write(axes: object, shape: Text) -> None:
    axes.text(  # type: ignore[attr-defined]
        *shape.at,
        # A dollar sign would start mathematics.
        shape.text.replace("$", r"\$"),
        fontsize=shape.size * POINTS_PER_UNIT,
        ha=ALIGNMENT[shape.anchor],
        va="baseline",
        color=shape.colour,
        fontweight="bold" if shape.bold else "normal",
        rotation=90 if shape.vertical else 0,
        rotation_mode="anchor",
    )


def _paint(paint: Paint) -> dict[str, object]:
    width = paint.width * POINTS_PER_UNIT
    dash = paint.dash or (0.0, 0.0)
    return {
        "facecolor": paint.fill or "none",
        "edgecolor": paint.stroke or "none",
        "linewidth": width if paint.stroke else 0,
        # matplotlib counts dashes in line widths.
        "linestyle": (0, (dash[0] / paint.width, dash[1] / paint.width)) if paint.dash else "solid",
        "alpha": paint.opacity,
    }
