"""Several devices, and several processes, that train as one.

JAX takes any number of either: Keras' `DataParallel` puts the weights on each device and a part of
each batch. TensorFlow takes the devices of one process, by `MirroredStrategy`: Keras 3 does not
work with its strategies of several hosts (keras#20585). torch gets `DataParallel` with Keras 3.16.
"""

import atexit
import contextlib
import importlib
import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_acl.system.devices import backend_name, tensorflow
from keras_acl.system.launcher import launch
from keras_acl.system.peer_watch import NOTICE, watched

PATIENCE = 300.0  # seconds that the first process may take to begin
HEARTBEAT = 30  # seconds without a sign of life after which JAX ends the other processes


@contextlib.contextmanager
def distribute(devices: str | int | None = "all") -> Iterator[None]:
    """Build, compile and fit a model within it to train on several devices.

    Started by a launcher as one of several processes, see `system.launcher.launch`, it joins the
    others first (JAX alone). A `VideoDataset` that is made within it reads this process' share of
    each batch; its `batch_size` is that of all devices together.

    Args:
        devices: `"all"`, or how many of this process'; `None` changes nothing.

    Raises:
        ValueError: If the backend, or this machine, does not have them.

    Example:
        >>> with keras_acl.distribute("all"):
        ...     model = keras_acl.TwoStreamClassifier(400)
        ...     train = keras_acl.data.VideoDataset(videos, model.clip, batch_size=64)
        ...     callbacks = keras_acl.recipes.kinetics400().compile(model, train, "runs/k400")
        ...     model.fit(train, epochs=196, callbacks=callbacks)
    """
    if devices is None:
        yield
        return
    join(devices)
    with _spread(devices):
        yield


def join(devices: str | int | None) -> None:
    """Join the processes that the launcher started with this one, if any.

    Args:
        devices: As in `distribute`; with `None` this process stays alone.

    Raises:
        ValueError: If the backend trains in one process only.
        ConnectionError: If the first process does not answer within five minutes.
        RuntimeError: If JAX computes already.
    """
    index, count, address = (0, 1, None) if devices is None else launch()
    if count == 1:
        return
    if backend_name() != "jax":
        raise ValueError(
            f"{count} processes train together with JAX alone: set KERAS_BACKEND=jax. "
            f"Received: KERAS_BACKEND={backend_name()}"
        )
    jax = importlib.import_module("jax")
    if jax.distributed.is_initialized():  # Ray's JaxTrainer did
        return
    # Its service would take SIGTERM for a notice in advance, and go on.
    jax.config.update("jax_enable_preemption_service", False)
    times = {"heartbeat_timeout_seconds": HEARTBEAT, "shutdown_timeout_seconds": HEARTBEAT}
    if address is None:
        jax.distributed.initialize(**times)
        return
    if index > 0:
        _await(address)
    # Otherwise it would listen on all addresses of the machine.
    bind = os.environ.get("JAX_COORDINATOR_BIND_ADDRESS", address)
    jax.distributed.initialize(address, count, index, coordinator_bind_address=bind, **times)


def _await(address: str) -> None:
    """Wait until the first process answers; JAX would abort with a stack trace instead."""
    host, _, port = address.rpartition(":")
    until = time.monotonic() + PATIENCE
    while True:
        try:
            socket.create_connection((host.strip("[]"), int(port)), HEARTBEAT).close()
            return
        except OSError as error:
            if time.monotonic() > until:
                raise ConnectionError(
                    f"The first process does not answer at {address}: {error}. Start it, too, and "
                    "see that no firewall is between."
                ) from error
            time.sleep(1.0)


@contextlib.contextmanager
def _spread(devices: str | int) -> Iterator[None]:
    """Put what is made within it on several devices."""
    if backend_name() == "torch":
        raise ValueError(
            "Keras trains on one device with torch; data parallelism comes with its release 3.16. "
            "Set KERAS_BACKEND=jax or tensorflow, or leave the devices out."
        )
    chosen = _chosen(devices)
    if len(chosen) == 1:
        yield
        return
    tf = tensorflow()
    if tf is not None:
        with tf.distribute.MirroredStrategy([_tensorflow_name(name) for name in chosen]).scope():
            yield
        return
    # Data sets are shared out by processes already.
    parallel = keras.distribution.DataParallel(devices=chosen, auto_shard_dataset=False)
    with _watched(), parallel.scope():
        yield


