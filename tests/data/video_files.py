"""Tiny real video files whose frames can be recognised after compression.

Test modules beside this file import it directly: `from video_files import numbered_frames`.
"""

import struct
import wave
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

GRAY_STEP = 3
MAX_NUMBER = 80  # 7 + 3 * 80 = 247
FINE = {"libx264": {"preset": "ultrafast", "qp": "4"}, "libvpx-vp9": {"crf": "4", "cpu-used": "8"}}


def numbered_frames(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Frames (count, height, width, 3) uint8; frame n is plain gray of level 7 + 3n.

    Any crop, flip or resize of such a frame still tells its number. Numbers wrap after 80.
    """
    levels = 7 + GRAY_STEP * (np.arange(count) % (MAX_NUMBER + 1))
    frames = np.broadcast_to(levels[:, None, None, None], (count, height, width, 3))
    return np.ascontiguousarray(frames, dtype=np.uint8)


def gray_to_number(frame: np.ndarray) -> int:
    """The number of one decoded frame (H, W, 3) of `numbered_frames`."""
    return round((float(np.mean(frame)) - 7) / GRAY_STEP)


def gray_to_numbers(frames: np.ndarray) -> list[int]:
    """The numbers of decoded frames (T, H, W, 3)."""
    return [gray_to_number(frame) for frame in frames]


def write_video(
    path: Path | str,
    frames: np.ndarray,
    fps: float | Fraction = 30,
    rotation: int = 0,
    codec: str = "libx264",
    pts: list[int] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Write frames (T, H, W, 3) uint8, H and W even, and return the path.

    Args:
        path: Path of the file; the suffix chooses the container (.mp4, .mov, .mkv, .avi).
        frames: RGB frames.
        fps: Frames per second; 29.97 may be given as `Fraction(30000, 1001)`.
        rotation: Clockwise degrees, 0, 90, 180 or 270, by which a player has to turn the stored
            frames to show them upright (.mp4 and .mov only).
        codec: FFmpeg's name of the encoder.
        pts: Time of each frame in units of 1/fps; 0, 1, 2, ... by default.
        options: Options of the encoder; by default such that gray levels survive.
    """
    path = Path(path)
    rate = Fraction(fps).limit_denominator(1001)
    with av.open(str(path), "w") as container:
        if options is None:
            options = FINE.get(codec, {"qmin": "1", "qmax": "1"})
        stream = container.add_stream(codec, rate=rate, options=options)
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 1
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts = number if pts is None else pts[number]
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    if rotation:
        _set_rotation(path, rotation)
    return path


def damage(path: Path, offset: int = 2500, length: int = 200) -> None:
    """Overwrite bytes of the pictures of an mp4; by default far behind the first frames."""
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + offset
    data[start : start + length] = b"\xff" * length
    path.write_bytes(data)


def write_sound(path: Path) -> None:
    """Write a file of sound, without video."""
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(bytes(8000))


def _set_rotation(path: Path, degrees: int) -> None:
    """Write a turned display matrix into the track header, as a phone does."""
    data = bytearray(path.read_bytes())
    matrix = data.index(b"tkhd") + 44  # behind times, track, duration, layer and volume
    cosine, sine = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    one = 1 << 16
    turned = (cosine * one, sine * one, 0, -sine * one, cosine * one, 0, 0, 0, 1 << 30)
    data[matrix : matrix + 36] = struct.pack(">9i", *turned)
    path.write_bytes(bytes(data))
