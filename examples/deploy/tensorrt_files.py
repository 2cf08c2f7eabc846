"""A model as ONNX files for TensorRT, in float16 and int8, compared with float32.

TensorRT 11 computes in the precisions that a file names, so these have to be in it. Its int8 wants
2D convolutions, ranges around zero, weights of the whole eight bits behind a pair of nodes, and
float32 biases. There was no TensorRT here: what the files compute is checked by ONNX Runtime, node
by node as they are written. (Its int8 kernels would not do: on processors without VNNI they add
products of eight bits up in 16, which overflow.)

    pip install "keras-acl[deploy]"
    python examples/deploy/tensorrt_files.py demo OUT
    python examples/deploy/tensorrt_files.py MODEL OUT --videos VIDEOS
    trtexec --onnx=OUT/float16.onnx --shapes=clip:8x32x224x224x3    # of the R50: eight clips

MODEL is what `keras-acl export` takes, OUT a folder, VIDEOS a folder of videos like those to come;
without it, figures like those that `demo` was trained on.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_acl
from keras_acl.data import MovingFigures
from keras_acl.data.sources import list_videos
from keras_acl.pretrained import load_any
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.video import DecodingError

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process
from onnxruntime.transformers.float16 import convert_float_to_float16

FILES = ("float32.onnx", "float16.onnx", "int8.onnx")
# What `demo` was trained on, see train_demo.py.
FIGURES = MovingFigures(task="appearance_motion", distractors=3, frames=32, size=80)
FIGURES_A_CLASS = 12
TENSORRT = {
    "ActivationSymmetric": True,
    "WeightSymmetric": True,
    "AddQDQPairToWeight": True,
    "DedicatedQDQPair": True,
    "QuantizeBias": False,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", help="what `keras-acl export` takes")
    parser.add_argument("out", type=Path, help="a folder for the files")
    parser.add_argument("--videos", type=Path, help="a folder of videos, half to calibrate with")
    parser.add_argument("--clips", type=int, default=300, help="clips to calibrate with, at most")
    parser.add_argument("--maps", action="store_true", help="return both attention maps, too")
    options = parser.parse_args()
    try:
        make(options)
    except (ValueError, OSError, ImportError) as error:
        sys.exit(f"Error: {error}")


def make(options) -> None:
    model = load_any(options.model)
    with tempfile.TemporaryDirectory() as folder:
        if options.videos is None:
            FIGURES.write(folder, FIGURES_A_CLASS, seed=3)
        seen, held = read_clips(options.videos or Path(folder), model.clip, options.clips)
    options.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.out) as folder:
        float32, float16, int8 = files = [Path(folder, name) for name in FILES]
        keras_acl.export(model, float32, maps=options.maps, form="2d")
        onnx.save(convert_float_to_float16(onnx.load(float32), keep_io_types=True), float16)
        write_int8(float32, int8, seen)
        logits = [run_as_written(file, held) for file in files]
        for file in files:
            os.replace(file, options.out / file.name)
    print(f"{'file':<14}{'MB':>8}{'agreement':>12}{'worst logit':>13}   of {len(held)} clips")
    for name, found in zip(FILES, logits, strict=True):
        agreement = np.mean(found.argmax(1) == logits[0].argmax(1))
        worst = np.abs(found - logits[0]).max()
        size = (options.out / name).stat().st_size / 1e6
        print(f"{name:<14}{size:>8.2f}{agreement:>12.4f}{worst:>13.3f}")


def read_clips(folder: Path, clip, count: int) -> tuple[np.ndarray, np.ndarray]:
    """A clip of each video: those to calibrate with, and those to compare on."""
    videos = list_videos([folder])
    order = np.random.default_rng(0).permutation(len(videos))[: 2 * count]
    read = [
        found for found in (read_one(videos[place], clip) for place in order) if found is not None
    ]
    if len(read) < 2:
        raise ValueError(f"Expected two videos at least that can be read. Received: {folder}")
    half = len(read) // 2
    return np.stack(read[half:]), np.stack(read[:half])


def read_one(video, clip) -> np.ndarray | None:
    try:
        return read_uniform_clips(video, clip, 1)[0]
    except DecodingError as error:
        print(f"Left out: {error}")
        return None


class Clips(CalibrationDataReader):
    """Clips, one at a time."""

    def __init__(self, clips: np.ndarray):
        self.clips: Iterator[np.ndarray] = iter(clips)

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next clip, as a batch of one; `None` behind the last."""
        clip = next(self.clips, None)
        return None if clip is None else {"clip": clip[None]}


def write_int8(float32: Path, int8: Path, clips: np.ndarray) -> None:
    """Put pairs of QuantizeLinear and DequantizeLinear around what the convolutions take."""
    prepared = int8.with_name("prepared.onnx")
    quant_pre_process(float32, prepared, skip_symbolic_shape=True)
    quantize_static(
        prepared,
        int8,
        Clips(clips),
        op_types_to_quantize=["Conv"],
        per_channel=True,
        activation_type=QuantType.QInt8,
        weight_type=QuantType.QInt8,
        extra_options=TENSORRT,
    )
    # The quantiser drops what the file says of itself.
    model = onnx.load(int8)
    told = {each.key: each.value for each in onnx.load(float32).metadata_props}
    onnx.helper.set_model_props(model, told)
    onnx.save(model, int8)


def run_as_written(file: Path, clips: np.ndarray) -> np.ndarray:
    """Logits of clips, without the runtime's own kernels for pairs of nodes."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    return np.concatenate([session.run(["logits"], {"clip": clip[None]})[0] for clip in clips])


if __name__ == "__main__":
    main()
