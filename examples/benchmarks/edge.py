"""What to choose for a small machine: networks by formats and precisions.

Work, size, latency, memory, and how often int8 says what float32 says. Only `demo` is trained; the
time and size of a network do not depend on its weights, its agreement does, so that the others have
none.

    pip install "keras-acl[quantize]"
    python examples/benchmarks/edge.py

Takes about 20 minutes on two cores.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras_acl
from keras_acl import ClipSpec
from keras_acl.data import MovingFigures
from keras_acl.models import TwoStreamClassifier
from keras_acl.speed.cost import count_multiply_adds

import measuring
import quantization

HALF = {"depth": 14, "width": 32}
NETWORKS = {
    "R50, 32 frames of 224": {"clip": ClipSpec(frames=32, span=64, size=224)},
    "R50, 16 frames of 160": {"clip": ClipSpec(frames=16, span=64, size=160)},
    "R14, 16 frames of 160": {"depth": 14, "clip": ClipSpec(frames=16, span=64, size=160)},
    "R14, half as wide, 16 frames of 160": {
        **HALF,
        "clip": ClipSpec(frames=16, span=64, size=160),
    },
    "R14, half as wide, 16 frames of 112": {
        **HALF,
        "clip": ClipSpec(frames=16, span=64, size=112),
    },
}
DEMO = "R11, a quarter as wide, 16 frames of 70: demo"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--formats", nargs="+", default=quantization.ENDINGS)
    parser.add_argument(
        "--small", action="store_true", help="one tiny network, to see that it runs"
    )
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    rows = []
    for name, settings in ({"tiny": measuring.SMALL} if options.small else NETWORKS).items():
        rows += rows_of(name, TwoStreamClassifier(**settings), options)
    if not options.small:
        rows += rows_of(DEMO, keras_acl.load_pretrained("demo"), options)
    measuring.save("edge", rows, options.output)


def rows_of(name: str, model, options) -> list[dict]:
    """A row for each format and precision of a network."""
    multiply_adds = count_multiply_adds(model, model.clip.size) / 1e9
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        videos, test = Path(folder, "videos"), None
        if model.labels:  # it is trained
            test = Path(folder, "test")
            quantization.FIGURES.write(videos, 10, seed=0)
            quantization.FIGURES.write(test, 10, seed=quantization.TEST_SEED)
        else:
            MovingFigures(size=64, frames=32).write(videos, 2)
        for ending in options.formats:
            file = Path(folder, f"model{ending}")
            result = keras_acl.quantize(
                model, videos, file, clips=160 if test else 4, evaluate=test, accept=True
            )
            for row in quantization.rows_of(result):
                kept = ("format", "precision", "MB", "ms a clip", "times float32", "peak MiB")
                made = {"network": name, "10⁹ multiply-adds": multiply_adds}
                made |= {column: row[column] for column in kept}
                if test:
                    made |= {"agreement": row["agreement"], "accuracy": row["accuracy"]}
                rows.append(made)
    return rows


if __name__ == "__main__":
    main()
