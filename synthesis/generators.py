"""Registered generators: from files into the storage, and from the storage into a worker's memory."""

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from django.core.files.storage import default_storage
from django.utils import timezone

from ctplatform.accounts.models import User
from ctplatform.datasets.storage import load_bytes, save_bytes
from ctplatform.errors import ConflictError, DomainError
from ml.errors import ArtefactError
from synthesis.models import Generator

if TYPE_CHECKING:
    from ml.artefact import Generator as LoadedGenerator


def register(*, folder: Path, name: str, registered_by: User) -> Generator:
    """Check an artefact and take its files into the storage; the same digest is registered once."""
    from ml.artefact import load_generator

    try:
        loaded = load_generator(folder)
    except ArtefactError as error:
        raise DomainError(f"This generator can't be registered: {error}") from error
    existing = Generator.objects.filter(digest=loaded.digest).first()
    if existing is not None:
        return existing
    prefix = f"generators/{loaded.digest}"
    for path in sorted(folder.iterdir()):
        key = f"{prefix}/{path.name}"
        if path.is_file() and not default_storage.exists(key):
            save_bytes(key, path.read_bytes())
    return Generator.objects.create(
        name=name, digest=loaded.digest, card=loaded.card, storage_prefix=prefix, registered_by=registered_by
    )


def load(generator: Generator) -> "LoadedGenerator":
    return _load(generator.digest, generator.storage_prefix)


@functools.lru_cache(maxsize=4)
def _load(digest: str, storage_prefix: str) -> "LoadedGenerator":
    """One copy per worker; the artefact's own digest is checked at each load from the storage."""
    from ml.artefact import load_generator

    with tempfile.TemporaryDirectory(prefix="generator-") as scratch:
        folder = Path(scratch)
        for name in default_storage.listdir(storage_prefix)[1]:
            (folder / name).write_bytes(load_bytes(f"{storage_prefix}/{name}"))
        try:
            loaded = load_generator(folder)
        except ArtefactError as error:
            raise DomainError(f"The generator's files are damaged: {error} Register it again.") from error
    if loaded.digest != digest:
        raise DomainError("The generator's files were exchanged after registration. Register it again.")
    return loaded


def retire(*, generator: Generator, user: User) -> None:
    """No new orders; what was made with it stays."""
    if not user.may_coordinate:
        raise DomainError("Only coordinators and administrators retire generators.")
    if not Generator.objects.usable().filter(pk=generator.pk).update(retired_at=timezone.now()):
        raise ConflictError("This generator is already retired.")
