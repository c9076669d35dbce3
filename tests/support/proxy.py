"""A TCP proxy on a port of its own that cuts, resets or stalls the connections it carries."""

import select
import socket
import struct
import threading
from collections import deque
from contextlib import contextmanager, suppress

PIECE = 64 * 1024
# Closed so, a connection ends in a reset instead of an orderly end.
RESET = struct.pack("ii", 1, 0)


class Proxy:
    """Carries connections to a port. The next ones meet the planned faults, a fault each; others pass.

    Attributes:
        faults: (kind, side, bytes): ``cut``, ``reset`` or ``stall`` once so many bytes came from the ``client`` or the
            ``server``.
        met: those that connections met.
    """

    def __init__(self, port):
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.faults, self.met = deque(), []
        self.resumed = threading.Event()
        self._waiting = []

    def serve(self):
        """Accept connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                fault = self.faults.popleft() if self.faults else (None, None, 0)
                self._waiting += [client, server]
                threading.Thread(target=self._carry, args=(client, server, fault), daemon=True).start()

    def _carry(self, client, server, fault):
        (kind, where, left), sides = fault, {client: ("client", server), server: ("server", client)}
        with suppress(OSError, ValueError):
            while True:
                for source in select.select(list(sides), [], [])[0]:
                    side, sink = sides[source]
                    piece = source.recv(PIECE)
                    left -= len(piece) if side == where else 0
                    if kind and side == where and left <= 0:
                        self.met.append(kind)
                        if kind == "stall":
                            self.resumed.wait()
                        elif kind == "reset":
                            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                            server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                        else:
                            sink.sendall(piece[: len(piece) // 2])
                        piece = b""
                    if not piece:
                        client.close()
                        server.close()
                        return
                    sink.sendall(piece)

    def close(self):
        """End every connection."""
        self.resumed.set()
        for each in (self._listener, *self._waiting):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


@contextmanager
def proxied(port):
    """A proxy to a port of the loopback, for as long as the context lasts."""
    proxy = Proxy(port)
    thread = threading.Thread(target=proxy.serve, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join()
