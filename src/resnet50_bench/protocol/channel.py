"""Typed messages over one end of a socket pair, a line of JSON each; nothing here ever spins."""

from __future__ import annotations

import socket
import threading
from typing import Generic, TypeVar

import msgspec

from .messages import Reader, encode

Received = TypeVar("Received")


class Channel(Generic[Received]):
    """One end. ``receive`` gives the messages that have come; an empty list means the peer is gone."""

    def __init__(self, end: socket.socket, decoder: Reader[Received]) -> None:
        """``decoder`` is for what the peer sends: messages.ORDERS or messages.EVENTS."""
        self._socket, self._decoder = end, decoder
        self._rest = b""
        self._sending = threading.Lock()

    def fileno(self) -> int:
        """For selectors."""
        return self._socket.fileno()

    def send(self, message: msgspec.Struct) -> None:
        """Send one message; may be called from several threads."""
        with self._sending:
            self._socket.sendall(encode(message) + b"\n")

    def receive(self) -> list[Received]:
        """Block until at least one whole message or the end has come.

        Raises msgspec.ValidationError, which names the field, for a message that is none of the protocol's.
        """
        while b"\n" not in self._rest:
            try:
                data = self._socket.recv(65536)
            except ConnectionResetError:
                data = b""
            if not data:
                return []
            self._rest += data
        *lines, self._rest = self._rest.split(b"\n")
        return [self._decoder.decode(line) for line in lines]

    def close(self) -> None:
        """Close this end; the peer's next ``receive`` gives the empty list."""
        self._socket.close()
