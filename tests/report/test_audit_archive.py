"""The auditor's archive, checked by its own script in a process that knows neither Django nor the database."""

import contextlib
import io
import json
import runpy
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from readerstudy.report import audit_archive

# Runs the script and fails when it loaded what an auditor has not got.
RUN = """
import runpy, sys
sys.argv = ["audit.py", *sys.argv[1:]]
try:
    runpy.run_path("audit.py", run_name="__main__")
finally:
    assert not {"django", "sqlite3", "psycopg", "scipy"} & {name.split(".")[0] for name in sys.modules}
"""


def audit(folder, *arguments):
    command = [sys.executable, "-I", "-c", RUN, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder, env={}, check=False)
    assert done.stderr == "", done.stderr
    return done.returncode, done.stdout


@pytest.fixture
def unpacked(finished, cast, tmp_path):
    client = Client()
    client.force_login(cast.member)
    response = client.get(reverse("studies:audit-archive", args=[finished.pk]))
    assert response["Content-Disposition"].endswith('-audit.zip"')
    zipfile.ZipFile(io.BytesIO(response.content)).extractall(tmp_path)
    return tmp_path


def change(folder, name, edit):
    content = json.loads((folder / name).read_text())
    edit(content)
    (folder / name).write_text(json.dumps(content))


def change_lines(folder, name, edit):
    rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
    edit(rows)
    (folder / name).write_text("".join(f"{json.dumps(row)}\n" for row in rows))


def exchange_slots(tables):
    first = tables["slots"]["1"]
    first[0][1], first[1][1] = first[1][1], first[0][1]


def turn_a_truth(tables):
    row = next(iter(tables["truth"].values()))
    row["synthetic"] = not row["synthetic"]


def cut_the_tail_and_the_head(folder):
    change_lines(folder, "ledger.jsonl", lambda rows: rows.pop())
    rows = [json.loads(line) for line in (folder / "ledger.jsonl").read_text().splitlines()]
    head = {"ledger_count": len(rows), "ledger_head": rows[-1]["digest"]}
    change(folder, "study.json", lambda study: study.update(head))


TAMPERINGS = {
    "an answer": (
        lambda f: change_lines(f, "ledger.jsonl", lambda rows: rows[3].update(answer="x")),
        "entry 4 of the ledger was changed",
    ),
    "one removed": (
        lambda f: change_lines(f, "ledger.jsonl", lambda rows: rows.pop(5)),
        "entry 6 of the ledger is missing",
    ),
    "the tail": (cut_the_tail_and_the_head, "the ledger is not the one that was closed"),
    "the record": (
        lambda f: change_lines(f, "record.jsonl", lambda rows: rows[1].update(action="x")),
        "entry 2 of the record was changed",
    ),
    "the record's lock": (
        lambda f: change_lines(
            f, "record.jsonl", lambda rows: [r.update(action="x") for r in rows if r["action"] == "locked"]
        ),
        "another protocol was locked",
    ),
    "the protocol": (
        lambda f: change(f, "protocol.json", lambda protocol: protocol.update(question="x")),
        "the protocol was changed",
    ),
    "the truth": (lambda f: change(f, "sealed.json", turn_a_truth), "truth_digest differs"),
    "a slot": (lambda f: change(f, "sealed.json", exchange_slots), "slots_digest differs"),
    "a code": (
        lambda f: change(f, "sealed.json", lambda tables: tables["codes"].update({next(iter(tables["codes"])): "X"})),
        "codes_digest differs",
    ),
    "pixels": (
        lambda f: change(f, "sealed.json", lambda t: next(iter(t["stimuli"].values())).update(digest="x")),
        "stimuli_digest differs",
    ),
    "the seed": (
        lambda f: change(f, "study.json", lambda study: study.update(schedule_seed="5")),
        "the orders or their seed differ",
    ),
    "the cases": (
        lambda f: change(f, "cases.json", lambda cases: cases[0].update(synthetic=not cases[0]["synthetic"])),
        "cases.json contradicts the truth",
    ),
    "who is near whom": (
        lambda f: change(f, "cases.json", lambda cases: [case.update(scan="one") for case in cases]),
        "the orders are not those that rule and seed give",
    ),
}


def test_a_real_archive_is_intact_and_tampered_ones_are_not(unpacked):
    assert audit(unpacked) == (0, "Intact: 57 ratings, record, orders and sealed tables.\n")
    kept = {path: path.read_bytes() for path in unpacked.glob("*.json*")}
    for name, (tamper, found) in TAMPERINGS.items():
        tamper(unpacked)
        status, said = audit(unpacked)
        assert status == 1, name
        assert found in said, (name, said)
        for path, content in kept.items():
            path.write_bytes(content)


