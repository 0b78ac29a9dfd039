"""How facts and sort links are written on the pages of datasets."""

import json
from typing import Any

from django import template
from django.template.context import RequestContext
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext

register = template.Library()

UNITS = {"mm": "mm", "ma": "mA", "mas": "mAs", "ms": "ms", "mgy": "mGy", "hu": "HU", "years": "years"}
AS_WRITTEN = {"kvp": "kVp", "ctdi_vol_mgy": "CTDIvol, mGy"}
LONG_LIST = 8


@register.filter
def in_language(name: str) -> str:
    """What an enumeration calls something: kept in English, shown in the reader's language."""
    return gettext(name)


@register.filter
def as_json(value: Any) -> str:
    return json.dumps(value)


@register.filter
def comma_joined(numbers: list[float]) -> str:
    return ",".join(f"{number:.1f}" for number in numbers)


@register.filter
def words(name: str) -> str:
    """slice_thickness_mm: Slice thickness, mm"""
    if name in AS_WRITTEN:
        return AS_WRITTEN[name]
    parts = name.split("_")
    unit = UNITS[parts.pop()] if len(parts) > 1 and parts[-1] in UNITS else ""
    written = " ".join(parts).capitalize()
    return f"{written}, {unit}" if unit else written


@register.filter
def is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > LONG_LIST


@register.filter
def plain(value: Any) -> str:
    """JSON of a report as a sentence of words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "; ".join(f"{words(str(key)).lower()} {plain(part)}" for key, part in value.items())
    if isinstance(value, list):
        return ", ".join(plain(part) for part in value) or "none"
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


@register.simple_tag(takes_context=True)
def sort_link(context: RequestContext, column: str) -> str:
    """The page's own address, sorted by the column, or the other way round when it is so already."""
    query = context["request"].GET.copy()
    query.pop("page", None)
    query["ordering"] = f"-{column}" if query.get("ordering") == column else column
    return f"?{query.urlencode()}"


@register.simple_tag(takes_context=True)
def sorted_by(context: RequestContext, column: str) -> SafeString | str:
    ordering = context["request"].GET.get("ordering", "")
    if ordering.removeprefix("-") != column:
        return ""
    return format_html('aria-sort="{}"', "descending" if ordering.startswith("-") else "ascending")
