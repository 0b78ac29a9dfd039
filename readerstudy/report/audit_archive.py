"""The auditor's archive: all that the proof of a study needs, with a script that knows neither Django nor a database.

It holds names of accounts and the truth, so it is for auditors and not for publication; the report is.
"""

import json
from pathlib import Path
from typing import Any

import readerstudy
from readerstudy.design.candidates import fetch_ancestors
from readerstudy.digests import canonical_json
from readerstudy.ledger.chain import event_content
from readerstudy.locking.orders import cases_to_order
from readerstudy.locking.sealed_tables import FIRST_SCHEMA, sealed_tables, slots
from readerstudy.models import record_content
from readerstudy.unblinding.opened import UnblindedStudy

SCRIPT = Path(__file__).parent / "audit_script.py"
PACKAGE = Path(readerstudy.__file__).parent
# The rules of the orders as they run in the product; they need numpy.
RULES = [
    "__init__.py",
    *(
        f"blinding/{name}.py"
        for name in ("__init__", "schedule", "block_order", "free_order", "repeated_order", "tuple_order", "rules")
    ),
]

README = """What an auditor needs to check this reader study without the platform:

    python3 audit.py                                  (Python 3.11 or later; numpy, to draw the orders again)
    python3 audit.py --anchors FILE                   with the file of anchors that the installation wrote elsewhere
    python3 audit.py --receipt 57:3f2a...             with a receipt that a rater kept (number and digest)

protocol.json   what was frozen at the lock; its digest begins the ledger
ledger.jsonl    the ratings, each with the digest of the one before
record.jsonl    who did what with the study, chained in the same way
sealed.json     the tables whose salted digests stand in the protocol: truth, stimuli, codes of the cases, slots
study.json      heads of the chains, the salt, and the seed of the orders
cases.json      the cases as the rule of the orders sees them
readerstudy/    that rule, as it ran

The pixels are not here; sealed.json has their SHA-256 (int16, little-endian, slice after slice).
"""


def audit_files(opened: UnblindedStudy) -> dict[str, bytes]:
    """File name to content; the same study gives the same bytes."""
    study, truths = opened.study, list(opened.truths.values())
    fetch_ancestors(truth.scan for truth in truths)
    tables = sealed_tables(study, schema=study.protocol.get("schema", FIRST_SCHEMA))
    contents: dict[str, Any] = {
        "protocol.json": study.protocol,
        "sealed.json": {**tables, "slots": slots(study)},
        "study.json": {
            "study": str(study.pk),
            "protocol_digest": study.protocol_digest,
            "ledger_count": study.ledger_count,
            "ledger_head": study.ledger_head,
            "salt": study.seal.salt,
            "schedule_seed": study.seal.schedule_seed,
        },
        "cases.json": [vars(case) for case in cases_to_order(truths)],
    }
    files = {name: json.dumps(content, indent=1, sort_keys=True).encode() + b"\n" for name, content in contents.items()}
    events = [{**event_content(event), "digest": event.digest} for event in opened.events]
    record = [{**record_content(entry), "digest": entry.digest} for entry in study.record.order_by("id")]
    files["ledger.jsonl"], files["record.jsonl"] = _lines(events), _lines(record)
    files["audit.py"], files["README.txt"] = SCRIPT.read_bytes(), README.encode()
    return files | {f"readerstudy/{name}": (PACKAGE / name).read_bytes() for name in RULES}


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{canonical_json(row)}\n" for row in rows).encode()
