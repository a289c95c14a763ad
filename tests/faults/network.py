"""A TCP proxy whose network can fall silent, as when a cable is pulled or a firewall forgets."""

from __future__ import annotations

import ctypes
import selectors
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SO_ATTACH_FILTER = 26
_BPF_RETURN = 0x06


class Proxy:
    """Forwards between clients and a server on 127.0.0.1."""

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: dict[socket.socket, socket.socket] = {}
        self._selector = selectors.DefaultSelector()
        self._lock = threading.Lock()
        self._silent: list[socket.socket] = []
        self._closing = False
        self.deaf = False
        """Whether new clients are taken and then left without an answer."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._forward, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._listener.getsockname()[1]

    def stall(self) -> None:
        """Drop every packet of the connections there are, the kernel's own answers included.

        A program that only stops reading would still acknowledge what it is sent.
        """
        with self._lock:
            for connection in self._pairs:
                _drop_everything(connection)
                self._selector.unregister(connection)
            self._silent += self._pairs
            self._pairs.clear()

    def close(self) -> None:
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        for each in (*self._pairs, *self._silent, self._listener):
            each.close()

    def _forward(self) -> None:
        while not self._closing:
            for key, _ in self._selector.select(timeout=0.2):
                with self._lock:
                    if key.fileobj is self._listener:
                        self._accept()
                    elif isinstance(key.fileobj, socket.socket):
                        self._pass_on(key.fileobj)

    def _accept(self) -> None:
        client, _ = self._listener.accept()
        if self.deaf or self._closing:
            self._silent.append(client)
            return
        server = socket.create_connection(self._server)
        self._pairs |= {client: server, server: client}
        for each in (client, server):
            self._selector.register(each, selectors.EVENT_READ)

    def _pass_on(self, source: socket.socket) -> None:
        if source not in self._pairs:
            return
        target = self._pairs[source]
        try:
            data = source.recv(65536)
            if data:
                target.sendall(data)
                return
        except OSError:
            pass
        for each in (source, target):
            self._selector.unregister(each)
            self._pairs.pop(each)
            each.close()


@contextmanager
def proxy(server_port: int) -> Iterator[Proxy]:
    running = Proxy(server_port)
    try:
        yield running
    finally:
        running.close()


def _drop_everything(connection: socket.socket) -> None:
    """A socket filter that lets no packet in: no data, no acknowledgement, no end."""
    program = ctypes.create_string_buffer(struct.pack("HBBI", _BPF_RETURN, 0, 0, 0))
    connection.setsockopt(
        socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HL", 1, ctypes.addressof(program))
    )
