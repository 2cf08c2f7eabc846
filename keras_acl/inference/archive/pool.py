"""The processes of an archive run, started by Ray: on this machine, or all over a cluster.

Ray by itself would tell its makers that it is used, listen on every address, log to the terminal
and keep a password in the home folder. A Ray started here does none of these; where the program
imported Ray before, it tells nobody, and is otherwise as that program set it up.
"""

import contextlib
import logging
import os
import secrets
import socket
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from keras_acl.inference.archive.dispatch import WorkerDeathError
from keras_acl.inference.archive.manifest import Item
from keras_acl.inference.archive.options import Workers, cores
from keras_acl.inference.archive.worker import ArchiveWorker
from keras_acl.system.printable import shortened
from keras_acl.system.without_telemetry import import_without_telemetry

logger = logging.getLogger("keras_acl")
MISSING = 'Archives are classified by Ray: pip install "keras-acl[ray]"'
STORE = 256 * 2**20  # bytes of shared memory; rows are small
# Read by Ray when it is imported or started.
LOOPBACK = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0"}  # its servers listen on 127.0.0.1
PATIENCE = 10.0  # seconds that a cluster may take to answer
QUIET = {
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # what its daemons say would go to standard output
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # a CPU's worker leaves CUDA_VISIBLE_DEVICES alone
}
PASSED_ON = (
    *("KERAS_BACKEND", "KERAS_HOME", "TF_CPP_MIN_LOG_LEVEL"),
    *("JAX_PLATFORMS", "KERAS_TORCH_DEVICE"),
)
NO_GPU = {"CUDA_VISIBLE_DEVICES": "-1"}


class RayPool:
    """Actors of a Ray that is connected.

    Args:
        ray: The module.
        make: Takes the threads of a worker, and returns the arguments of `ArchiveWorker`.
        count: Number of workers. None: one for each GPU, or for each machine.

    Attributes:
        size: Number of workers.

    Raises:
        ValueError: If the machines have not so many cores.
    """

    def __init__(self, ray, make: Callable[[int], tuple], count: int | None) -> None:
        self._ray = ray
        nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        nodes = [node for node in nodes if node.get("CPU", 0) >= 1]
        cpus, gpus = (int(sum(node.get(kind, 0) for node in nodes)) for kind in ("CPU", "GPU"))
        if os.environ.items() >= NO_GPU.items():
            gpus = 0
        self.size = count or gpus or len(nodes)
        if self.size > cpus:
            raise ValueError(f"{self.size} workers need a core each, and Ray has {cpus}.")
        each = -(-self.size // len(nodes))  # on a machine
        threads = max(1, int(min(node["CPU"] for node in nodes)) // each)
        options = {"num_cpus": threads, "max_restarts": 0, "scheduling_strategy": "SPREAD"}
        if gpus:
            options["num_gpus"] = min(1.0, gpus / self.size)
        self._actor = ray.remote(ArchiveWorker).options(**options)
        self._arguments = make(threads)

    def start(self) -> Any:
        """Start a worker; where there is no room for it yet, it comes later."""
        return self._actor.remote(*self._arguments)

    def load(self, worker: Any) -> Any:
        """Have it load the model."""
        return worker.load.remote()

    def classify(self, worker: Any, items: Sequence[Item]) -> Any:
        """Have it classify videos."""
        return worker.classify.remote(tuple(items))

    def wait(self, tickets: Sequence[Any]) -> Any:
        """The first ticket whose result is there."""
        [ready], _ = self._ray.wait(list(tickets), num_returns=1)
        return ready

    def result(self, ticket: Any) -> Any:
        """The result; raises what the work raised, or `WorkerDeathError`."""
        errors = self._ray.exceptions
        try:
            return self._ray.get(ticket)
        except (errors.RayActorError, errors.OutOfMemoryError, errors.ObjectLostError) as error:
            logger.debug("A worker ended: %s", error)
            lines = [line.strip() for line in str(error).splitlines() if line.strip()]
            # Of an error in a trace, the last line; of a death, the first.
            said = lines[-1 if "Traceback" in str(error) else 0]
            raise WorkerDeathError(shortened(said)) from error
        except errors.RayTaskError as error:
            raise (error.cause or error) from None


@contextlib.contextmanager
def ray_pool(workers: Workers, model: str, options: Any) -> Iterator[RayPool]:
    """Connect to Ray, or start one on this machine; it ends with the work.

    Where the program has connected to a Ray before, that one is used and left running.

    Args:
        workers: How many, and where.
        model: Name of the model.
        options: What is computed, `ArchiveOptions`.

    Raises:
        ImportError: If Ray is not installed.
        ConnectionError: If there is no cluster at the address.
    """
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    if workers.address is None:
        os.environ.update(LOOPBACK)
        # What else is on this machine must not give it orders. Set after Ray was imported, only
        # one half of it would ask for the token.
        if "ray" not in sys.modules:
            os.environ.setdefault("RAY_AUTH_MODE", "token")
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray = import_without_telemetry("ray")
    except ImportError as error:
        raise ImportError(MISSING) from error
    environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if os.environ.items() >= NO_GPU.items():
        environment |= NO_GPU

    def make(threads: int) -> tuple:
        return model, options, threads, environment | {"OMP_NUM_THREADS": str(threads)}

    before = ray.is_initialized()
    if not before:
        _connect(ray, workers)
    try:
        yield RayPool(ray, make, workers.count)
    finally:
        if not before:
            ray.shutdown()


def _connect(ray, workers: Workers) -> None:
    quiet = {"log_to_driver": False, "logging_level": logging.CRITICAL}
    if workers.address is None:
        ray.init(
            address="local",
            num_cpus=max(cores(), workers.count or 1),
            include_dashboard=False,
            object_store_memory=STORE,
            _node_ip_address="127.0.0.1",
            **quiet,
        )
        return
    try:
        # Where nothing answers, Ray ends the process.
        host, _, port = workers.address.rpartition("/")[2].rpartition(":")
        if host and port.isdecimal():
            socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
        ray.init(address=workers.address, **quiet)
    except (OSError, OverflowError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise ConnectionError(f"No Ray cluster answers at {workers.address}: {reason}") from error
