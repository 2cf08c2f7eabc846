"""ClipSpec: the clip that a model takes."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class ClipSpec:
    """The clip a model expects; the one place where frames, span, rate and size stand.

    A clip of the SlowFast 4x16 shapes covers 64 frames of a 30 fps video (2.1 s), 32 of which
    reach the model.

    Args:
        frames: Frames handed to the model (the temporal stream sees all of them).
        span: Frames of the source, counted at `fps`, that the clip covers (τ·T).
        fps: Frames per second at which `span` is counted. Videos of another rate are resampled.
        size: Height and width of a training crop in pixels.
        segments: Whether the frames are spread over the whole video, one out of each of `frames`
            equal parts, as TSN and ECO see it. `span` is then that of a window, where one is looked
            at instead of a video: timelines, live sources and overlays.

    Raises:
        ValueError: If a value is not positive or `segments` no bool, or `span` is smaller than
            `frames`.
    """

    frames: int = 32
    span: int = 64
    fps: float = 30.0
    size: int = 224
    segments: bool = False

    def __post_init__(self) -> None:
        for name in ("frames", "span", "fps", "size"):
            value = getattr(self, name)
            if not value > 0:
                raise ValueError(f"ClipSpec.{name} must be positive. Received: {name}={value!r}")
        if not isinstance(self.segments, bool):
            raise ValueError(
                f"ClipSpec.segments is True or False. Received: segments={self.segments!r}"
            )
        if self.span < self.frames:
            raise ValueError(
                "A clip cannot hold more frames than it covers: expected span >= frames. "
                f"Received: frames={self.frames}, span={self.span}"
            )

    def to_dict(self) -> dict[str, int | float | bool]:
        """The fields for JSON; `segments` only where it is True, as no file needs it otherwise."""
        fields = dataclasses.asdict(self)
        return fields if self.segments else {k: v for k, v in fields.items() if k != "segments"}

    @property
    def seconds(self) -> float:
        """Length of the video that one clip, or one window, covers."""
        return self.span / self.fps

    @property
    def test_size(self) -> int:
        """Short side at which videos are tested: 256 for a 224 training crop."""
        return round(self.size * 8 / 7)
