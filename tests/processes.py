"""A real installation in a temporary folder: its own data, its own web and worker processes."""

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
REDIS_URL = os.environ.get("CT_TEST_REDIS_URL", "redis://127.0.0.1:6379/15")
POSTGRES_URL = os.environ.get("CT_TEST_POSTGRES_URL", "postgres://postgres@127.0.0.1:5432/postgres")


class Installation:
    def __init__(self, folder, **environment):
        self.folder = Path(folder)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "CT_"))},
            "DJANGO_SETTINGS_MODULE": "ctplatform.settings.development",
            "CT_VAR_DIR": str(self.folder / "var"),
            "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}",
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        self.processes = []

    def manage(self, *arguments, timeout=1200):
        done = subprocess.run(
            [sys.executable, str(ROOT / "manage.py"), *map(str, arguments)],
            env=self.environment,
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run(self, code, *arguments, timeout=1200):
        """Run Python in this installation; the code prints one JSON value as its last line."""
        done = subprocess.run(
            [sys.executable, "-c", f"import django; django.setup()\nimport sys, json\n{code}", *map(str, arguments)],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.strip().splitlines()[-1])

    def start(self, *argv, log="process"):
        with (self.folder / f"{log}-{len(self.processes)}.log").open("wb") as output:
            process = subprocess.Popen(
                list(map(str, argv)),
                env=self.environment,
                cwd=ROOT,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def start_worker(self, *options, prelude=""):
        """A Celery worker process; a prelude is Python that runs in it before the worker starts."""
        arguments = ["worker", "--pool", "solo", "-Q", "default,gpu,training", "--loglevel", "INFO", *options]
        code = f"import django; django.setup()\n{prelude}\nfrom ctplatform.celery import app\napp.worker_main({arguments!r})"
        return self.start(sys.executable, "-c", code, log="worker")

    def serve(self, port):
        return self.start(sys.executable, ROOT / "manage.py", "serve", "--port", port, log="serve")

    def stop(self):
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process in self.processes:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=60)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def logs(self):
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in sorted(self.folder.glob("*.log")))


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition, *, seconds, what, installation=None):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.2)
    logs = installation.logs() if installation else ""
    raise AssertionError(f"{what} did not happen within {seconds} s\n{logs}")


def free_port():
    """Below those that the system gives to whoever wants any: nobody is given it before it is used."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def skip_or_fail(reason):
    """Services may be absent on a developer's machine, never in CI."""
    if os.environ.get("CT_REQUIRE_SERVICES"):
        pytest.fail(f"{reason}, and CI must not skip this")
    pytest.skip(reason)


@contextlib.contextmanager
def fresh_postgres() -> Iterator[str]:
    import psycopg

    try:
        admin = psycopg.connect(POSTGRES_URL, autocommit=True, connect_timeout=3)
    except psycopg.OperationalError as error:
        skip_or_fail(f"PostgreSQL does not answer at CT_TEST_POSTGRES_URL ({error})")
    name = f"ward_test_{uuid.uuid4().hex[:12]}"
    admin.execute(f'CREATE DATABASE "{name}"')
    try:
        yield POSTGRES_URL.rsplit("/", 1)[0] + f"/{name}"
    finally:
        admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        admin.close()


def fresh_redis() -> str:
    import redis

    client = redis.Redis.from_url(REDIS_URL)
    try:
        client.flushdb()
    except redis.ConnectionError as error:
        skip_or_fail(f"Redis does not answer at CT_TEST_REDIS_URL ({error})")
    return REDIS_URL
