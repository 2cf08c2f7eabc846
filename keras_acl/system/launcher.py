"""Which of several processes this one is, as the launcher says in the environment."""

import os
from typing import NamedTuple


class Launch(NamedTuple):
    """One of the processes that a launcher started together.

    Args:
        index: Number of this one, from 0.
        count: Number of all.
        address: `host:port` at which they meet; None where JAX finds it by itself.
    """

    index: int
    count: int
    address: str | None


# Names of (index, count): Keras' own first, as whoever sets those means them.
KERAS = ("KERAS_DISTRIBUTION_PROCESS_ID", "KERAS_DISTRIBUTION_NUM_PROCESSES")
ADDRESS = "KERAS_DISTRIBUTION_JOB_ADDRESSES"
OTHERS = (
    ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS"),  # a step of srun
    ("OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE"),  # Open MPI's mpirun
)


def launch() -> Launch:
    """This process among those that were started together; (0, 1) where it is alone.

    Known are Keras' `KERAS_DISTRIBUTION_JOB_ADDRESSES` (the first address counts),
    `KERAS_DISTRIBUTION_NUM_PROCESSES` and `KERAS_DISTRIBUTION_PROCESS_ID`, then the variables of
    SLURM's `srun` and of Open MPI.

    Raises:
        ValueError: If a variable is missing, or not what it should be.
    """
    given = [name for name in (*KERAS, ADDRESS) if os.environ.get(name)]
    if given:
        missing = {*KERAS, ADDRESS} - set(given)
        if missing:
            raise ValueError(
                f"{', '.join(given)} is set, {', '.join(sorted(missing))} is not: processes that "
                "train together need all three."
            )
        return Launch(*_numbers(*KERAS), _address())
    for names in OTHERS:
        if all(os.environ.get(name) for name in names):
            index, count = _numbers(*names)
            return Launch(index, count, None)
    return Launch(0, 1, None)


def _numbers(index_name: str, count_name: str) -> tuple[int, int]:
    texts = [os.environ[name] for name in (index_name, count_name)]
    if all(text.isdecimal() for text in texts):
        index, count = map(int, texts)
        if index < count:
            return index, count
    raise ValueError(
        f"Expected {count_name} to be how many processes there are, and {index_name} one of their "
        f"numbers from 0. Received: {count_name}={texts[1]}, {index_name}={texts[0]}"
    )


def _address() -> str:
    first = os.environ[ADDRESS].split(",")[0].strip()
    host, _, port = first.rpartition(":")
    if not host or not port.isdecimal():
        raise ValueError(
            f"Expected {ADDRESS} to be host:port of the first process, such as 10.0.0.1:1234. "
            f"Received: {os.environ[ADDRESS]}"
        )
    return first
