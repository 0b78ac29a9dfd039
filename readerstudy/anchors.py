"""Anchors of a study's chains outside of the database: in the log, and in a file where one is configured.

Whoever owns the database can write a whole new chain that is right in itself. A digest that stands somewhere else
shows it. `CT_LEDGER_ANCHOR_FILE` names the file; best on another machine, or where lines can only be added.
"""

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction
from django.utils import timezone

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """Entry `number` of a chain (ledger or record) of a study has this digest."""

    study: str
    chain: str
    number: int
    digest: str


def anchor(*, study: str, chain: str, number: int, digest: str) -> None:
    """Note the head of a chain once the entry is there for good; a file that can't be written keeps nobody from it."""
    head = Anchor(study=study, chain=chain, number=number, digest=digest)
    transaction.on_commit(lambda: _note(head), robust=True)


def _note(head: Anchor) -> None:
    logger.info("Study %s: entry %d of the %s is %s", head.study, head.number, head.chain, head.digest)
    if settings.CT_LEDGER_ANCHOR_FILE:
        line = json.dumps({"at": timezone.now().isoformat(timespec="seconds"), **asdict(head)})
        with Path(settings.CT_LEDGER_ANCHOR_FILE).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")


def anchors_of(study: str) -> list[Anchor] | None:
    """What the configured file holds of a study; None where no file is configured. OSError when it is gone."""
    if not settings.CT_LEDGER_ANCHOR_FILE:
        return None
    with Path(settings.CT_LEDGER_ANCHOR_FILE).open(encoding="utf-8") as file:
        lines = [json.loads(line) for line in file if study in line]
    return [Anchor(**{name: line[name] for name in Anchor.__dataclass_fields__}) for line in lines]