# Changes of the archive that its script lets pass, and why.
HARMLESS = {
    "cases.json [*].scan": "names which cases are of one scan; another name for the same ones gives the same order",
    "cases.json [*].place": "names which cases are of one place; another name for the same ones gives the same order",
    "cases.json [*].pair": "names which cases were drawn for one another; orders of single images do not ask for it",
    "cases.json [*].control": "tells which trials are of controls; orders of single images do not ask for it",
}


def test_every_value_of_the_archive_is_held_by_something(unpacked):
    """Each kind of value of each file, the first and the last of its kind, is replaced by another one."""
    unnoticed, tried = set(), set()
    for path in sorted(unpacked.glob("*.json*")):
        content = path.read_text()
        for where in first_and_last(leaves(parsed(path))):
            path.write_text(written(path, replaced(parsed(path), where)))
            tried.add(kind_of(path, where))
            if not said_of(unpacked):
                unnoticed.add(kind_of(path, where))
            path.write_text(content)
    assert unnoticed <= set(HARMLESS)  # by chance another name gives another order after all
    assert len(tried) > 150
    assert said_of(unpacked) == []


def parsed(path):
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    return json.loads(path.read_text())


def written(path, content):
    if path.suffix == ".jsonl":
        return "".join(f"{json.dumps(row)}\n" for row in content)
    return json.dumps(content)


def leaves(value, where=()):
    """The way to every value that holds no other ones."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inner or not value:
        yield where
    for key, part in inner:
        yield from leaves(part, (*where, key))


def first_and_last(ways):
    """Of all ways that differ only in numbers and ids."""
    found = {}
    for where in ways:
        found.setdefault(in_general(where), []).append(where)
    for same in found.values():
        yield from dict.fromkeys((same[0], same[-1]))


def in_general(where):
    return tuple("*" if isinstance(key, int) or key.isdigit() or key.count("-") == 4 else key for key in where)


def kind_of(path, where):
    return f"{path.name} " + "".join("[*]" if key == "*" else f".{key}" for key in in_general(where))


def replaced(content, where):
    if not where:
        return other(content)
    content[where[0]] = replaced(content[where[0]], where[1:])
    return content


def other(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value + 1
    return "0" if value == "1" else "1"


def said_of(folder):
    """What the script finds, run here; a script that breaks off has found something too."""
    said, arguments, path = io.StringIO(), sys.argv, list(sys.path)
    sys.argv = ["audit.py"]
    try:
        with contextlib.redirect_stdout(said), pytest.raises(SystemExit):
            runpy.run_path(str(folder / "audit.py"), run_name="__main__")
    except (AttributeError, KeyError, TypeError, ValueError) as broken:
        return [repr(broken)]
    finally:
        sys.argv, sys.path[:] = arguments, path
    return [line for line in said.getvalue().splitlines() if not line.startswith("Intact")]


def test_what_was_noted_elsewhere_is_compared(unpacked):
    ledger = [json.loads(line) for line in (unpacked / "ledger.jsonl").read_text().splitlines()]
    study = json.loads((unpacked / "study.json").read_text())["study"]
    anchor = {"study": study, "chain": "ledger", "number": 9, "digest": ledger[8]["digest"]}
    (unpacked / "anchors").write_text(
        f"{json.dumps(anchor)}\n{json.dumps({**anchor, 'study': 'another', 'number': 1})}\n"
    )
    good = ["--receipt", f"57:{ledger[56]['digest']}", "--anchors", "anchors"]
    assert audit(unpacked, *good)[0] == 0
    assert "entry 58 of the ledger is not" in audit(unpacked, "--receipt", f"58:{ledger[56]['digest']}")[1]
    assert "entry 3 of the ledger is not" in audit(unpacked, "--receipt", "3:0000")[1]
    (unpacked / "anchors").write_text(json.dumps({**anchor, "number": 8}))
    assert "entry 8 of the ledger is not" in audit(unpacked, "--anchors", "anchors")[1]


def test_the_script_stays_short():
    assert len(audit_archive.SCRIPT.read_text().splitlines()) < 100


def test_the_command_writes_it_once_the_study_is_unblinded(collected, cast, tmp_path):
    out = tmp_path / "audit.zip"
    with pytest.raises(CommandError, match="sealed"):
        call_command("audit_archive", str(collected.pk), "--out", str(out))
    assert not Path(out).exists()
    from tests.report.conftest import unblind

    unblind(collected, cast)
    call_command("audit_archive", str(collected.pk), "--out", str(out))
    assert "audit.py" in zipfile.ZipFile(out).namelist()
