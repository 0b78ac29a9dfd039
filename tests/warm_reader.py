"""What the forking process reads once, and what its children do."""

import os
import socket

from ctplatform.datasets.importing.confined import reader

reader.load_everything()


def serve(messages: socket.socket, descriptors: socket.socket, memory_bytes: int) -> None:
    """As the product starts a reader: in a session of its own, silent, without the tests' environment."""
    os.setsid()
    os.chdir("/")
    os.environ.clear()
    silent = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(silent, standard)
    os.close(silent)
    reader.serve(messages, descriptors, memory_bytes=memory_bytes)