def _watched() -> contextlib.AbstractContextManager:
    index, count = process()
    if count == 1:
        return contextlib.nullcontext()
    address = launch().address
    host = from_first(address.rpartition(":")[0] if address else socket.gethostname())
    return watched(index, count, host, from_first)


def _chosen(devices: str | int) -> list[str]:
    """The devices that are meant, by Keras' names."""
    present = keras.distribution.list_devices()
    text = str(devices)
    if text == "all":
        return present
    if not text.isdecimal() or not 1 <= int(text) <= len(present):
        raise ValueError(
            f'Expected devices to be "all", or a number up to the {len(present)} of this machine. '
            f"Received: devices={devices}"
        )
    if process()[1] > 1:
        raise ValueError(
            f'Several processes train on all their devices: expected devices="all". '
            f"Received: devices={devices}"
        )
    return present[: int(text)]


def _tensorflow_name(device: str) -> str:
    kind, number = device.split(":")[-2:]
    return f"{kind.upper()}:{number}"


def replicas(model: keras.Model | None = None) -> int:
    """How many devices train at once.

    Those of a model's `tf.distribute` strategy, or of the scope of a strategy or of a
    `keras.distribution`; otherwise 1.
    """
    tf = tensorflow()
    if tf is not None:
        strategy = getattr(model, "distribute_strategy", None) or tf.distribute.get_strategy()
        return strategy.num_replicas_in_sync
    parallel = keras.distribution.distribution()
    return 1 if parallel is None else parallel.device_mesh.devices.size


def process() -> tuple[int, int]:
    """(index, count) of this process among those that train together; (0, 1) where it is alone."""
    if backend_name() != "jax":
        return 0, 1
    jax = importlib.import_module("jax")
    if not jax.distributed.is_initialized():
        return 0, 1
    return jax.process_index(), jax.process_count()


def is_first() -> bool:
    """Whether this process is the one that writes."""
    return process()[0] == 0


def of_all_processes(batch: np.ndarray) -> Any:
    """A batch on all devices, of which each process has its part; alone, the batch itself."""
    parallel = keras.distribution.distribution()
    if parallel is None:
        return batch
    layout = parallel.get_data_layout(batch.shape).backend_layout
    return importlib.import_module("jax").make_array_from_process_local_data(layout, batch)


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Within it one process may make variables alone, as Keras does when it saves."""
    parallel = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(parallel)


def from_first(value: Any = None) -> Any:
    """What the first process gives; every process must ask.

    Args:
        value: Anything that JSON can say; only the first one's counts.
    """
    if process()[1] == 1:
        return value
    content = np.frombuffer(json.dumps(value).encode(), np.uint8)
    size = int(_utilities().broadcast_one_to_all(np.int32(len(content))))
    sent = np.zeros(size, np.uint8)
    if is_first():
        sent[:] = content
    return json.loads(bytes(np.asarray(_utilities().broadcast_one_to_all(sent))))


@contextlib.contextmanager
def together() -> Iterator[None]:
    """Go on after it if every process came through it.

    Raises:
        RuntimeError: If another process did not; that one raises what stopped it.
    """
    error = None
    try:
        yield
    except Exception as raised:
        error = raised
    index, count = process()
    if count > 1:
        failed = _utilities().process_allgather(np.int32(error is not None)).ravel()
        if error is None and failed.any():
            _end_at_once()
            raise RuntimeError(
                f"Process {int(failed.argmax())} of {count} cannot take part; it says why. "
                f"Process {index} ends, too."
            )
        if error is not None:
            _end_at_once()
    if error is not None:
        raise error


@contextlib.contextmanager
def peers() -> Iterator[None]:
    """Work within it that ends if another process does.

    Raises:
        RuntimeError: If another process ended.
    """
    try:
        yield
    except Exception as error:
        index, count = process()
        if count == 1:
            raise
        _end_at_once()
        if type(error).__name__ != "JaxRuntimeError":
            raise
        time.sleep(2 * NOTICE)  # whoever watches the others says so, and this process ends
        raise RuntimeError(
            f"Process {index} of {count} lost another one, which says why if it could: "
            f"{str(error).splitlines()[0]} The same command on all of them goes on after the last "
            "finished epoch."
        ) from error


def leave() -> None:
    """Part from the other processes, all of which must; the first may then go on alone."""
    if process()[1] > 1:
        importlib.import_module("jax").distributed.shutdown()


def _end_at_once() -> None:
    """Do not wait, when this process ends, for others that hang or are gone."""

    def end() -> None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(1)

    atexit.register(end)


def _utilities() -> Any:
    return importlib.import_module("jax.experimental.multihost_utils")
