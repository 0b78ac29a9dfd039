"""Which series a job is to fetch. They name studies of patients, so they wait in a file that goes with the job."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from django.core.files.storage import default_storage

from ctplatform.datasets.scans.voxels import load_bytes, save_bytes
from ctplatform.errors import DomainError

FOLDER = "uploads/retrievals"
GONE = "Which series were wanted is no longer known here. Look for them in the archive again."


@dataclass(frozen=True)
class Wanted:
    study: str
    series: str


def keep(wanted: Sequence[Wanted]) -> str:
    list_id = str(uuid.uuid4())
    save_bytes(_key(list_id), json.dumps([asdict(one) for one in wanted]).encode())
    return list_id


def load(list_id: str) -> list[Wanted]:
    if not is_kept(list_id):
        raise DomainError(GONE)
    return [Wanted(**one) for one in json.loads(load_bytes(_key(list_id)))]


def is_kept(list_id: str) -> bool:
    return default_storage.exists(_key(list_id))


def forget(list_id: str) -> None:
    default_storage.delete(_key(list_id))
    default_storage.delete(f"{FOLDER}/{list_id}")


def _key(list_id: str) -> str:
    return f"{FOLDER}/{list_id}/wanted.json"
