"""The web process: waitress, made patient with slow clients and strict about what they may send.

One loop receives requests and sends answers without blocking; a thread works on a request only when all of it is
there. So half a request costs a socket and never a thread. What it costs is bounded here: how long a head may take,
how slowly a body may come, how many connections may be open, and how much somebody who is not logged in may send.
"""

import argparse
import copy
import json
import os
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.utilities import Error, RequestEntityTooLarge

KIB = 1024
HEAD_BYTES = 64 * KIB
HEAD_SECONDS = 15
SMALL_BODY_BYTES = 64 * KIB  # nobody is looked up for so little
SLOWEST_BODY_BYTES_PER_SECOND = 4 * KIB
IDLE_SECONDS = 60
HOUSEKEEPING_SECONDS = 2
CONNECTIONS = 800
CROWDED = 600
ACCEPTED_AT_ONCE = 50
THREADS = 16
FILE_DESCRIPTORS = 4096
# An answer that nobody fetches waits in a temporary file and not in a thread.
UNBOUNDED_BYTES = 1 << 50
TOO_LARGE = "The request is larger than your account may send. Log in first, and upload large data in parts."

BodyLimit = Callable[[dict[str, str]], int]


class TooLarge(RequestEntityTooLarge):  # type: ignore[misc]  # waitress is untyped
    def __init__(self) -> None:
        super().__init__(TOO_LARGE)

    def to_response(self, ident: str | None = None) -> tuple[str, list[tuple[str, str]], bytes]:
        body = json.dumps({"detail": self.body}).encode()
        return f"{self.code} {self.reason}", [("Content-Type", "application/json")], body


class PatientRequest(HTTPRequestParser):  # type: ignore[misc]  # waitress is untyped
    """A request that is still arriving."""

    adj: Adjustments
    error: Error | None
    body_bytes_received: int
    body_limit: BodyLimit  # by the request's headers, named as in WSGI without HTTP_

    def __init__(self, adj: Adjustments) -> None:
        super().__init__(adj)
        self.begun = time.monotonic()

    def parse_header(self, header_plus: bytes) -> None:
        super().parse_header(header_plus)
        if self.chunked or self.content_length > SMALL_BODY_BYTES:
            self.adj = copy.copy(self.adj)
            # Waitress refuses what reaches its limit, we refuse what exceeds ours.
            self.adj.max_request_body_size = self.body_limit(self.headers) + 1

    def received(self, data: bytes) -> int:
        consumed = super().received(data)
        if type(self.error) is RequestEntityTooLarge:
            self.error = TooLarge()
        return int(consumed)

    def seconds_left(self, now: float) -> float:
        allowed = HEAD_SECONDS + self.body_bytes_received / SLOWEST_BODY_BYTES_PER_SECOND
        return self.begun + allowed - now


class PatientChannel(HTTPChannel):  # type: ignore[misc]  # waitress is untyped
    parser_class = PatientRequest

    def is_waiting(self) -> bool:
        """Whether nothing is being worked on or sent: the client has to do something."""
        return not self.requests and not self.total_outbufs_len

    def is_overdue(self, now: float) -> bool:
        request = self.request
        return request is not None and self.is_waiting() and request.seconds_left(now) < 0


class PatientServer(TcpWSGIServer):  # type: ignore[misc]  # waitress is untyped
    channel_class = PatientChannel

    def maintenance(self, now: float) -> None:
        super().maintenance(now)
        clock = time.monotonic()
        for channel in list(self.active_channels.values()):
            if channel.is_overdue(clock):
                channel.will_close = True

    def handle_accept(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            before = len(self.active_channels)
            super().handle_accept()
            if len(self.active_channels) == before:
                break
        if len(self.active_channels) > CROWDED:
            self.make_room()

    def make_room(self) -> None:
        """Whoever has kept the server waiting longest goes; a body that arrives in time stays."""
        waiting = [
            channel
            for channel in self.active_channels.values()
            if channel.is_waiting() and not channel.will_close and not _is_arriving(channel)
        ]
        waiting.sort(key=lambda channel: channel.creation_time)
        for channel in waiting[: len(self.active_channels) - CROWDED + ACCEPTED_AT_ONCE]:
            channel.will_close = True


def _is_arriving(channel: PatientChannel) -> bool:
    return channel.request is not None and channel.request.body_bytes_received > HEAD_BYTES


def serve(listener: socket.socket, application: Any, body_limit: BodyLimit) -> None:
    """Blocks until SIGTERM or SIGINT; requests in work get some seconds to end."""
    PatientRequest.body_limit = staticmethod(body_limit)
    adjustments = Adjustments(
        sockets=[listener],
        threads=THREADS,
        connection_limit=CONNECTIONS,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=HOUSEKEEPING_SECONDS,
        max_request_header_size=HEAD_BYTES,
        inbuf_overflow=SMALL_BODY_BYTES,
        outbuf_high_watermark=UNBOUNDED_BYTES,
        asyncore_use_poll=True,
        # Whom X-Forwarded-* is believed from is Django's to judge (CT_TRUSTED_PROXIES), with whatever server.
        clear_untrusted_proxy_headers=False,
        ident=None,
    )
    server = PatientServer(
        application,
        _sock=listener,
        adj=adjustments,
        bind_socket=False,
        sockinfo=(listener.family, listener.type, listener.proto, listener.getsockname()),
    )
    server.run()


def listen(host: str, port: int) -> socket.socket:
    listener = socket.create_server(
        (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024
    )
    listener.setblocking(False)
    return listener


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit


def _body_limit(headers: dict[str, str]) -> int:
    from ctplatform.bodies import limit_for_headers  # needs Django, which _work loads

    return limit_for_headers(headers)


def _work(listener: socket.socket) -> None:
    signal.signal(signal.SIGTERM, _end)
    from ctplatform.wsgi import application  # loads Django: after the fork, so that processes share no connection

    serve(listener, application, _body_limit)


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m ctplatform.webserver", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--processes", type=int, default=1)
    options = parser.parse_args(arguments)
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILE_DESCRIPTORS) if most > 0 else FILE_DESCRIPTORS, most))
    listener = listen(options.host, options.port)
    if options.processes == 1:
        _work(listener)
        return 0
    return _share(listener, options.processes)


def _share(listener: socket.socket, processes: int) -> int:
    """Several processes accept from one socket. When one ends, all end: whoever started them starts them again."""
    children = []
    for _ in range(processes):
        child = os.fork()
        if child == 0:
            _work(listener)
            os._exit(0)
        children.append(child)
    signal.signal(signal.SIGTERM, _end)
    try:
        _, status = os.wait()
        return os.waitstatus_to_exitcode(status) or 1
    except (SystemExit, KeyboardInterrupt):
        return 0
    finally:
        for child in children:
            try:
                os.kill(child, signal.SIGTERM)
            except ProcessLookupError:
                # It has ended by itself, which is what was wished for.
                continue


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
