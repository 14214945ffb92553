"""A proxy in front of a server that speaks HTTP: it passes bytes on, or behaves like a server in trouble."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from enum import StrEnum
from typing import Self


class Trouble(StrEnum):
    """What the proxy does with calls."""

    NONE = "none"
    #: every call is answered with 503
    UNAVAILABLE = "unavailable"
    #: every call is answered with 403
    FORBIDDEN = "forbidden"
    #: every call is answered with 412
    REFUTED = "refuted"
    #: no call is passed on, none is answered
    SILENT = "silent"
    #: calls are passed on and done, and their answers are lost
    UNANSWERED = "unanswered"
    #: calls are passed on and done, and the connection ends before the last byte of their answers
    TORN = "torn"


def _answer(status: str, code: str) -> bytes:
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>told by a proxy</Message></Error>"
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


#: trouble → what every call is answered
_ANSWERS = {
    Trouble.UNAVAILABLE: _answer("503 Slow Down", "SlowDown"),
    Trouble.FORBIDDEN: _answer("403 Forbidden", "AccessDenied"),
    Trouble.REFUTED: _answer("412 Precondition Failed", "PreconditionFailed"),
}


class FaultyProxy:
    """Listens on a port of this machine as long as the `with` block; `trouble` may change at any time."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._trouble = Trouble.NONE
        self._calls: int | None = None
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        #: calls that met the trouble
        self.met = 0

    @property
    def address(self) -> str:
        """Where clients find it."""
        return f"http://127.0.0.1:{self._listening.getsockname()[1]}"

    def become(self, trouble: Trouble, calls: int | None = None) -> None:
        """Change what happens to calls, to all of them or to the next few; connections that are open end."""
        with self._lock:
            self._trouble, self._calls, self.met = trouble, calls, 0
            for one in self._open:
                _end(one)

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.become(Trouble.NONE)
        _end(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._target)) as server:
            with self._lock:
                self._open |= {client, server}
                trouble = self._trouble if self._calls is None or self.met < self._calls else Trouble.NONE
            try:
                back = threading.Thread(target=self._pump, args=(server, client, trouble), daemon=True)
                back.start()
                self._forward(client, server, trouble)
                back.join(30)
            finally:
                with self._lock:
                    self._open -= {client, server}

    def _forward(self, client: socket.socket, server: socket.socket, trouble: Trouble) -> None:
        while data := client.recv(1 << 16):
            if trouble in _ANSWERS:
                self.met += 1
                client.sendall(_ANSWERS[trouble])
                break
            if trouble is Trouble.SILENT:
                self.met += 1
                continue
            server.sendall(data)
        _end(server)

    def _pump(self, server: socket.socket, client: socket.socket, trouble: Trouble) -> None:
        with suppress(OSError):
            while data := server.recv(1 << 16):
                if trouble is Trouble.UNANSWERED and not data.startswith(b"HTTP/1.1 100"):
                    self.met += 1
                    break
                if trouble is Trouble.TORN and not data.endswith(b"\r\n\r\n"):
                    self.met += 1
                    client.sendall(data[:-1])
                    break
                client.sendall(data)
        _end(client)


def _end(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
