"""Where the time of one inference goes: each kind of convolution against the machine's matrix rate.

Profiles the optimised R50 4x16 on one 224 clip with TensorFlow's profiler, one operation at a time
so that their times add up (the streams otherwise run side by side), and sums up by stream and
kernel. Writes results/inference_layers.json.

    python examples/benchmarks/inference_layers.py
"""

import argparse
import collections
import os
import re
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_acl import optimize
from keras_acl.layers import PaddedConv3D
from keras_acl.speed.cost import count_multiply_adds, layer_costs
from keras_acl.speed.throughput import matrix_products

import measuring
import numpy as np
import tensorflow as tf
from inference import network

# The operation that a convolution is fused into has the name of the last of its parts.
LAST_PARTS = {"relu": "conv", "out": "c_conv"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--small", action="store_true", help="a tiny network, to try the script")
    parser.add_argument("--output", type=Path, default=measuring.RESULTS)
    options = parser.parse_args()
    one_at_a_time()
    model = optimize(network(options.small), "float32")
    shape = (1, model.clip.frames, model.clip.size, model.clip.size, 3)
    clips = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    work = count_multiply_adds(model, model.clip.size)
    product = matrix_products(work)
    times, seconds = operation_times(
        lambda: model.predict_on_batch(clips), product, options.repeats
    )
    rate = work / seconds
    rows = table(model, times, rate)
    about = {"network": "small" if options.small else "R50", "matrix_multiply_adds_a_s": rate}
    measuring.save("inference_layers", rows, options.output, **about)


def one_at_a_time() -> None:
    """Let no two operations run side by side; before TensorFlow runs the first."""
    tf.config.threading.set_inter_op_parallelism_threads(1)


def operation_times(network, product, repeats: int) -> tuple[dict[str, float], float]:
    """Milliseconds of the network by `name:type` of the operation, and seconds of the product.

    Medians of calls in turn, as the speed of a machine changes.
    """
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    seconds = []
    network(), product()
    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(repeats):
            network()
            started = time.perf_counter()
            product()
            seconds.append(time.perf_counter() - started)
        tf.profiler.experimental.stop()
        [file] = Path(folder).rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    times = collections.defaultdict(list)
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                if re.fullmatch(r"[\w/.-]+:\w+", name):  # no function of the runtime
                    times[name].append(event.duration_ps / 1e9)
    medians = {name: statistics.median(ms) * len(ms) / repeats for name, ms in times.items()}
    return medians, statistics.median(seconds)


def table(model, milliseconds: dict[str, float], rate: float) -> list[dict]:
    """Kinds of operations, the slowest first, and all together."""
    work = {cost.name: cost.multiply_adds for cost in layer_costs(model, model.clip.size)}
    streams = (model.spatial_stream, model.temporal_stream)
    layers = {
        f"{stream.name}/{layer.name}": layer
        for stream in streams
        for layer in stream.layers
        if isinstance(layer, PaddedConv3D)
    }
    kinds = collections.defaultdict(lambda: np.zeros(3))  # operations, multiply-adds, ms
    for name, taken in milliseconds.items():
        path, _, kind = name.partition(":")
        found = layer_of(path)
        if found in layers:  # with its bias, activation and sum, where they are not fused
            kernel = "×".join(map(str, layers[found].kernel_size))
            counted = (1, work[found]) if "Conv" in kind else (0, 0)
            kinds[f"{found.partition('_')[0]} {kernel}"] += (*counted, taken)
        else:
            kinds["all else"] += (0, 0, taken)
    rows = sorted(kinds.items(), key=lambda row: -row[1][2])
    rows.append(("all", np.sum(list(kinds.values()), axis=0)))
    return [
        {
            "convolutions": name,
            "layers": int(count),
            "10⁹ multiply-adds": work / 1e9,
            "ms": taken,
            "of the floor": taken * rate / work / 1e3 if work else "",
            "ms above the floor": taken - 1e3 * work / rate,
        }
        for name, (count, work, taken) in rows
    ]


def layer_of(path: str) -> str:
    """`stream/layer` of the convolution that an operation is, by the operation's name."""
    scopes = [re.sub(r"_\d+$", "", scope) for scope in path.split("/")]
    place = next((i for i, scope in enumerate(scopes) if scope.endswith("_stream")), None)
    if place is None or place + 1 == len(scopes):
        return ""
    front, _, last = scopes[place + 1].rpartition("_")
    return f"{scopes[place]}/{front}_{LAST_PARTS.get(last, last)}"


if __name__ == "__main__":
    main()
