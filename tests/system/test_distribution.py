import socket

import keras
import numpy as np
import pytest

from keras_acl.system import distribution
from keras_acl.system.distribution import distribute
from keras_acl.system.launcher import Launch

pytestmark = pytest.mark.backends
BACKEND = keras.backend.backend()


def test_one_device_is_one_replica_and_one_process():
    with distribute(None):
        assert distribution.replicas() == 1
    assert distribution.process() == (0, 1)
    assert distribution.is_first()
    assert distribution.from_first({"epoch": 3}) == {"epoch": 3}
    batch = np.zeros((2, 3))
    assert distribution.of_all_processes(batch) is batch


@pytest.mark.skipif(BACKEND == "torch", reason="one device alone")
@pytest.mark.parametrize("devices", ["all", "1", 1])
def test_all_of_one_device_change_nothing(devices):
    with distribute(devices):
        assert distribution.replicas() == 1
        assert keras.distribution.distribution() is None


@pytest.mark.skipif(BACKEND == "torch", reason="one device alone")
@pytest.mark.parametrize("devices", ["both", "0", 1000, -1])
def test_devices_that_are_not_there_are_refused(devices):
    with pytest.raises(ValueError, match=f"Received: devices={devices}"), distribute(devices):
        pass


@pytest.mark.skipif(BACKEND != "torch", reason="the others have it")
def test_torch_waits_for_a_release_of_keras():
    with pytest.raises(ValueError, match=r"Keras trains on one device with torch.*3\.16"):
        distribute("all").__enter__()


@pytest.mark.skipif(BACKEND == "jax", reason="the one that takes several processes")
def test_several_processes_want_jax(monkeypatch):
    monkeypatch.setattr(distribution, "launch", lambda: Launch(0, 2, "127.0.0.1:1"))
    with pytest.raises(ValueError, match=f"KERAS_BACKEND=jax. Received: KERAS_BACKEND={BACKEND}"):
        distribute("all").__enter__()


@pytest.mark.skipif(BACKEND != "jax", reason="the one that takes several processes")
def test_a_first_process_that_does_not_answer_is_one_line(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setattr(distribution, "launch", lambda: Launch(1, 2, address))
    monkeypatch.setattr(distribution, "PATIENCE", 0.0)
    with pytest.raises(ConnectionError, match=f"does not answer at {address}: .*refused"):
        distribution.join("all")


def test_an_error_passes_through_where_nobody_else_is():
    for context in (distribution.together(), distribution.peers()):
        with pytest.raises(ZeroDivisionError), context:
            _ = 1 / 0


@pytest.mark.skipif(BACKEND != "jax", reason="distributions of Keras")
def test_a_process_may_save_by_itself():
    parallel = keras.distribution.DataParallel(devices=["cpu:0"])
    with parallel.scope():
        assert distribution.replicas() == 1
        batch = distribution.of_all_processes(np.arange(6.0).reshape(2, 3))
        assert batch.sharding.spec[0] == "batch"
        with distribution.undistributed():
            assert keras.distribution.distribution() is None
        assert keras.distribution.distribution() is parallel


class Utilities:
    """What JAX offers to several processes, as this one, the second of two, sees it."""

    def __init__(self, sent, failed):
        self.sent, self.failed = list(sent), failed

    def broadcast_one_to_all(self, value):
        return self.sent.pop(0)

    def process_allgather(self, value):
        return np.array([self.failed, int(value)])


@pytest.fixture
def second(monkeypatch):
    ends = []
    monkeypatch.setattr(distribution, "process", lambda: (1, 2))
    monkeypatch.setattr(distribution, "_end_at_once", lambda: ends.append(1))

    def meets(sent=(), failed=0):
        utilities = Utilities(sent, failed)
        monkeypatch.setattr(distribution, "_utilities", lambda: utilities)
        return ends

    return meets


def test_all_take_what_the_first_one_gives(second):
    text = b'{"epoch": 3}'
    second(sent=[np.int32(len(text)), np.frombuffer(text, np.uint8)])
    assert distribution.from_first("another thing") == {"epoch": 3}


def test_all_end_where_another_one_cannot_take_part(second):
    ends = second(failed=1)
    refused = pytest.raises(RuntimeError, match="Process 0 of 2 cannot take part")
    with refused, distribution.together():
        pass
    assert len(ends) == 1


def test_who_cannot_take_part_says_why_itself(second):
    ends = second(failed=0)
    with pytest.raises(ZeroDivisionError), distribution.together():
        _ = 1 / 0
    assert len(ends) == 1
    with distribution.together():
        pass
    assert len(ends) == 1
