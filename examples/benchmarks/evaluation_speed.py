"""Views a second of an evaluation on a CPU: by Keras, by OpenVINO, and by OpenVINO in int8.

Evaluates the R50 4x16 on the same videos, the contenders in turn after a pass that compiles; the
scores of Keras and OpenVINO are compared. Decoding is part of it, as it is of every evaluation.

    pip install "keras-acl[deploy,quantize]"
    python examples/benchmarks/evaluation_speed.py --videos FOLDER
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_acl
from keras_acl.evaluation import evaluate_views
from keras_acl.video.files import find_videos

import measuring
import numpy as np
from data_files import write_videos
from inference import network
from inference_contenders import BASE, FILES, INT8, OPENVINO, quantize

TOLERANCE = 1e-4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--videos", type=Path, help="a folder of videos; made ones by default")
    parser.add_argument("--count", type=int, default=8, help="videos to evaluate")
    parser.add_argument("--clips", type=int, default=2)
    parser.add_argument("--crops", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_HOME"] = folder  # where an engine is kept
        if options.videos is None:
            write_videos(Path(folder) / "made", options.count, (2, 3))
        videos = find_videos(options.videos or Path(folder) / "made")[: options.count]
        models = contenders(network(options.small), Path(folder))
        calls = {
            name: lambda model=model: evaluate_views(model, videos, options.clips, options.crops)
            for name, model in models.items()
        }
        check(calls)
        timed = {name: measuring.timed(call) for name, call in calls.items()}
        times = measuring.in_turn(timed, options.repeats)
    views = len(videos) * options.clips * options.crops
    rows = [
        {
            "contender": name,
            "views/s": views / float(np.median(seconds)),
            f"times {BASE}": measuring.ratio(times, name, BASE),
        }
        for name, seconds in times.items()
    ]
    network_name = "small" if options.small else "R50"
    measuring.save("evaluation_speed", rows, options.output, network=network_name)


def contenders(model, folder: Path) -> dict:
    """The network, and as the engine runs it."""
    quantize(model, folder)
    return {
        BASE: model,
        OPENVINO: keras_acl.optimize(model, "float32", engine="openvino"),
        INT8: keras_acl.load_model(folder / FILES[INT8]),
    }


def check(calls) -> None:
    """Compile everything, and compare scores.

    Raises:
        SystemExit: If OpenVINO's are others than those of Keras.
    """
    scores = {name: call().probabilities for name, call in calls.items()}
    difference = np.abs(scores[OPENVINO] - scores[BASE]).max()
    print(f"{OPENVINO}'s scores differ by {difference:.1e} at most")
    if not difference < TOLERANCE:
        raise SystemExit(f"{OPENVINO} does not compute what {BASE} computes")


if __name__ == "__main__":
    main()
