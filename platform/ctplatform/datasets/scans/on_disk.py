"""Where the storage keeps a file, if it does so on this machine's disk."""

from pathlib import Path

from django.core.files.storage import default_storage


def place_of(key: str) -> Path | None:
    """None in a bucket."""
    try:
        return Path(default_storage.path(key))
    except NotImplementedError:
        # This is how a storage says that its files lie elsewhere.
        return None
