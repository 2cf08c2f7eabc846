"""What is computed of each video of an archive, and by whom."""

import dataclasses
import os


@dataclasses.dataclass(frozen=True)
class ArchiveOptions:
    """What is computed of each video.

    Args:
        clips: Clips of a video, spread over its length, whose scores are averaged.
        features: Whether to keep what the dense layer sees, averaged over the clips.
        per_stream: Whether to keep what each stream says alone.
        precision: `"float32"`, `"bfloat16"` or `"float16"`; None for the model's own.
        engine: `"auto"`, `"keras"` or `"openvino"`, see `optimize`.
        batch_size: Clips computed at once.
        retry_bad: Whether to do those parts again that have videos which could not be read, as
            after a failure of the network.

    Raises:
        ValueError: If a number is not positive.
    """

    clips: int = 3
    features: bool = False
    per_stream: bool = False
    precision: str | None = None
    engine: str = "auto"
    batch_size: int = 8
    retry_bad: bool = False

    def __post_init__(self) -> None:
        if self.clips < 1 or self.batch_size < 1:
            raise ValueError(
                "Expected a clip and a batch of at least one. "
                f"Received: clips={self.clips}, batch_size={self.batch_size}"
            )

    def compared(self) -> dict[str, object]:
        """Those that the results depend on: engines agree within 1e-4, batches altogether."""
        free = ("engine", "batch_size", "retry_bad")
        return {key: value for key, value in dataclasses.asdict(self).items() if key not in free}


@dataclasses.dataclass(frozen=True)
class Workers:
    """Who computes.

    Args:
        count: Processes. None: one for each GPU, or one for each machine if there is none; a
            process uses all the cores that are left to it.
        address: Address of a Ray cluster, such as `"auto"` or `"head:6379"`. None: this machine
            alone, by a Ray that is started for the work and listens on the loopback address only.

    Raises:
        ValueError: If there is no process, or the address is empty.
    """

    count: int | None = None
    address: str | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise ValueError(f"Expected at least one worker. Received: {self.count}")
        if self.address is not None and not self.address.strip():
            raise ValueError("The address of the cluster is empty. Expected such as head:6379")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
