"""What int8 costs in answers and saves in size and time: float32 and int8 of each format.

By default the preset `demo` on its own test videos, 480 new ones, calibrated on 300 others; with
--model, --videos and --test any other model. bfloat16 is among them where the processor has it.

    pip install "keras-acl[quantize]"
    python examples/benchmarks/quantization.py
    python examples/benchmarks/quantization.py --model RUN --videos CSV --test CSV --name lips

Takes about 10 minutes on two cores.
"""

import argparse
import os
import statistics
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_acl
from keras_acl.data import MovingFigures, VideoList, read_csv, read_directory
from keras_acl.engines.runtimes import runtime_of
from keras_acl.inference.predict import clips_ahead
from keras_acl.pretrained import load_any
from keras_acl.system.without_telemetry import import_without_telemetry

import measuring
import numpy as np

# What `demo` was trained and tested on, see train_demo.py.
FIGURES = MovingFigures(task="appearance_motion", distractors=3, frames=32, size=80)
TEST_SEED = 1000
ENDINGS = (".xml", ".onnx", ".tflite")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="demo", help="what `keras-acl quantize` takes")
    parser.add_argument("--videos", type=Path, help="a folder or CSV to calibrate on")
    parser.add_argument("--test", type=Path, help="class folders or a CSV to compare on")
    parser.add_argument("--clips", type=int, default=300, help="clips to calibrate on")
    parser.add_argument("--count", type=int, default=30, help="test videos a class of demo")
    parser.add_argument("--formats", nargs="+", default=ENDINGS, choices=ENDINGS)
    parser.add_argument("--name", default="demo", help="of the network, in the result")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    model = load_any(options.model)
    with tempfile.TemporaryDirectory() as folder:
        videos, test = options.videos, options.test
        if videos is None:
            videos, test = Path(folder, "videos"), Path(folder, "test")
            FIGURES.write(videos, -(-options.clips // len(FIGURES.labels)), seed=0)
            FIGURES.write(test, options.count, seed=TEST_SEED)
        rows = []
        for ending in options.formats:
            file = Path(folder, f"model{ending}")
            result = keras_acl.quantize(
                model, videos, file, clips=options.clips, evaluate=test, accept=True
            )
            rows += rows_of(result)
            if ending == ".xml" and has_bfloat16():
                rows.append(bfloat16(model, labelled(test, model.labels), Path(folder)))
    name = f"quantization_{options.name}"
    clips = {"calibration clips": result.calibration_clips, "test clips": result.compared_clips}
    measuring.save(name, rows, options.output, network=options.name, **clips)


def rows_of(result) -> list[dict]:
    """Rows of float32 and int8; both were timed in turn."""
    rows = []
    for precision in ("float32", "int8"):
        figures = getattr(result, precision)
        rows.append(
            {
                "format": result.format,
                "precision": precision,
                "MB": figures.megabytes,
                "ms a clip": figures.milliseconds,
                "times float32": result.float32.milliseconds / figures.milliseconds,
                "peak MiB": figures.peak_memory,
                "agreement": 1.0 if precision == "float32" else result.agreement,
                "worst logit": 0.0 if precision == "float32" else result.worst_logit,
                "largest logit": result.largest_logit,
                "accuracy": figures.accuracy,
            }
        )
    return rows


def has_bfloat16() -> bool:
    """Whether OpenVINO computes in it on this processor."""
    core = import_without_telemetry("openvino").Core()
    if "BF16" in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return True
    print("bfloat16 is left out: this processor has none")
    return False


def labelled(test: Path, labels) -> VideoList:
    return read_csv(test, labels) if test.suffix == ".csv" else read_directory(test, labels)


def bfloat16(model, videos: VideoList, folder: Path) -> dict:
    """The row of the float32 file, computed in bfloat16."""
    file = keras_acl.export(model, folder / "plain" / "model.xml").path
    runs = {name: runtime_of(file, precision=name).run for name in ("float32", "bfloat16")}
    logits, truth = {name: [] for name in runs}, []
    for place, clips in clips_ahead(videos, model.clip, 1):
        truth.append(videos[place].label)
        for name, run in runs.items():
            logits[name].append(run(clips)["logits"][0])
    times = measuring.in_turn(
        {name: measuring.timed(lambda run=run: run(clips)) for name, run in runs.items()}
    )
    plain, rough = (np.array(logits[name]) for name in runs)
    return {
        "format": "OpenVINO IR",
        "precision": "bfloat16",
        "ms a clip": 1000 * statistics.median(times["bfloat16"]),
        "times float32": measuring.ratio(times, "bfloat16", "float32"),
        "agreement": float((plain.argmax(axis=1) == rough.argmax(axis=1)).mean()),
        "worst logit": float(np.abs(plain - rough).max()),
        "largest logit": float(np.abs(plain).max()),
        "accuracy": float((rough.argmax(axis=1) == truth).mean()),
    }


if __name__ == "__main__":
    main()
