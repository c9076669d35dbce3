"""What a process and its decoding workers say to each other: a JSON document and bytes, over a socket. No pickle."""

from __future__ import annotations

import json
import socket
import struct
from typing import Any

SIZES = struct.Struct("<QQ")
"""Before each message: the size of its document and that of its bytes."""
MOST_DOCUMENT = 64 << 20
MOST_DATA = 16 << 30

Buffer = bytes | bytearray | memoryview


def send(sock: socket.socket, document: Any, data: Buffer = b"") -> None:
    """Send a message; it may be read while it is sent."""
    text = json.dumps(document).encode()
    sock.sendall(SIZES.pack(len(text), len(data)) + text)
    if len(data):
        sock.sendall(data)


def receive(sock: socket.socket) -> tuple[Any, bytearray]:
    """The next message.

    Raises:
        EOFError: the other side is gone.
        ValueError: what came is no message.
        OSError: of the socket, also where its time is over.
    """
    document, data = SIZES.unpack(_exactly(sock, SIZES.size))
    if document > MOST_DOCUMENT or data > MOST_DATA:
        raise ValueError("no message has that size")
    return json.loads(_exactly(sock, document)), _exactly(sock, data)


def _exactly(sock: socket.socket, size: int) -> bytearray:
    came = bytearray(size)
    view = memoryview(came)
    while view:
        count = sock.recv_into(view)
        if not count:
            raise EOFError("the other side is gone")
        view = view[count:]
    return came
