"""Checks an auditor's archive: chains, sealed tables, orders, receipts. Run it in the unpacked folder."""

import argparse
import contextlib
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
problems: list[str] = []


def digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def load(name: str) -> Any:
    return json.loads((HERE / name).read_text(encoding="utf-8"))


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def expect(holds: bool, problem: str) -> None:  # noqa: FBT001
    problems.extend([] if holds else [problem])


def check_chain(name: str, entries: list[dict[str, Any]], previous: str) -> None:
    for number, entry in enumerate(entries, start=1):
        content = {key: value for key, value in entry.items() if key != "digest"}
        expect(entry["previous_digest"] == previous, f"entry {number} of the {name} does not continue the chain")
        expect(digest(content) == entry["digest"], f"entry {number} of the {name} was changed")
        expect(entry.get("sequence", number) == number, f"entry {number} of the {name} is missing")
        previous = entry["digest"]


def check_heads(study: dict[str, Any], ledger: list[dict[str, Any]], record: list[dict[str, Any]]) -> None:
    steps = {entry["action"]: entry["details"] for entry in record}
    digests = ["", *(entry["digest"] for entry in ledger)]
    expect(steps.get("locked", {}).get("protocol_digest") == study["protocol_digest"], "another protocol was locked")
    grace = load("protocol.json").get("arrival", {}).get("grace_hours", 0)
    for action, ends in (("closed", not grace), ("unblinded", True)):
        number, head = (steps.get(action, {}).get(name, -1) for name in ("entries", "ledger_head"))
        there = digests[number : number + 1] == [head] and (number == len(ledger) or not ends)
        expect(there, f"the ledger is not the one that was {action}")
    expect((study["ledger_count"], study["ledger_head"]) == (len(ledger), digests[-1]), "the ledger's head differs")


def check_orders(study: dict[str, Any], protocol: dict[str, Any], tables: dict[str, Any]) -> None:
    from readerstudy.blinding.rules import RULES
    from readerstudy.blinding.schedule import CaseToOrder, schedule_digest

    order, limits, seed = protocol["order"], protocol["order"]["constraints"], int(study["schedule_seed"], 16)
    orders = {int(number): [slot[1] for slot in slots] for number, slots in tables["slots"].items()}
    locked = schedule_digest(orders, algorithm=order["algorithm"], constraints=limits, seed=seed)
    expect(locked == order["digest"], "the orders or their seed differ from what was locked")
    cases = [CaseToOrder(**case) for case in load("cases.json")]
    truth = {key: row["synthetic"] if isinstance(row, dict) else row[0] for key, row in tables["truth"].items()}
    expect({case.case_id: case.synthetic for case in cases} == truth, "cases.json contradicts the truth")
    drawn: dict[int, list[str]] = {}
    with contextlib.suppress(ValueError):  # what can't be drawn is not what was locked, as the next line says
        drawn = {number: RULES[order["algorithm"]](cases, limits, seed, number) for number in orders}
    expect(drawn == orders, "the orders are not those that rule and seed give")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--receipt", action="append", default=[], metavar="NUMBER:DIGEST")
    parser.add_argument("--anchors", type=Path, help="lines that the installation wrote outside of its database")
    asked = parser.parse_args()
    study, protocol, tables = load("study.json"), load("protocol.json"), load("sealed.json")
    chains = {name: lines(HERE / f"{name}.jsonl") for name in ("ledger", "record")}
    expect(digest(protocol) == study["protocol_digest"], "the protocol was changed")
    belong = {study["study"], protocol["study"], *(entry["study"] for chain in chains.values() for entry in chain)}
    expect(len(belong) == 1, "protocol, ledger and record are of several studies")
    check_chain("ledger", chains["ledger"], study["protocol_digest"])
    check_chain("record", chains["record"], "")
    check_heads(study, chains["ledger"], chains["record"])
    tokens = {slot[0] for slots in tables["slots"].values() for slot in slots}
    expect({entry["presentation"] for entry in chains["ledger"]} <= tokens, "a rating belongs to no slot")
    for name, locked in protocol["sealed"].items():
        expect(digest([study["salt"], tables[name.split("_")[0]]]) == locked, f"{name} differs from what was locked")
    check_orders(study, protocol, tables)
    noted = [("ledger", int(one.split(":")[0]), one.split(":")[1]) for one in asked.receipt]
    own = [line for line in (lines(asked.anchors) if asked.anchors else []) if line["study"] == study["study"]]
    for chain, number, kept in [*noted, *((line["chain"], line["number"], line["digest"]) for line in own)]:
        there = 0 < number <= len(chains[chain]) and chains[chain][number - 1]["digest"] == kept
        expect(there, f"entry {number} of the {chain} is not the one that was noted elsewhere")
    intact = f"Intact: {len(chains['ledger'])} ratings, record, orders and sealed tables."
    sys.stdout.writelines(f"{line}\n" for line in problems or [intact])
    return 1 if problems else 0


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    sys.exit(main())
