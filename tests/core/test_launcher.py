"""The launcher keeps processes running and leaves none behind."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes
ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import sys
from ctplatform.launcher import Launcher, Service
Launcher([Service("child", [sys.executable, "-c", sys.argv[1]])]).run()
"""


def launch(child):
    return subprocess.Popen(
        [sys.executable, "-u", "-c", SCRIPT, child],
        env={**os.environ, "PYTHONPATH": str(ROOT / "platform")},
        stdout=subprocess.PIPE,
        text=True,
    )


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_killed_child_starts_again_and_all_end_together():
    launcher = launch("import os, time; print('pid', os.getpid(), flush=True); time.sleep(60)")
    try:
        first = int(launcher.stdout.readline().split()[-1])
        os.kill(first, signal.SIGKILL)
        assert "starts again" in launcher.stdout.readline()
        second = int(launcher.stdout.readline().split()[-1])
        assert second != first
    finally:
        launcher.send_signal(signal.SIGTERM)
        assert launcher.wait(timeout=120) == 0
    deadline = time.monotonic() + 60
    while alive(second) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not alive(second)


def test_a_child_that_ignores_the_request_to_end_is_killed():
    launcher = launch(
        "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('pid', os.getpid(), flush=True); time.sleep(60)"
    )
    child = int(launcher.stdout.readline().split()[-1])
    launcher.send_signal(signal.SIGINT)
    assert launcher.wait(timeout=120) == 0
    assert not alive(child)
