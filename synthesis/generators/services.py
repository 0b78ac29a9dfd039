"""Registered generators: from files into the storage, and from the storage into a worker's memory."""

from __future__ import annotations

import functools
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.committed import after_commit
from ctplatform.datasets.scans.voxels import load_bytes, save_bytes
from ctplatform.errors import ConflictError, DomainError
from ctplatform.jobs import services as jobs
from ctplatform.jobs.models import Job, Queue
from ctplatform.jobs.registry import JobContext, WriteResult
from ml.errors import ArtefactError
from ml.generator.card import CARD_NAME, WEIGHTS_NAME, read_card
from synthesis import generator_reports
from synthesis.models import GENERATOR_BULK, ExemplarBank, Generator, TrainingRun
from synthesis.permissions import refuse_raters, refuse_unless_coordinator

if TYPE_CHECKING:
    from ml.generator.files import Generator as LoadedGenerator


REGISTER_KIND = "synthesis.register"
ARTEFACT_FILES = (CARD_NAME, WEIGHTS_NAME)
MAX_WEIGHTS_BYTES = 1024**3


@dataclass(frozen=True, kw_only=True)
class StoredGenerator:
    """An artefact that was loaded and whose files are stored; its row is not yet written."""

    name: str
    digest: str
    card: dict[str, Any]
    reports: dict[str, Any]
    storage_prefix: str
    registered_by: User

    def save_for(self, job_id: str) -> tuple[Generator, dict[str, Any]]:
        """Write the row; the job's page and its result lead there, and say when it was there already."""
        there = Generator.objects.filter(digest=self.digest).exists()
        generator = self.save()
        told = {"result_url": generator.get_absolute_url()}
        if there:
            told["message"] = f"Nothing new came out: the same generator was there already, {generator}."[:300]
        Job.objects.filter(pk=job_id).update(**told)
        return generator, {"generator": str(generator.pk), "digest": generator.digest, "already_there": there}

    def save(self) -> Generator:
        """The same weights are registered once; what was measured of them since then is added."""
        refuse_emptied(self.digest)
        existing = Generator.objects.filter(digest=self.digest).first()
        if existing is not None:
            return add_reports(existing, self.reports, brought_by=self.registered_by) if self.reports else existing
        return Generator.objects.create(
            name=self.name,
            digest=self.digest,
            card=self.card,
            reports=self.reports,
            storage_prefix=self.storage_prefix,
            registered_by=self.registered_by,
        )


def register(*, folder: Path, name: str, registered_by: User) -> Generator:
    """Store an artefact and write its row at once."""
    return store(folder=folder, name=name, registered_by=registered_by).save()


def store(*, folder: Path, name: str, registered_by: User) -> StoredGenerator:
    """Check an artefact by loading it and take its files into the storage."""
    from ml.generator.files import load_generator

    try:
        loaded = load_generator(folder)
    except ArtefactError as error:
        raise DomainError(f"This generator can't be registered: {error}") from error
    reports = generator_reports.read_reports(folder)
    generator_reports.check_measured(reports, loaded.digest)
    if reports:
        reports[generator_reports.RECEIVED] = {
            name: {"by": str(registered_by), "at": timezone.now().isoformat()} for name in reports
        }
    refuse_emptied(loaded.digest)
    prefix = folder_of(loaded.digest)
    if not Generator.objects.filter(digest=loaded.digest).exists():
        # Left by a job that made the same weights and ended without its row; its card may say something else.
        default_storage.delete(f"{prefix}/{CARD_NAME}")
    for file_name in ARTEFACT_FILES:
        key = f"{prefix}/{file_name}"
        if not default_storage.exists(key):
            save_bytes(key, (folder / file_name).read_bytes())
    return StoredGenerator(
        name=name,
        digest=loaded.digest,
        card=generator_reports.storable(CARD_NAME, loaded.card),
        reports=reports,
        storage_prefix=prefix,
        registered_by=registered_by,
    )


def refuse_emptied(digest: str) -> None:
    """Asked before anything is stored: the exemplars of such an artefact don't come back."""
    there = Generator.objects.filter(digest=digest).exclude(emptied_at=None).defer(*GENERATOR_BULK).first()
    if there is not None:
        raise DomainError(
            f"It is {there}, whose exemplars went because a scan of theirs was withdrawn. They don't come back."
        )


