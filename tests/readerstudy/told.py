"""Whatever somebody fetched says beside the name of a case, in whatever form, and how well it tells the kinds apart.

`names` are all words by which a case can be spoken of, whether or not the person who fetched knows what they stand for:
codes, labels, tokens. Each stands for a rater (None where it is the same for all of them) and a case.
"""

import csv
import io
import json
import re
import zipfile
from collections import defaultdict
from datetime import datetime
from mimetypes import guess_type

import numpy as np
from pypdf import PdfReader

from readerstudy.blinding.observables import Observable, ranks

WORD = re.compile(r"[\w-]{5,}")
TAG = re.compile(r"<[^>]*>")
ROW = re.compile(r"<(tr|li|option|p)\b.*?</\1>", re.DOTALL)
CELL = re.compile(r"<t[dh]\b[^>]*>(.*?)</t[dh]>", re.DOTALL)
# Longer lists are of several things.
MOST_OF_ONE = 9
# Few names in a document say little, and too few of them for a vote.
LEAST_SHARE = 0.5
PERMUTATIONS = 20_000


def texts_of(address, content_type, content):
    """What there is to read in one answer: an archive is its files, a PDF its words."""
    if content.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                yield from texts_of(f"{address}!{name}", guess_type(name)[0] or "", archive.read(name))
    elif content.startswith(b"%PDF"):
        pages = PdfReader(io.BytesIO(content)).pages
        yield address, content_type, "\n".join(page.extract_text() for page in pages)
    else:
        yield address, content_type, content.decode("utf-8", "replace")


def columns_told(fetched, names):
    """By source, column and rater: the value of each case of which it says one. `fetched`: address to (type, text)."""
    told = defaultdict(dict)
    for address, (content_type, text) in fetched.items():
        where = WORD.sub(lambda word: "*" if word[0] in names else word[0], address)
        for place, name in enumerate(dict.fromkeys(word for word in WORD.findall(text) if word in names)):
            _note(told, where, "order of mention", names[name], place)
        for row, values in _rows(address, content_type, text):
            for name in {word for word in WORD.findall(row) if word in names}:
                for column, value in values.items():
                    if value not in names:
                        _note(told, where, column, names[name], value)
    return told


def _note(told, where, column, whose, value):
    rater, case = whose
    told[where, column, rater][case] = value


def _rows(address, content_type, text):
    """Each piece of a document that is about one thing, as text and as values by name."""
    if content_type.startswith("application/json") and text.strip():
        content = json.loads(text)
        # What is asked for by a name is about it; of the rest, each object about whom it names itself.
        yield address, _leaves(content)
        for values in map(_leaves, _objects(content)):
            yield " ".join(values.values()), values
    elif content_type.startswith("text/csv"):
        lines = [line for line in text.splitlines(keepends=True) if not line.startswith("#")]
        for row in csv.DictReader(io.StringIO("".join(lines))):
            yield " ".join(str(value) for value in row.values()), {str(name): str(row[name]) for name in row}
    elif "html" in content_type:
        for found in ROW.finditer(text):
            cells = CELL.findall(found[0]) or [found[0]]
            told = {f"cell {number}": " ".join(TAG.sub(" ", cell).split()) for number, cell in enumerate(cells)}
            marks = " ".join(re.findall(r'class="([^"]*)"', found[0]))
            yield found[0], {**told, "classes": marks, "cells": str(len(cells))}
    else:
        for line in text.splitlines():
            numbers = re.findall(r"-?\d+(?:\.\d+)?", line)
            yield line, {f"number {place}": number for place, number in enumerate(numbers)} | {"length": str(len(line))}


def _objects(content):
    """All that hold values of their own."""
    if isinstance(content, dict):
        if any(not isinstance(value, dict | list) for value in content.values()):
            yield content
        for name, value in content.items():
            yield from _objects({"named": name, **value} if isinstance(value, dict) else value)
    elif isinstance(content, list):
        for value in content:
            yield from _objects(value)


def _leaves(content, path=""):
    if isinstance(content, dict):
        held = [_leaves(value, f"{path}.{name}" if path else name) for name, value in content.items()]
        return {path: value for part in held for path, value in part.items()} | {f"{path} keys": " ".join(content)}
    if isinstance(content, list):
        if len(content) > MOST_OF_ONE:
            return {f"{path}[]": str(len(content))}
        held = [_leaves(value, f"{path}[{place}]") for place, value in enumerate(content)]
        return {path: value for part in held for path, value in part.items()}
    return {path: str(content)}


def features_of(told, cases):
    """Rows of numbers, one per case, of mean 0 and length 1: every column of every rater, and of all raters together."""
    rows, together = {}, defaultdict(list)
    for (where, column, rater), values in told.items():
        if len(values) < LEAST_SHARE * len(cases):
            continue
        for form, observable in _forms(values, cases):
            if rater is not None and observable.numeric:
                together[f"{where} {column} {form}, all raters"].append(ranks(observable.values))
            for number, row in enumerate(observable.features()):
                rows[f"{where} {column} {form}, rater {rater}, {number}"] = row
    rows |= {name: np.mean(of_raters, axis=0) for name, of_raters in together.items() if len(of_raters) > 1}
    # Several pages tell the same: once is enough, or what is told most often would outvote all else.
    unlike = {}
    for name, row in rows.items():
        if np.ptp(row) > 1e-9 * (1 + np.abs(row).max()):
            centred = row - row.mean()
            centred /= np.linalg.norm(centred) * np.sign(centred[np.argmax(np.abs(centred) > 1e-9)])
            unlike.setdefault(centred.round(6).tobytes(), (name, centred))
    return [name for name, _ in unlike.values()], np.array([row for _, row in unlike.values()])


def _forms(values, cases):
    """As numbers where they are, as times and the steps between them, else as words."""
    texts = [str(values.get(case, "")) for case in cases]
    for form, read in (("number", float), ("time", lambda text: datetime.fromisoformat(text).timestamp())):
        try:
            numbers = [read(text) if text else np.nan for text in texts]
        except ValueError:
            continue
        held = np.array(numbers)
        if np.isnan(held).all():
            return
        held[np.isnan(held)] = np.nanmedian(held)
        yield form, _blind(held.tolist())
        if form == "time":
            order = np.argsort(held, kind="stable")
            yield "step", _blind(np.diff(held[order], prepend=held[order[0]])[np.argsort(order)].tolist())
        return
    yield "words", _blind(texts)


def _blind(values):
    return Observable(name="", sort="blind", values=values)


def chances(table, synthetic, seed=0):
    """How often chance does as well as the single best feature, and as the vote of all, oriented by the other cases.

    Whoever votes here knows the truth of every case but the one that he votes on: nobody knows as much.
    """
    random = np.random.default_rng(seed)
    kinds = np.where(np.asarray(synthetic), 1.0, -1.0)
    shuffled = np.vstack([kinds, random.permuted(np.tile(kinds, (PERMUTATIONS, 1)), axis=1)])
    best = np.zeros(len(shuffled))
    for part in np.array_split(table, max(1, len(table) // 200)):
        np.maximum(best, np.abs(shuffled @ part.T).max(axis=1), out=best)
    likeness = table.T @ table
    others = shuffled @ (likeness - np.diag(np.diag(likeness)))
    right = (np.sign(others) == shuffled).mean(axis=1)
    return {name: float((values >= values[0] - 1e-9).mean()) for name, values in (("best", best), ("vote", right))}
