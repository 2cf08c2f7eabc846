"""A model in int8 as a file for another engine, compared with float32 before it is there."""

import contextlib
import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_acl.clip import ClipSpec
from keras_acl.data.sources import list_videos, read_csv, read_directory
from keras_acl.data.video_list import VideoList
from keras_acl.engines.class_names import check_same_classes
from keras_acl.engines.metadata import KEY, read_metadata
from keras_acl.inference.export_formats import format_of
from keras_acl.inference.export_metadata import write_metadata
from keras_acl.inference.export_model import check_target, export, folder_for, move
from keras_acl.inference.predict import clips_ahead
from keras_acl.inference.quantize_comparison import Quantized, answers, figures
from keras_acl.inference.quantize_formats import CalibrationClips, check_quantizer, quantize_file
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.system.without_telemetry import import_without_telemetry
from keras_acl.video.video import DecodingError, Video, VideoSource, as_video

LEAST_AGREEMENT = 0.99
INT8_FORMS: dict[str, Literal["2d"]] = {".onnx": "2d"}  # where int8 has no 3D convolutions
REPORT = ".quantization.json"


def quantize(
    model: VideoClassifier,
    videos: str | Path | Sequence[VideoSource],
    path: str | os.PathLike,
    *,
    maps: bool | Literal["all"] = False,
    clips: int = 300,
    evaluate: str | Path | VideoList | None = None,
    accept: bool = False,
    progress: Callable[[int, int], object] | None = None,
) -> Quantized:
    """Write a model in int8; the ending of the path chooses the format.

    `.xml`: OpenVINO, by NNCF. `.onnx`: ONNX with QDQ nodes, by ONNX Runtime. `.tflite`: LiteRT, by
    AI Edge Quantizer. The file takes and returns what that of `keras_acl.export` does, and
    `load_model` loads it. Each layer's range is that of clips of your videos, so these should be
    like those that come later; labels are not used.

    The file is compared with float32 on videos that are not used for this, or on those of
    `evaluate`; without either, on the same clips. It appears only if both agree. The figures go
    into `NAME.quantization.json` beside it.

    Args:
        model: A classifier of this package; it stays as it is.
        videos: A folder of videos, a CSV, or a list of video files.
        path: File to write; one of that name is replaced.
        maps: As in `keras_acl.export`.
        clips: Clips that the ranges come from, spread over the videos.
        evaluate: Videos with labels, which both are compared on: a folder of class folders, a CSV
            (path, label) or a `VideoList`.
        accept: Whether to write it, too, if more than 1 % of the answers are others.
        progress: Called as `progress(done, total)` after each clip that is read, calibrated with or
            compared.

    Returns:
        A `Quantized`; printed, it is a table.

    Raises:
        ValueError: If the ending, `clips`, backend or videos do not fit, no video can be read, or
            more than 1 % of the answers are others.
        ImportError: If a package is missing.
        OSError: If the file cannot be written.

    Example:
        >>> model = keras_acl.load_model("model.keras")
        >>> print(keras_acl.quantize(model, "videos", "model.xml", evaluate="test_videos"))
    """
    path = _checked(model, path)
    calibration = _Videos.spread(_listed(videos, model), clips)
    compared = calibration.others(clips)
    if evaluate is not None:
        compared = _Videos(_labelled(evaluate, model), labelled=True)
    with folder_for(path) as folder:
        steps = _Steps(progress, 2 * len(calibration) + 2 * len(compared or calibration))
        seen = calibration.read(model.clip, folder / "calibration.npy", steps)
        held = compared.read(model.clip, folder / "compared.npy", steps) if compared else seen
        steps.total = steps.done + len(seen.clips) + len(held.clips)  # without what is broken
        return _write(model, path, folder, seen, held, steps, maps, accept)


def _write(
    model: VideoClassifier,
    path: Path,
    folder: Path,
    seen: "_Clips",
    held: "_Clips",
    steps: "_Steps",
    maps: bool | Literal["all"],
    accept: bool,
) -> Quantized:
    """Write the file with clips that were read, in a folder first."""
    plain, rough, done = (folder / name / path.name for name in ("float32", "int8", "done"))
    export(model, plain, maps=maps, form=INT8_FORMS.get(path.suffix))
    for file in (rough, done):
        file.parent.mkdir()
    quantize_file(plain, rough, CalibrationClips(seen.clips, steps))
    result = dataclasses.replace(
        _compare(plain, rough, held, model.multi_label, steps),
        path=path,
        calibration_clips=len(seen.clips),
        held_out=held is not seen,
        skipped=tuple(dict.fromkeys([*seen.skipped, *held.skipped])),
    )
    if not accept:
        _check_agreement(result)
    _write_about(rough, done, read_metadata(plain), result)
    move(done, path)
    os.replace(done.with_suffix(REPORT), path.with_suffix(REPORT))
    return result


def _checked(model, path: str | os.PathLike) -> Path:
    """The path, where the model can be written to it."""
    path = Path(os.path.abspath(path))
    check_quantizer(path.suffix)
    if not isinstance(model, VideoClassifier):
        raise ValueError(
            f"Only a Keras model can be quantised, not what was exported of it. Received: {model!r}"
        )
    format_of(path).check_installed()
    check_target(path)
    return path


