"""Other ways in which the data of a case may be written, brought to the one that the adapters read."""

SCORE_NAMES = ("rating", "ratings", "score", "scores", "confidence")
CLASSES = (("real", "synthetic"), ("normal", "abnormal"), ("negative", "positive"), ("noise", "signal"))


def counts_as_ratings(given):
    """Counts per category and class become one rating per case; anything else stays as it is."""
    for none, signal in CLASSES:
        if isinstance(given, dict) and isinstance(given.get(none), list) and isinstance(given.get(signal), list):
            both = [(0, given[none]), (1, given[signal])]
            cells = [(truth, level, count) for truth, counts in both for level, count in enumerate(counts, start=1)]
            truth = [truth for truth, _, count in cells for _ in range(count)]
            return {"truth": truth, "rating": [level for _, level, count in cells for _ in range(count)]}
    return given


def scores_of(given):
    """The lists of scores by name: everything as long as the truth."""
    size = len(given["truth"])
    found = {name: values for name, values in given.items() if name != "truth" and isinstance(values, list)}
    found = {name: values for name, values in found.items() if len(values) == size}
    usual = {name: values for name, values in found.items() if name in SCORE_NAMES}
    return usual if len(usual) == 1 and len(found) > 1 and not set(found) - set(SCORE_NAMES) else found


def table_in(given):
    """The ratings, cases x raters, under whatever name they stand; counts are a second way to write them."""
    if isinstance(given, list):
        return given
    tables = {key: value for key, value in given.items() if isinstance(value, list) and isinstance(value[0], list)}
    if not tables:
        return wide(given)
    named = [value for key, value in tables.items() if "count" not in key]
    if named:
        return named[0]
    counts = next(iter(tables.values()))
    return [[k + 1 for k, count in enumerate(row) for _ in range(count)] for row in counts]


def wide(given, *, rows=("case", "item", "unit", "subject"), columns=("rater", "reader", "coder", "person")):
    """A long table as a matrix; None where a row is absent."""
    row, column = (next(name for name in names if name in given) for names in (rows, columns))
    (values,) = (value for key, value in given.items() if isinstance(value, list) and key not in {row, column, "truth"})
    names = [sorted(set(given[key])) for key in (row, column)]
    table = [[None] * len(names[1]) for _ in names[0]]
    for one, other, value in zip(given[row], given[column], values, strict=True):
        table[names[0].index(one)][names[1].index(other)] = value
    return table
