"""A real archive for tests: Debian's Orthanc with its DICOMweb plugin, on a loopback port of its own."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pytest

from tests.processes import free_port

PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
MISSING = "Orthanc with its DICOMweb plugin is not installed: fetching from and sending to archives were NOT checked"
USER, PASSWORD = "tester", "secret of the archive"


def is_installed():
    return shutil.which("Orthanc") is not None and PLUGIN.exists()


def need_orthanc():
    if not is_installed():
        (pytest.fail if os.environ.get("CT_REQUIRE_SERVICES") else pytest.skip)(MISSING)


@contextlib.contextmanager
def running_orthanc(folder):
    port = free_port()
    settings = {
        "StorageDirectory": str(folder / "db"),
        "IndexDirectory": str(folder / "db"),
        "HttpPort": port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "Plugins": [str(PLUGIN)],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    (folder / "orthanc.json").write_text(json.dumps(settings))
    with (folder / "orthanc.log").open("wb") as log:
        process = subprocess.Popen(["Orthanc", folder / "orthanc.json"], stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}/dicom-web"
    finally:
        process.terminate()
        process.wait(timeout=120)


def _wait_for(port, process):
    for _ in range(1200):
        assert process.poll() is None, "Orthanc ended at its start"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise AssertionError("Orthanc did not listen")
