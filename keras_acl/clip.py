"""ClipSpec: the clip that a model takes."""

import dataclasses

CHANNELS = {"rgb": 3, "flow": 2, "rgb+flow": 5}  # of each modality
LEFT_OUT = {"segments": False, "modality": "rgb", "stack": 1}  # of what is written, if so


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
        modality: `"rgb"`; `"flow"`, the optical flow (u, v) of each frame to the next one, which
            `keras_acl.data.compute_flow` writes; or `"rgb+flow"`, the five channels of both.
        stack: Successive frames of each segment, 5 of TSN's flow; `frames` counts all of them.

    Raises:
        ValueError: If a value is not positive or `segments` no bool, `span` is smaller than
            `frames`, the modality unknown, or `frames` no multiple of `stack`.
    """

    frames: int = 32
    span: int = 64
    fps: float = 30.0
    size: int = 224
    segments: bool = False
    modality: str = "rgb"
    stack: int = 1

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

        if self.modality not in CHANNELS:
            raise ValueError(
                f"Expected a modality of {', '.join(CHANNELS)}. Received: "
                f"modality={self.modality!r}"
            )
        if self.stack < 1 or self.frames % self.stack or (self.stack > 1 and not self.segments):
            raise ValueError(
                "A stack is of frames of one segment: expected segments=True and a number that "
                f"divides frames. Received: stack={self.stack}, frames={self.frames}, "
                f"segments={self.segments}"
            )

    def to_dict(self) -> dict[str, int | float | bool | str]:
        """The fields for JSON; of segments and flow only what no RGB clip of one part has."""
        fields = dataclasses.asdict(self)
        return {k: value for k, value in fields.items() if LEFT_OUT.get(k, ...) != value}

    @property
    def channels(self) -> int:
        """Channels of a frame: 3 of colours, 2 of flow, 5 of both."""
        return CHANNELS[self.modality]

    @property
    def modality_name(self) -> str:
        """The modality in words: "RGB", "flow", "RGB+flow"."""
        return self.modality.replace("rgb", "RGB")

    @property
    def seconds(self) -> float:
        """Length of the video that one clip, or one window, covers."""
        return self.span / self.fps

    @property
    def test_size(self) -> int:
        """Short side at which videos are tested: 256 for a 224 training crop."""
        return round(self.size * 8 / 7)
