"""Small JSON messages over one end of a socket pair, a line each; nothing here ever spins."""

from __future__ import annotations

import json
import socket
import threading


class Channel:
    """One end. ``receive`` gives the messages that have come; an empty list means the peer is gone."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._rest = b""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def send(self, **message: object) -> None:
        """Send one message; may be called from several threads."""
        with self._sending:
            self._socket.sendall(json.dumps(message).encode() + b"\n")

    def receive(self) -> list[dict[str, object]]:
        """Block until at least one whole message or the end has come."""
        while b"\n" not in self._rest:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return []
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        return [json.loads(line) for line in lines]

    def close(self) -> None:
        """Close this end; the peer's next ``receive`` gives the empty list."""
        self._socket.close()
