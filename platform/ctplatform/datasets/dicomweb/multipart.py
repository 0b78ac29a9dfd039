"""Bodies of several parts as WADO-RS sends them (PS3.18 8.7.1)."""

import secrets
from collections.abc import Iterable, Iterator


def parts(contents: Iterable[bytes], content_type: str) -> tuple[str, Iterator[bytes]]:
    """The header and the body, which is made while it is sent. No part can hold the boundary by chance."""
    boundary = secrets.token_hex(16)
    media_type = content_type.partition(";")[0]
    return f'multipart/related; type="{media_type}"; boundary={boundary}', _body(contents, content_type, boundary)


def _body(contents: Iterable[bytes], content_type: str, boundary: str) -> Iterator[bytes]:
    for content in contents:
        yield f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode()
        yield content
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()
