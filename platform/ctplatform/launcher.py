"""Keeps the platform's processes running side by side: restarts one that dies, ends all together."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import FrameType

FIRST_RESTART_SECONDS = 1.0
LONGEST_RESTART_SECONDS = 30.0
STABLE_SECONDS = 60.0
GRACE_SECONDS = 10.0


@dataclass
class Service:
    """One process that should always run; restarts wait longer each time until it has stayed up for a while."""

    name: str
    argv: list[str]
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    restart_at: float = 0.0
    wait_seconds: float = FIRST_RESTART_SECONDS

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self.started_at = time.monotonic()
        threading.Thread(target=self._copy_output, args=[self.process], daemon=True).start()

    def _copy_output(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is None:
            return
        for line in process.stdout:
            sys.stdout.write(f"{self.name:<7}| {line.decode(errors='replace')}")
            sys.stdout.flush()

    def tend(self, now: float) -> None:
        if self.process is not None and self.process.poll() is None:
            if now - self.started_at > STABLE_SECONDS:
                self.wait_seconds = FIRST_RESTART_SECONDS
            return
        if self.process is not None:
            code = self.process.returncode
            sys.stdout.write(f"{self.name} ended with {code}; it starts again in {self.wait_seconds:.0f} s\n")
            self.process = None
            self.restart_at = now + self.wait_seconds
            self.wait_seconds = min(self.wait_seconds * 2, LONGEST_RESTART_SECONDS)
        elif now >= self.restart_at:
            self.start()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)


@dataclass
class Launcher:
    services: Sequence[Service]
    stopping: bool = field(default=False, init=False)

    def run(self) -> None:
        """Blocks until SIGINT or SIGTERM; every started process has ended when it returns."""
        signal.signal(signal.SIGINT, self._stop)
        signal.signal(signal.SIGTERM, self._stop)
        while not self.stopping:
            for service in self.services:
                service.tend(time.monotonic())
            time.sleep(0.3)
        self._end_all()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopping = True

    def _end_all(self) -> None:
        for service in self.services:
            service.signal(signal.SIGTERM)
        deadline = time.monotonic() + GRACE_SECONDS
        for service in self.services:
            if service.process is None:
                continue
            try:
                service.process.wait(timeout=max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                service.signal(signal.SIGKILL)
                service.process.wait()
