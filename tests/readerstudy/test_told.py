"""The attack by vote itself: whatever form a leak has among the pages, it is found, and chance is not."""

import io
import json
import zipfile

import numpy as np
import pytest

from tests.readerstudy.told import chances, columns_told, features_of, texts_of

CASES, RATERS = 48, 3
KINDS = list(np.random.default_rng(3).permutation(np.arange(CASES) % 2 == 0))
ALARM = 1e-4


def name_of(rater, case):
    return f"name-{rater}-{case:02d}"


NAMES = {name_of(rater, case): (rater, case) for rater in range(RATERS) for case in range(CASES)}


def rows(value):
    """Every rater's order is another one; `value(kind, random)` stands beside each name."""
    random = np.random.default_rng(8)
    for rater in range(RATERS):
        for slot, case in enumerate(random.permutation(CASES)):
            yield name_of(rater, case), slot, value(KINDS[case], random)


def chance(kind, random):
    return round(float(random.normal()), 3)


def shift(kind, random):
    return round(float(random.normal() + 2 * kind), 3)


def as_csv(value):
    return "text/csv", "\n".join(["slot,label,ms", *(f"{slot},{name},{told}" for name, slot, told in rows(value))])


def as_json(value):
    told = [{"label": name, "slot": slot, "more": {"ms": value}} for name, slot, value in rows(value)]
    return "application/json", json.dumps({"schema": 1, "ratings": told})


def as_table(value):
    told = "".join(f"<tr><td>{name}</td><td>{slot}</td><td>{value} ms</td></tr>" for name, slot, value in rows(value))
    return "text/html", f"<table>{told}</table>"


def as_log(value):
    return "text/plain", "\n".join(f"slice {slot} of {name} took {told} s" for name, slot, told in rows(value))


def as_steps(value):
    """The time itself says nothing, how much later it is than the one before does."""
    at, told = 0.0, []
    for name, _, step in rows(value):
        at += 10 + step
        told.append({"label": name, "at": f"2026-01-01T{int(at // 3600):02d}:{int(at // 60 % 60):02d}:{at % 60:09.6f}"})
    return "application/json", json.dumps(told)


def as_order(value):
    told = sorted(rows(value), key=lambda row: row[2])
    return "text/html", "".join(f"<p>{name}</p>" for name, _, _ in told)


def as_class(value):
    marks = [(name, "low" if value < 1 else "high") for name, _, value in rows(value)]
    return "text/html", "<ul>" + "".join(f'<li class="{mark}">{name}</li>' for name, mark in marks) + "</ul>"


def packed(value):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("inner.csv", as_csv(value)[1])
    (_, kind, text), *_ = texts_of("/archive.zip", "application/zip", content.getvalue())
    return kind, text


def by_address(value):
    return {f"/presentations/{name}/": ("application/json", json.dumps({"ms": told})) for name, _, told in rows(value)}


FORMS = {form.__name__: form for form in (as_csv, as_json, as_table, as_log, as_steps, as_order, as_class, packed)}


def found(fetched):
    _, table = features_of(columns_told(fetched, NAMES), range(CASES))
    return min(chances(table, KINDS).values())


@pytest.mark.parametrize("form", FORMS)
def test_a_number_that_is_larger_for_one_kind_is_found_in_any_form(form):
    fetched = {"/page/": FORMS[form](shift)}
    assert found(fetched) <= ALARM
    assert found({"/page/": FORMS[form](chance)}) > ALARM


def test_what_is_told_at_an_address_of_a_case_is_found():
    assert found(by_address(shift)) <= ALARM
    assert found(by_address(chance)) > ALARM


def test_many_weak_columns_are_found_by_the_vote_of_all():
    """No column alone would tell."""

    def weak(kind, random):
        return round(float(random.normal() + 0.6 * kind), 3)

    texts = {f"/page/{number}/": page_of_many(weak, number) for number in range(60)}
    _, table = features_of(columns_told(texts, NAMES), range(CASES))
    lucky = chances(table, KINDS)
    assert lucky["vote"] <= ALARM < lucky["best"]


def page_of_many(value, seed):
    random = np.random.default_rng(seed)
    lines = (f"{name_of(0, case)},{value(KINDS[case], random)}" for case in range(CASES))
    return "text/csv", "\n".join(["label,ms", *lines])
