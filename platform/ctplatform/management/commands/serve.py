"""Starts the whole platform on this machine: a web process and a worker, or the service deployment's set."""

import contextlib
import shlex
import socket
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from ctplatform.launcher import Launcher, Service

READY_SECONDS = 120
PACKAGES = ("platform", "readerstudy", "synthesis", "ml")


def web(host: str, port: int, *, processes: int) -> Service:
    argv = [sys.executable, "-m", "ctplatform.webserver", "--host", host, "--port", str(port)]
    return Service("web", [*argv, "--processes", str(processes)])


def worker(name: str, queues: str, *, beat: bool = False) -> Service:
    # One job at a time per process: a job owns its device, and a solo pool has no child that could be lost.
    argv = [sys.executable, "-m", "celery", "--quiet", "-A", "ctplatform", "worker", "--pool", "solo", "-Q", queues]
    argv += ["-n", f"{name}@%h", "--loglevel", "WARNING", "--without-mingle", "--without-gossip"]
    return Service(name, [*argv, "--beat"] if beat else argv)


def beat() -> Service:
    argv = [sys.executable, "-m", "celery", "--quiet", "-A", "ctplatform", "beat", "--loglevel", "WARNING"]
    return Service("beat", argv)


def restarted_on_change(service: Service, *folders: str) -> Service:
    """A worker ends the job it is at for five seconds; after that another one takes the job over."""
    watch = [sys.executable, "-m", "watchfiles", "--filter", "python", "--verbosity", "warning"]
    return Service(service.name, [*watch, "--target-type", "command", shlex.join(service.argv), *folders])


def vite() -> Service:
    return Service("vite", ["npm", "--prefix", str(settings.ROOT / "frontend"), "run", "--silent", "dev"])


def live(host: str, port: int) -> list[Service]:
    folders = [str(settings.ROOT / package) for package in PACKAGES]
    parts = [web(host, port, processes=1), worker("worker", "default,gpu"), worker("trainer", "training")]
    return [*(restarted_on_change(part, *folders) for part in parts), beat(), vite()]


PROFILES: dict[str, Callable[[str, int], list[Service]]] = {
    "embedded": lambda host, port: [
        web(host, port, processes=1),
        worker("worker", "default,gpu", beat=True),
        worker("trainer", "training"),
    ],
    "services": lambda host, port: [
        web(host, port, processes=2),
        worker("cpu", "default"),
        worker("gpu", "gpu"),
        worker("trainer", "training"),
        beat(),
    ],
    "live": live,
}


class Command(BaseCommand):
    help = "Run the web process and the worker(s) together and keep them running."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--profile", choices=sorted(PROFILES), default="embedded")
        parser.add_argument("--announce", default="", help="Text printed once the platform answers")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        refuse_taken_port(host, port)
        address = f"http://{host}:{port}/"
        threading.Thread(target=announce, args=[address, options["announce"]], daemon=True).start()
        Launcher(PROFILES[options["profile"]](host, port)).run()


def refuse_taken_port(host: str, port: int) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            raise CommandError(
                f"Port {port} on {host} is in use by another program. Stop it, or choose another port with PORT=8001."
            ) from None


def announce(address: str, text: str) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        # Not there yet: asked again until the deadline, which is told.
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(f"{address}readyz", timeout=5)  # noqa: S310 - our own address
            print(f"\nTuring Ward is ready at {address}\n{text}\nStop it with Ctrl+C.\n", flush=True)
            return
        time.sleep(0.5)
    print(f"The platform did not answer at {address} within {READY_SECONDS} s; its messages are above.", flush=True)
