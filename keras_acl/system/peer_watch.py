"""Processes that train together learn at once when one of them is gone.

Without it they wait in a collective operation until JAX misses heartbeats, and are then aborted
with a stack trace.
"""

import contextlib
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NoReturn

GOOD_BYE, LOST = b"g", b"l"
PATIENCE = 60.0  # seconds in which all must have come
NOTICE = 0.5  # seconds that the others have to end before their coordinator does


@contextlib.contextmanager
def watched(index: int, count: int, host: str, from_first: Callable[[Any], Any]) -> Iterator[None]:
    """End this process, with one line, if another one ends within it.

    Each process keeps a connection to the first one open. Where one of these cannot be made,
    nobody watches.

    Args:
        index: Number of this process.
        count: Number of all.
        host: Name or address by which the others reach the first process.
        from_first: Gives every process what the first one passes.
    """
    secret, server = secrets.token_hex(16), None
    if index == 0:
        with contextlib.suppress(OSError):
            server = socket.create_server((host, 0))
    port = server.getsockname()[1] if server else None
    secret, port = from_first((secret, port))
    if port is None:
        yield
        return
    peers: dict[int, socket.socket] = {}
    with contextlib.suppress(OSError):
        if server is not None:
            with server:
                peers = _accepted(server, count, secret.encode())
        else:
            peers = {0: _connected(host, port, secret.encode(), index)}
    if not from_first(bool(peers)):
        for connection in peers.values():
            connection.close()
        yield
        return
    over = threading.Event()
    for peer, connection in peers.items():
        arguments = (peer, connection, index, count, over, list(peers.values()))
        threading.Thread(target=_wait, args=arguments, daemon=True).start()
    yield
    over.set()  # not after an error: whoever fails is missed by the others
    for connection in peers.values():
        _send(connection, GOOD_BYE)
        connection.close()


def _accepted(server: socket.socket, count: int, secret: bytes) -> dict[int, socket.socket]:
    """The connections of all other processes, by their numbers."""
    peers: dict[int, socket.socket] = {}
    server.settimeout(PATIENCE)
    while len(peers) < count - 1:
        connection, _ = server.accept()
        connection.settimeout(PATIENCE)
        with contextlib.suppress(OSError, ValueError):
            said = connection.recv(len(secret) + 4, socket.MSG_WAITALL)
            if secrets.compare_digest(said[:-4], secret):
                connection.settimeout(None)
                peers[int.from_bytes(said[-4:], "big")] = connection
                continue
        connection.close()  # a stranger
    return peers


def _connected(host: str, port: int, secret: bytes, index: int) -> socket.socket:
    connection = socket.create_connection((host, port), PATIENCE)
    connection.sendall(secret + index.to_bytes(4, "big"))
    connection.settimeout(None)
    return connection


def _wait(
    peer: int,
    connection: socket.socket,
    index: int,
    count: int,
    over: threading.Event,
    connections: Sequence[socket.socket],
) -> None:
    """Wait for the end of a peer; if it came too early, end this process, too."""
    try:
        said = connection.recv(1)
    except OSError:
        said = b""
    if said == GOOD_BYE or over.is_set():
        return
    for other in connections:
        _send(other, LOST)
    who = "another process" if said == LOST else f"process {peer}"
    _end(
        f"Process {index} of {count} ends, as {who} did, which says why if it could. The same "
        "command on all of them goes on after the last finished epoch.",
        NOTICE if index == 0 else 0.0,
    )


def _end(message: str, notice: float) -> NoReturn:
    """Say why, and end without waiting for what hangs."""
    sys.stdout.flush()
    sys.stderr.write(f"\nError: {message}\n")
    sys.stderr.flush()
    time.sleep(notice)
    os._exit(1)


def _send(connection: socket.socket, message: bytes) -> None:
    with contextlib.suppress(OSError):
        connection.sendall(message)