def note_digest(row: QuerySet[ExemplarBank] | QuerySet[TrainingRun], folder: Path) -> None:
    """Before the files of a job's generator are stored: what a worker that is killed now leaves behind can be found."""
    row.update(stored_digest=read_card(folder).digest)


def discard_unregistered(row: QuerySet[ExemplarBank] | QuerySet[TrainingRun]) -> None:
    """Remove what a job without a result has stored, unless the same generator is registered or about to be."""
    _discard_artefact(row.values_list("stored_digest", flat=True).first() or "")


def _discard_artefact(digest: str) -> None:
    if digest:
        after_commit(_delete_unless_wanted, digest)


def _delete_unless_wanted(digest: str) -> None:
    rows: list[QuerySet[Any]] = [ExemplarBank.objects.all(), TrainingRun.objects.all()]
    under_way = Job.objects.unfinished()
    storing = any(row.filter(stored_digest=digest, job__in=under_way).exists() for row in rows)
    registering = under_way.filter(kind=REGISTER_KIND, payload__digest=digest).exists()
    # One that was emptied keeps the digest and has its files elsewhere.
    kept = Generator.objects.filter(storage_prefix=folder_of(digest)).exists()
    if not storing and not registering and not kept:
        discard_files(digest)


def discard_files(digest: str) -> None:
    # What the exemplars are in goes first.
    for file_name in reversed(ARTEFACT_FILES):
        default_storage.delete(f"{folder_of(digest)}/{file_name}")


def folder_of(digest: str) -> str:
    """Of an artefact as it came in."""
    return f"generators/{digest}"


def add_reports(generator: Generator, reports: dict[str, Any], *, brought_by: User) -> Generator:
    """The same weights measured again or more fully; others choose by a report, so not everybody replaces it."""
    with transaction.atomic():
        held = Generator.objects.select_for_update().get(pk=generator.pk)
        named = [name for name in generator_reports.REPORT_FILES if name in reports]
        other = {name: reports[name] for name in named if reports[name] != held.reports.get(name)}
        replaced = [name for name in other if name in held.reports]
        if replaced and not (brought_by.may_coordinate or held.registered_by_id == brought_by.pk):
            raise DomainError(
                f"{held} has a {' and a '.join(replaced)} already. {held.registered_by}, who registered it, "
                "and coordinators may replace them."
            )
        brought = {name: note for name, note in reports.get(generator_reports.RECEIVED, {}).items() if name in other}
        received = held.reports.get(generator_reports.RECEIVED, {}) | brought
        held.reports = held.reports | other | {generator_reports.RECEIVED: received}
        held.save(update_fields=["reports"])
    return held


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
    refuse_raters(ordered_by)
    if (weights.size or 0) > MAX_WEIGHTS_BYTES:
        raise DomainError(f"{weights.name} has {weights.size} bytes; at most {MAX_WEIGHTS_BYTES} are taken.")
    files = (CARD_NAME, card), *zip(generator_reports.REPORT_FILES, (realism, classification), strict=True)
    described = {file_name: part for file_name, part in files if part is not None}
    # Refused here, where the person still has the form before them.
    values = {file_name: _parsed_upload(file_name, part) for file_name, part in described.items()}
    # As the card says; the job refuses weights that are others.
    digest = str(values[CARD_NAME].get("weights_sha256", ""))
    generator_reports.check_measured(values, values[CARD_NAME].get("weights_sha256"))
    refuse_emptied(digest)
    parts = {WEIGHTS_NAME: weights, **described}
    staged = f"uploads/generators/{uuid.uuid4()}"
    for file_name, part in parts.items():
        default_storage.save(f"{staged}/{file_name}", part)
    return jobs.enqueue(
        kind=REGISTER_KIND,
        title=f"Register the generator {name}",
        owner=ordered_by,
        payload={"staged": staged, "name": name, "digest": digest},
        queue=Queue.GPU,
        result_url="/synthesis/generators/",
    )


def _parsed_upload(file_name: str, part: UploadedFile[Any]) -> Any:
    values = generator_reports.parse(file_name, part.read(generator_reports.MAX_REPORT_BYTES + 1))
    part.seek(0)
    return values


