"""What training on Kinetics-400 needs of 1, 8 and 64 devices, from three measured numbers.

    python examples/train_kinetics400/scaling.py
    python examples/train_kinetics400/scaling.py --clips-per-second 120 --reading 25

Clips a second of one device in training and of one core in reading are what
`train_kinetics400.py --rehearse` measures on your machine. By default the first is a range, as no
GPU has been measured, and the second is that of benchmarks/results/avx2/data.json. The devices of a
host share its network; those of one host exchange gradients by links that are not counted here.
"""

import argparse
import dataclasses
import json
import math
from collections.abc import Sequence
from pathlib import Path

from keras_acl.speed.architectures import ARCHITECTURES

MEASURED = Path(__file__).parents[1] / "benchmarks" / "results" / "avx2" / "data.json"
VIDEOS, EPOCHS, CLASSES = 234_643, 196, 400  # Facebook's copy, PySlowFast's recipe
NETWORK = "AC + SCAM 4x16 R50 (the paper's)"
DEVICES_A_HOST = 8
EXCHANGE = 0.1  # share of a step that exchanging gradients may take
HEADER = (
    "devices",
    "clips/s a device",
    "hours",
    "cores a host, as they are",
    "shrunk",
    "clips a step",
    "Gbit/s between hosts",
)


@dataclasses.dataclass(frozen=True)
class Job:
    """A training run on some devices.

    Args:
        devices: Devices in all.
        rate: Clips a second that one of them trains.
        batch: Clips of a step of one of them.
    """

    devices: int
    rate: float
    batch: int = 8

    @property
    def hours(self) -> float:
        """All epochs, if nothing waits."""
        return EPOCHS * VIDEOS / (self.devices * self.rate) / 3600

    @property
    def step(self) -> float:
        """Seconds of a step."""
        return self.batch / self.rate

    @property
    def hosts(self) -> int:
        """Machines that hold the devices."""
        return math.ceil(self.devices / DEVICES_A_HOST)

    def cores(self, reading: float) -> int:
        """Cores of a host, of which each reads `reading` clips a second, so that nothing waits."""
        return math.ceil(self.devices / self.hosts * self.rate / reading)

    def gigabits(self, parameters: int) -> float:
        """Gbit/s from host to host, if exchanging gradients is to take EXCHANGE of a step.

        A ring sends 2 (n − 1) / n of the gradients, float32, over each host's link.
        """
        sent = 2 * (self.hosts - 1) / self.hosts * 4 * parameters
        return 8 * sent / (EXCHANGE * self.step) / 1e9


def parameters() -> int:
    """Trainable parameters of the paper's network."""
    return ARCHITECTURES[NETWORK].cost(NETWORK, CLASSES, 256).parameters


def reading_rates() -> tuple[float, float]:
    """Clips a second that one of two cores reads, of files as they are and shrunk, as measured."""
    rows = json.loads(MEASURED.read_text(encoding="utf-8"))["rows"]
    found = {
        row["files"]: row["clips/s"] for row in rows if row["reader"] == "keras-acl, 2 threads"
    }
    return found["as they are"] / 2, found["shrunk"] / 2


def table(rates: Sequence[float], reading: Sequence[float], batch: int = 8) -> str:
    """The table of the page, in Markdown."""
    count, lines = parameters(), [HEADER, ("---",) * len(HEADER)]
    for devices in (1, 8, 64):
        for rate in rates:
            job = Job(devices, rate, batch)
            lines.append(
                (
                    f"{devices}",
                    f"{rate:g}",
                    f"{job.hours:,.1f}",
                    *(f"{job.cores(each)}" for each in reading),
                    f"{devices * job.batch}",
                    f"{job.gigabits(count):.0f}" if job.hosts > 1 else "",
                )
            )
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    rate_help = "that one device trains"
    parser.add_argument(
        "--clips-per-second", type=float, nargs="+", default=[50, 100, 200], help=rate_help
    )
    reading_help = "clips a second that one core reads, of files as they are and shrunk"
    parser.add_argument(
        "--reading", type=float, nargs=2, default=reading_rates(), help=reading_help
    )
    batch_help = "clips of a step of one device"
    parser.add_argument("--batch", type=int, default=8, help=batch_help)
    options = parser.parse_args()
    if min(*options.clips_per_second, *options.reading, options.batch) <= 0:
        parser.error("expected rates and a batch above 0")
    print(table(options.clips_per_second, options.reading, options.batch))


if __name__ == "__main__":
    main()
