"""From a case file to single problems: rows and named data sets are unfolded, wherever they stand."""

from dataclasses import dataclass, field, replace

from tests.analysis.golden.compare import ROW_DESCRIPTIONS


@dataclass(frozen=True)
class Problem:
    """One set of data with what is expected of it; `around` are the values that stand beside its rows."""

    given: object
    wanted: object
    path: tuple = ()
    around: dict = field(default_factory=dict)
    names: frozenset = frozenset()

    def beneath(self, key):
        """What is expected under a name that nothing computes: the name of a data set."""
        given = narrowed(self.given, key, self.names | set(self.wanted))
        return replace(self, given=given, wanted=self.wanted[key], path=(*self.path, key), names=frozenset())

    def without(self, key):
        """Everything else."""
        rest = {name: value for name, value in self.wanted.items() if name != key}
        return replace(self, wanted=rest, names=self.names | set(self.wanted))


def problems(given, wanted, path=(), around=None):
    """Yield every problem: rows one by one, then data sets that are named in both places, then the rest."""
    given, rest, around = unwrapped(given), {}, around or {}
    if not isinstance(wanted, dict):
        yield Problem(given=given, wanted=wanted, path=path, around=around)
        return
    apart = {key: value for key, value in wanted.items() if not _is_rows(key, value)}
    for key, value in wanted.items():
        if _is_rows(key, value):
            for number, row in enumerate(value):
                own, expected = split(row)
                beside = {**around, **{name: one for name, one in apart.items() if not _is_outcome(one)}}
                yield from problems(_merged(given, own), expected, (*path, key, number), beside)
        elif isinstance(value, dict) and isinstance(given, dict) and isinstance(given.get(key), dict):
            yield from problems(narrowed(given, key, wanted), value, (*path, key), around)
        else:
            rest[key] = value
    if rest:
        yield Problem(given=given, wanted=rest, path=path, around=around)


def split(row):
    """The data and the expected values of one row, in either of the two ways that rows are written."""
    plain = {key: value for key, value in row.items() if key not in ROW_DESCRIPTIONS}
    return row.get("input", plain), row.get("expected", plain)


def narrowed(given, key, wanted):
    """The data that belong to the data set `key`: its own block, or the common lists without those of other names."""
    if not isinstance(given, dict):
        return given
    own = given.get(key)
    others = {name for name in given if isinstance(given[name], dict) or (name in wanted and name != key)}
    common = {name: value for name, value in given.items() if name != key and name not in others}
    if isinstance(own, dict):
        return {**common, **own}
    return {**common, key: own} if own is not None else {**given}


def unwrapped(given):
    """Look through a single wrapper that holds all the data; its name stays, for those who look there."""
    if not isinstance(given, dict) or any(isinstance(value, list) for value in given.values()):
        return given
    blocks = [value for value in given.values() if isinstance(value, dict)]
    return {**unwrapped(blocks[0]), **given} if len(blocks) == 1 else given


def _is_rows(key, value):
    if not isinstance(value, list) or not value or not all(isinstance(row, dict) for row in value):
        return False
    return key == "rows" or all("input" in row or "expected" in row for row in value)


def _is_outcome(value):
    return isinstance(value, list)


def _merged(given, own):
    if not isinstance(given, dict) or not isinstance(own, dict):
        return own
    return {**{key: value for key, value in given.items() if key != "rows"}, **own}
