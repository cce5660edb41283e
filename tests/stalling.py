"""A TCP proxy before a real server that can swallow what passes, as a dead firewall or a frozen host does.

In: the server's port. Out: a port of its own, whose connections go through until `stall`. While it stalls, connections
stay open and are accepted, and no byte passes in either direction: nobody is told anything.
"""

from __future__ import annotations

import selectors
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

CHUNK = 65536


class StallingProxy:
    """`with StallingProxy(port) as proxy: … proxy.port …`; one thread moves the bytes."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._peers: dict[socket.socket, socket.socket] = {}
        self._stalled = threading.Event()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stalling proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()
        for one in (self._listener, *self._peers):
            one.close()

    def stall(self) -> None:
        """Let no byte pass from now on."""
        self._stalled.set()

    def go_on(self) -> None:
        """Let everything pass again, what was held back first."""
        self._stalled.clear()

    def _run(self) -> None:
        while not self._ended.is_set():
            if self._stalled.is_set():
                self._ended.wait(0.02)
                continue
            for key, _events in self._selector.select(0.05):
                here = key.fileobj
                assert isinstance(here, socket.socket)
                if here is self._listener:
                    self._accept()
                elif here in self._peers:
                    self._move(here)

    def _accept(self) -> None:
        client, _address = self._listener.accept()
        server = socket.create_connection(self._target)
        for one, other in ((client, server), (server, client)):
            self._peers[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _move(self, here: socket.socket) -> None:
        there = self._peers[here]
        try:
            data = here.recv(CHUNK)
            if data:
                there.sendall(data)
                return
        except OSError:
            pass
        for one in (here, there):
            self._selector.unregister(one)
            del self._peers[one]
            one.close()
