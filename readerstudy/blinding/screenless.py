"""The check of the display where nobody sits at a screen: sent by the leak audit in a rater's place, and by virtual
raters."""

from collections.abc import Iterable, Mapping
from typing import Any


def check_without_a_screen(steps: Iterable[Mapping[str, int]]) -> dict[str, Any]:
    """Every grey is found, and what would tell of a screen is nought."""
    screen = {"screen_px": [0, 0], "viewport_px": [0, 0], "device_pixel_ratio": 1, "colour_depth": 0}
    return {"steps": [{**step, "found": True} for step in steps], "screen": screen}
