"""Walk an expected structure and compare it with what the package computed, leaf by leaf."""

import math
from dataclasses import dataclass, field

# Texts beside the numbers; they describe and are not compared.
DESCRIPTIONS = {"label", "model", "note", "notes", "rule", "source", "_row"}
# What stands in a row beside data and expected values.
ROW_DESCRIPTIONS = {"label", "expected", "input"}


class UnknownKeyError(AssertionError):
    """An expected key that no adapter computes: the case must fail, not pass unseen."""

    def __init__(self, path):
        super().__init__(f"nothing computes {'.'.join(map(str, path))}")
        self.path = path


@dataclass
class Report:
    """What was compared and what did not match."""

    tolerance: dict
    compared: int = 0
    wrong: list = field(default_factory=list)
    notes: list = field(default_factory=list)
    prefix: tuple = ()

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def limits(self, path):
        """Absolute and relative tolerance of a leaf: the most specific entry that names part of its path."""
        found = self.tolerance.get("default", self.tolerance)
        specific = [key for key, value in self.tolerance.items() if isinstance(value, dict) and key != "default"]
        for key in sorted(specific, key=lambda key: _depth(key, path)):
            if _depth(key, path) > 0:
                found = self.tolerance[key]
        if path and path[-1] in {"coeff", "se"} and "irrCAC" not in path:
            # irrCAC prints five decimals, wherever its coefficients stand.
            found = self.tolerance.get("irrCAC", found) if path[-2:-1] != ["glmm"] else found
        return found.get("abs", 0.0), found.get("rel", 0.0)

    def leaf(self, got, expected, path):
        self.compared += 1
        path = (*self.prefix, *path)
        where = ".".join(map(str, path))
        if expected is None or isinstance(expected, (bool, str)):
            if got != expected:
                self.wrong.append(f"{where}: got {got!r}, expected {expected!r}")
            return
        absolute, relative = self.limits([str(part) for part in path])
        close = (
            got is not None
            and not isinstance(got, str)
            and math.isfinite(got)
            and abs(got - expected) <= max(absolute, relative * abs(expected))
        )
        if not close:
            self.wrong.append(f"{where}: got {got!r}, expected {expected!r} within {absolute}/{relative}")


def _depth(key, path):
    """How deep in the path a tolerance key applies; 0 when it does not."""
    base = key.removesuffix("_rounded")
    for depth in range(len(path), 0, -1):
        part = path[depth - 1]
        if base == part or part.startswith(base + "_") or part.endswith("_" + base):
            return depth
        if depth >= 2 and base == f"{path[depth - 2]}.{part}":
            return depth + 0.5
    return 0


def compare(got, expected, report, path=()):
    """Compare every leaf of `expected`; a key that `got` does not have raises UnknownKeyError."""
    if isinstance(expected, dict):
        settled = _without_certainty(got, expected, report, path)
        for key, value in expected.items():
            if key in DESCRIPTIONS or key in settled:
                continue
            if isinstance(got, dict) and key in got:
                compare(got[key], value, report, (*path, key))
            elif got is None:
                compare(None, value, report, (*path, key))
            else:
                raise UnknownKeyError((*path, key))
    elif isinstance(expected, list):
        if not hasattr(got, "__len__") or len(got) != len(expected):
            report.leaf(str(got), str(expected), path)
            return
        for number, (one, other) in enumerate(zip(got, expected, strict=True)):
            compare(one, other, report, (*path, number))
    else:
        report.leaf(got, expected, path)


def _without_certainty(got, expected, report, path):
    """Keys that say 'certain' where we say 'no standard error': a standard error of exactly 0 and what follows from it.

    All raters agree, or all scores are equal: the references print 0, the package None beside a reason.
    """
    errors = [key for key in expected if key == "se" or key.endswith("_se") or key.startswith("se_")]
    if not isinstance(got, dict) or not any(expected[key] == 0 and got.get(key, 0) is None for key in errors):
        return set()
    report.note(f"{'.'.join(map(str, path))}: a standard error of exactly 0 is none here")
    follow = {key for key in expected if key in {"p", "z", "t"} or key.startswith(("p_", "z_", "ci"))}
    dropped = {key for key in {*errors, *follow} if got.get(key, 0) is None}
    report.compared += len(dropped)
    return dropped


def interval(estimate):
    """An Estimate's limits as a pair, None when there are none."""
    if estimate is None or estimate.low is None:
        return None
    return [estimate.low, estimate.high]