def run_registration(payload: dict[str, Any], context: JobContext) -> WriteResult:
    owner = Job.objects.select_related("owner").get(pk=context.job_id).owner
    context.progress(0.1, "loading the generator")
    with fetched(payload["staged"]) as folder:
        stored = store(folder=folder, name=payload["name"], registered_by=owner)

    def write_result() -> dict[str, Any]:
        discard_staged(payload)
        return stored.save_for(context.job_id)[1]

    return write_result


def abandon_registration(payload: dict[str, Any], _reason: str) -> None:
    discard_staged(payload)
    # Orders of before don't say it.
    _discard_artefact(payload.get("digest", ""))


def discard_staged(payload: dict[str, Any]) -> None:
    def delete_files() -> None:
        for file_name in (*ARTEFACT_FILES, *generator_reports.REPORT_FILES):
            default_storage.delete(f"{payload['staged']}/{file_name}")

    transaction.on_commit(delete_files)


@contextmanager
def fetched(prefix: str) -> Iterator[Path]:
    """The artefact's files in a local folder, for as long as the block runs."""
    with tempfile.TemporaryDirectory(prefix="generator-") as scratch:
        folder = Path(scratch)
        for file_name in ARTEFACT_FILES:
            (folder / file_name).write_bytes(load_bytes(f"{prefix}/{file_name}"))
        for file_name in generator_reports.REPORT_FILES:
            if default_storage.exists(f"{prefix}/{file_name}"):
                (folder / file_name).write_bytes(load_bytes(f"{prefix}/{file_name}"))
        yield folder


def load(generator: Generator) -> LoadedGenerator:
    if generator.awaits_emptying:
        raise DomainError(
            f"The networks of {generator} are not stored without its exemplars, which went with a withdrawn scan. "
            "The server tries it every hour as long as the files can be read. Try again later, or choose another one."
        )
    return _load(generator.stored_digest, generator.storage_prefix)


@functools.lru_cache(maxsize=4)
def _load(digest: str, storage_prefix: str) -> LoadedGenerator:
    """One copy per worker; the artefact's own digest is checked at each load from the storage."""
    from ml.generator.files import load_generator

    with fetched(storage_prefix) as folder:
        try:
            loaded = load_generator(folder)
        except ArtefactError as error:
            raise DomainError(f"The generator's files are damaged: {error} Register it again.") from error
    if loaded.digest != digest:
        raise DomainError("The generator's files were exchanged after registration. Register it again.")
    return loaded


def retire(*, generator: Generator, user: User, reason: str) -> None:
    """No new orders; what was made with it stays, and what was ordered before is still made."""
    refuse_unless_coordinator(user)
    if not reason.strip():
        raise DomainError("Say why the generator is retired; whoever finds its edits later will ask.")
    decided = {"retired_at": timezone.now(), "retired_by": user, "retirement_reason": reason.strip()[:300]}
    if not Generator.objects.usable().filter(pk=generator.pk).update(**decided):
        raise ConflictError("This generator is already retired.")


def reinstate(*, generator: Generator, user: User) -> None:
    """Orders are taken again."""
    refuse_unless_coordinator(user)
    decided = {"retired_at": None, "retired_by": None, "retirement_reason": ""}
    if not Generator.objects.filter(pk=generator.pk, retired_at__isnull=False).update(**decided):
        raise ConflictError("This generator is in use already.")


def check_usable(generator: Generator) -> None:
    refusal = why_unusable(generator)
    if refusal:
        raise ConflictError(refusal)


def check_can_edit(generator: Generator) -> None:
    refusal = why_no_edits(generator)
    if refusal:
        raise ConflictError(refusal)


def why_unusable(generator: Generator) -> str:
    return (
        "" if generator.retired_at is None else f"The generator {generator} is retired. Order again with another one."
    )


def why_no_edits(generator: Generator) -> str:
    """Why nothing new may be ordered; its networks may still be given other exemplars."""
    return why_unusable(generator) or why_emptied(generator)


def why_emptied(generator: Generator) -> str:
    if generator.emptied_at is None:
        return ""
    return (
        f"The generator {generator} has no exemplars any more: a scan of theirs was withdrawn. "
        "Order again with another one, or give it lesions of other scans."
    )
