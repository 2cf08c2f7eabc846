"""Processes are threads here, that share what the first one passes."""

import queue
import socket
import threading

import pytest

from keras_acl.system import peer_watch
from keras_acl.system.peer_watch import watched


class Fellows:
    """Threads that are watched; `errors` is what each said as it ended."""

    def __init__(self, monkeypatch, count):
        self.count = count
        self.passed = [queue.Queue() for _ in range(count)]
        self.errors: queue.Queue[str] = queue.Queue()
        monkeypatch.setattr(peer_watch, "_end", lambda message, notice: self.errors.put(message))

    def start(self, index, work):
        thread = threading.Thread(target=self._run, args=(index, work), daemon=True)
        thread.start()
        return thread

    def _run(self, index, work):
        def from_first(value):
            if index == 0:
                for others in self.passed[1:]:
                    others.put(value)
                return value
            return self.passed[index].get(timeout=10)

        try:
            with watched(index, self.count, "127.0.0.1", from_first):
                work()
        except ZeroDivisionError:
            pass


def fails():
    raise ZeroDivisionError


def test_who_ends_well_is_not_missed(monkeypatch):
    fellows = Fellows(monkeypatch, 3)
    last = threading.Event()
    threads = [fellows.start(0, last.wait), *(fellows.start(i, lambda: None) for i in (1, 2))]
    for thread in threads[1:]:
        thread.join(10)
    last.set()
    threads[0].join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert fellows.errors.empty()


@pytest.mark.parametrize(("failing", "ends"), [(0, 4), (1, 3)])  # each end of a connection
def test_all_end_with_who_fails(monkeypatch, failing, ends):
    fellows = Fellows(monkeypatch, 3)
    accepted, connected = queue.Queue(), queue.Queue()
    for name, made in (("_accepted", accepted), ("_connected", connected)):
        make = getattr(peer_watch, name)

        def kept(*arguments, make=make, made=made):
            result = make(*arguments)
            made.put(result)
            return result

        monkeypatch.setattr(peer_watch, name, kept)
    rest = threading.Event()
    threads = [fellows.start(index, rest.wait) for index in range(3)]
    # What the system does with the connections of a process that is killed.
    of_first = accepted.get(timeout=10).values()
    for connection in list(of_first) if failing == 0 else [connected.get(timeout=10)]:
        connection.shutdown(socket.SHUT_RDWR)
    said = [fellows.errors.get(timeout=10) for _ in range(ends)]
    assert all("of 3 ends" in message and "goes on after" in message for message in said)
    rest.set()
    for thread in threads:
        thread.join(10)


def test_strangers_are_sent_away(monkeypatch):
    fellows = Fellows(monkeypatch, 2)
    real, met = socket.create_server, []

    def met_by_a_stranger(address, **options):
        server = real(address, **options)
        met.append(socket.create_connection(server.getsockname()))
        met[0].sendall(b"0" * 100)
        return server

    monkeypatch.setattr(peer_watch.socket, "create_server", met_by_a_stranger)
    threads = [fellows.start(index, lambda: None) for index in range(2)]
    for thread in threads:
        thread.join(10)
    assert fellows.errors.empty()
    with met[0] as stranger:
        stranger.settimeout(10)
        try:
            said = stranger.recv(1)
        except ConnectionResetError:
            said = b""
        assert said == b""


def test_without_a_place_to_listen_nobody_watches(monkeypatch):
    def refuse(address):
        raise OSError("not here")

    monkeypatch.setattr(peer_watch.socket, "create_server", refuse)
    fellows = Fellows(monkeypatch, 2)
    threads = [fellows.start(index, lambda: None) for index in range(2)]
    for thread in threads:
        thread.join(10)
    assert fellows.errors.empty()