@dataclasses.dataclass(frozen=True)
class _Clips:
    """Clips that were read, of which videos, and what could not be read."""

    clips: np.ndarray
    videos: list[Video]
    skipped: list[tuple[str, str]]
    labelled: bool


@dataclasses.dataclass(frozen=True)
class _Videos:
    """Videos, how many clips to read of each, and those that are left."""

    videos: Sequence[Video]
    each: int = 1
    left: Sequence[Video] = ()
    labelled: bool = False

    @classmethod
    def spread(cls, videos: Sequence[Video], clips: int) -> "_Videos":
        """As many as give so many clips, drawn from all of them."""
        if clips < 1:
            raise ValueError(f"Expected at least one clip. Received: clips={clips}")
        order = np.random.default_rng(0).permutation(len(videos))
        drawn = [videos[place] for place in order]
        return cls(drawn[:clips], -(-clips // min(clips, len(drawn))), drawn[clips:])

    def others(self, most: int) -> "_Videos":
        """Those that are left, so many at most, one clip of each."""
        return _Videos(self.left[:most])

    def __len__(self) -> int:
        return len(self.videos) * self.each

    def read(self, clip: ClipSpec, file: Path, steps: Callable[[int], object]) -> _Clips:
        """Read the clips into a file, since they may be too many for the memory."""
        shape = (len(self), clip.frames, clip.size, clip.size, clip.channels)
        clips = np.lib.format.open_memmap(file, "w+", np.uint8, shape)
        kept: list[Video] = []
        skipped = []
        with contextlib.closing(clips_ahead(self.videos, clip, self.each)) as read:
            for place, batch in read:
                video = self.videos[place]
                if isinstance(batch, DecodingError):
                    skipped.append((video.path, batch.reason))
                else:
                    clips[len(kept) : len(kept) + len(batch)] = batch
                    kept += [video] * len(batch)
                steps(self.each)
        if not kept:
            raise ValueError(
                f"None of the {len(skipped)} videos can be read, such as {': '.join(skipped[0])}"
            )
        return _Clips(clips[: len(kept)], kept, skipped, self.labelled)


class _Steps:
    """Counts what is done, for `progress`."""

    def __init__(self, progress: Callable[[int, int], object] | None, total: int):
        self.progress = progress
        self.total = total
        self.done = 0

    def __call__(self, count: int = 1) -> None:
        self.done = min(self.done + count, self.total)
        if self.progress is not None:
            self.progress(self.done, self.total)


def _listed(videos, model: VideoClassifier) -> Sequence[Video]:
    if not isinstance(videos, str | Path):
        found = [as_video(video) for video in videos]
    elif Path(videos).suffix.lower() == ".csv":
        found = list(read_csv(videos, multi_label=model.multi_label))
    else:
        found = list(list_videos([videos]))
    if not found:
        raise ValueError("Expected at least one video. Received: none")
    return found


def _labelled(videos, model: VideoClassifier) -> VideoList:
    """Videos with labels that are the model's.

    Raises:
        ValueError: If they are other ones.
    """
    if isinstance(videos, str | Path):
        if Path(videos).suffix.lower() == ".csv":
            videos = read_csv(videos, model.labels, multi_label=model.multi_label)
        else:
            videos = read_directory(videos, model.labels)
    check_same_classes(videos.labels, model.labels, model.num_classes, "The videos")
    if any(video.label is None for video in videos):
        raise ValueError("Expected a label of every video to evaluate on. Received: None")
    return videos


def _compare(plain: Path, rough: Path, held: _Clips, multi_label: bool, steps) -> Quantized:
    """Run both files on clips."""
    found, times = answers([plain, rough], held.clips, multi_label, steps)
    labels = [video.classes for video in held.videos]
    accuracies = found.accuracies(labels) if held.labelled else (None, None)
    one = plain.with_name("clip.npy")
    np.save(one, held.clips[:1])
    both = [
        figures(file, one, milliseconds, accuracy)
        for file, milliseconds, accuracy in zip((plain, rough), times, accuracies, strict=True)
    ]
    return Quantized(
        path=rough,
        format=format_of(rough).name,
        calibration_clips=0,
        compared_clips=len(held.clips),
        held_out=False,
        agreement=found.agreement(),
        worst_logit=found.worst_logit(),
        largest_logit=float(np.abs(found.float32).max()),
        float32=both[0],
        int8=both[1],
    )


def _check_agreement(result: Quantized) -> None:
    if result.agreement < LEAST_AGREEMENT:
        raise ValueError(
            f"int8 gives another answer than float32 for {1 - result.agreement:.1%} of "
            f"{result.compared_clips} clips, so nothing was written; {1 - LEAST_AGREEMENT:.0%} is "
            "allowed. Calibrate with more clips that are like those to come, or take it as it is: "
            "accept=True, or --accept on the command line."
        )


def _write_about(file: Path, out: Path, metadata: dict[str, Any], result: Quantized) -> None:
    """The file with what it says of itself, and the report."""
    metadata |= {"precision": "int8", "agreement": result.agreement}
    if file.suffix == ".xml":
        openvino = import_without_telemetry("openvino")
        model = openvino.Core().read_model(file)
        model.set_rt_info(json.dumps(metadata), KEY)
        openvino.save_model(model, out, compress_to_fp16=False)
    else:
        shutil.copy(file, out)
        write_metadata(out, metadata)
    out.with_suffix(REPORT).write_text(result.to_json(), encoding="utf-8")
