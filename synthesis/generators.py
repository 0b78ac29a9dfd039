"""Registered generators: from files into the storage, and from the storage into a worker's memory."""

from __future__ import annotations

import functools
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.storage import load_bytes, save_bytes
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, Queue
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.card import CARD_NAME, WEIGHTS_NAME
from ml.errors import ArtefactError
from synthesis import evidence
from synthesis.models import Generator

if TYPE_CHECKING:
    from ml.artefact import Generator as LoadedGenerator


REGISTER_KIND = "synthesis.register"
ARTEFACT_FILES = (CARD_NAME, WEIGHTS_NAME)
MAX_CARD_BYTES = 4 * 1024**2
MAX_WEIGHTS_BYTES = 1024**3


def register(*, folder: Path, name: str, registered_by: User) -> Generator:
    """Check an artefact by loading it and take its files into the storage; the same weights are registered once."""
    from ml.artefact import load_generator

    try:
        loaded = load_generator(folder)
    except ArtefactError as error:
        raise DomainError(f"This generator can't be registered: {error}") from error
    reports = evidence.read_reports(folder)
    existing = Generator.objects.filter(digest=loaded.digest).first()
    if existing is not None:
        # The same weights measured again or more fully.
        existing.reports = existing.reports | reports
        existing.save(update_fields=["reports"])
        return existing
    prefix = f"generators/{loaded.digest}"
    for file_name in ARTEFACT_FILES:
        key = f"{prefix}/{file_name}"
        if not default_storage.exists(key):
            save_bytes(key, (folder / file_name).read_bytes())
    return Generator.objects.create(
        name=name,
        digest=loaded.digest,
        card=loaded.card,
        reports=reports,
        storage_prefix=prefix,
        registered_by=registered_by,
    )


def order_registration(
    *,
    ordered_by: User,
    name: str,
    card: UploadedFile[Any],
    weights: UploadedFile[Any],
    realism: UploadedFile[Any] | None = None,
    classification: UploadedFile[Any] | None = None,
) -> Job:
    """Take an uploaded artefact; a worker loads it before it is registered, because that needs the networks."""
    if ordered_by.is_rater:
        raise DomainError("Raters do not register generators.")
    for part, limit in ((card, MAX_CARD_BYTES), (weights, MAX_WEIGHTS_BYTES)):
        if (part.size or 0) > limit:
            raise DomainError(f"{part.name} has {part.size} bytes; at most {limit} are taken.")
    parts = dict(zip(ARTEFACT_FILES, (card, weights), strict=True))
    for file_name, report in zip(evidence.REPORT_FILES, (realism, classification), strict=True):
        if report is not None:
            # Refused here, where the person still has the form before them.
            evidence.parse(file_name, report.read(evidence.MAX_REPORT_BYTES + 1))
            report.seek(0)
            parts[file_name] = report
    staged = f"uploads/generators/{uuid.uuid4()}"
    for file_name, part in parts.items():
        default_storage.save(f"{staged}/{file_name}", part)
    return jobs.enqueue(
        kind=REGISTER_KIND,
        title=f"Register the generator {name}",
        owner=ordered_by,
        payload={"staged": staged, "name": name},
        queue=Queue.GPU,
        result_url="/synthesis/generators/",
    )


def run_registration(payload: dict[str, Any], context: JobContext) -> WriteResult:
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner

    def write_result() -> dict[str, Any]:
        with fetched(payload["staged"]) as folder:
            generator = register(folder=folder, name=payload["name"], registered_by=owner)
        discard_staged(payload, "")
        return {"generator": str(generator.pk), "digest": generator.digest}

    return write_result


def discard_staged(payload: dict[str, Any], reason: str) -> None:
    for file_name in (*ARTEFACT_FILES, *evidence.REPORT_FILES):
        default_storage.delete(f"{payload['staged']}/{file_name}")


@contextmanager
def fetched(prefix: str) -> Iterator[Path]:
    """The artefact's files in a local folder, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="generator-") as scratch:
        folder = Path(scratch)
        for file_name in ARTEFACT_FILES:
            (folder / file_name).write_bytes(load_bytes(f"{prefix}/{file_name}"))
        for file_name in evidence.REPORT_FILES:
            if default_storage.exists(f"{prefix}/{file_name}"):
                (folder / file_name).write_bytes(load_bytes(f"{prefix}/{file_name}"))
        yield folder


def load(generator: Generator) -> LoadedGenerator:
    return _load(generator.digest, generator.storage_prefix)


@functools.lru_cache(maxsize=4)
def _load(digest: str, storage_prefix: str) -> LoadedGenerator:
    """One copy per worker; the artefact's own digest is checked at each load from the storage."""
    from ml.artefact import load_generator

    with fetched(storage_prefix) as folder:
        try:
            loaded = load_generator(folder)
        except ArtefactError as error:
            raise DomainError(f"The generator's files are damaged: {error} Register it again.") from error
    if loaded.digest != digest:
        raise DomainError("The generator's files were exchanged after registration. Register it again.")
    return loaded


def retire(*, generator: Generator, user: User, reason: str) -> None:
    """No new orders; what was made with it stays."""
    check_may_decide(user)
    if not reason.strip():
        raise DomainError("Say why the generator is retired; whoever finds its edits later will ask.")
    decided = {"retired_at": timezone.now(), "retired_by": user, "retirement_reason": reason.strip()[:300]}
    if not Generator.objects.usable().filter(pk=generator.pk).update(**decided):
        raise ConflictError("This generator is already retired.")


def reinstate(*, generator: Generator, user: User) -> None:
    """Orders are taken again."""
    check_may_decide(user)
    decided = {"retired_at": None, "retired_by": None, "retirement_reason": ""}
    if not Generator.objects.filter(pk=generator.pk, retired_at__isnull=False).update(**decided):
        raise ConflictError("This generator is in use already.")


def check_may_decide(user: User) -> None:
    if not user.may_coordinate:
        raise DomainError("Only coordinators and administrators retire generators or take them back.")
