from pathlib import Path

import pydicom
import pytest
from django.core.files.storage import default_storage

SHARED_CT = Path(__file__).resolve().parents[2].parent / "shared" / "ct"


# as the confined reader has it: headers are made wrong on purpose here
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE


@pytest.fixture(autouse=True)
def own_storage(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path / "storage"
    settings.MEDIA_ROOT.mkdir()


@pytest.fixture
def stored_files():
    def walk(folder="."):
        folders, files = default_storage.listdir(folder)
        found = {f"{folder}/{name}" for name in files}
        for name in folders:
            found |= walk(f"{folder}/{name}")
        return found

    return walk


@pytest.fixture
def shared_ct():
    def find(name):
        path = SHARED_CT / name
        if not path.exists():
            pytest.skip(f"real CT data are not here: {path}")
        return path

    return find
