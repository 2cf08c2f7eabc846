"""Runtimes of exported files: OpenVINO, ONNX Runtime, LiteRT."""

import importlib
import os
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from keras_acl.system.without_telemetry import import_without_telemetry

INPUT = "clip"
PRECISIONS = ("float32", "bfloat16")
KEPT = 4  # shapes whose compiled form is kept
Outputs = dict[str, np.ndarray]


class Runtime(Protocol):
    """What runs a file.

    Attributes:
        name: What people call it.
        input_shape: Of the batch that the file takes; `None` for what is free.
        precision: What it computes in where the file does not say.
    """

    name: str
    precision: str
    input_shape: tuple[int | None, ...]

    def run(self, clips: np.ndarray) -> Outputs:
        """Outputs by name of a batch; all cores work on it."""
        ...

    def run_many(self, batches: Iterable[np.ndarray]) -> Iterator[Outputs]:
        """Outputs of each batch, in order; several may be computed at a time."""
        ...


def runtime_of(file: Path, **options: Any) -> Runtime:
    """The runtime of a file's format, with the file loaded.

    Args:
        file: `.xml`, `.onnx` or `.tflite`.
        **options: Those of the runtime, see `OpenVINO`.

    Raises:
        ImportError: If its package is missing.
        ValueError: If the file is damaged.
    """
    if (precision := options.get("precision", "float32")) not in PRECISIONS:
        raise ValueError(
            f"Expected `precision` to be one of {PRECISIONS}. Received: precision={precision!r}"
        )
    if precision != "float32" and file.suffix != ".xml":
        raise ValueError(
            f"{file} computes as it was written. A precision is chosen for OpenVINO's .xml only. "
            f"Received: precision={precision!r}"
        )
    try:
        return RUNTIMES[file.suffix](file, **options)
    except ImportError as error:
        raise ImportError(
            f'{file} is run by a package that is missing: pip install "keras-acl[deploy]" ({error})'
        ) from error
    except Exception as error:  # each runtime has errors of its own
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1]
        raise ValueError(f"{file} cannot be loaded, it is damaged: {reason[:200]}") from error


class OpenVINO:
    """Runs OpenVINO IR on the processor.

    A form is compiled for each shape of a batch, as fixed shapes are faster.

    Args:
        file: The `.xml`, its `.bin` beside it.
        precision: `"float32"` or `"bfloat16"`; a file that `quantize` wrote stays int8 either way.
        cache: Folder where what is compiled is kept for the next start.
    """

    name = "OpenVINO"

    def __init__(self, file: Path, precision: str = "float32", cache: Path | None = None):
        self._core = import_without_telemetry("openvino").Core()
        self._model = self._core.read_model(file)
        shape = self._model.inputs[0].partial_shape
        self.input_shape = tuple(None if d.is_dynamic else d.get_length() for d in shape)
        self.precision = precision
        # Without the hint, a processor with bfloat16 computes in that.
        self._options = {"INFERENCE_PRECISION_HINT": {"bfloat16": "bf16"}.get(precision, "f32")}
        if cache is not None:
            self._options["CACHE_DIR"] = str(cache)
        self._compiled: dict[tuple, Any] = {}

    def run(self, clips: np.ndarray) -> Outputs:
        """Outputs by name; latency counts."""
        return _named(self._for(clips.shape, "LATENCY")({INPUT: clips}))

    def run_many(self, batches: Iterable[np.ndarray]) -> Iterator[Outputs]:
        """Outputs of each batch, in order; throughput counts: a request for every few cores."""
        waiting: deque = deque()
        free: dict[tuple, list] = {}
        for batch in batches:
            compiled = self._for(batch.shape, "THROUGHPUT")
            most = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
            while len(waiting) >= most:
                yield _finished(waiting, free)
            spare = free.setdefault(batch.shape, [])
            request = spare.pop() if spare else compiled.create_infer_request()
            request.start_async({INPUT: batch}, share_inputs=False)
            waiting.append((batch.shape, request))
        while waiting:
            yield _finished(waiting, free)

    def _for(self, shape: tuple[int, ...], hint: str):
        """The network, compiled for a shape."""
        key = (*shape, hint)
        if key not in self._compiled:
            if len(self._compiled) >= KEPT:
                del self._compiled[next(iter(self._compiled))]
            model = self._model
            if None in self.input_shape:
                model = model.clone()
                model.reshape(list(shape))
            options = {**self._options, "PERFORMANCE_HINT": hint}
            self._compiled[key] = self._core.compile_model(model, "CPU", options)
        return self._compiled[key]


def _finished(waiting: deque, free: dict[tuple, list]) -> Outputs:
    shape, request = waiting.popleft()
    request.wait()
    outputs = _named(request.results)
    free[shape].append(request)
    return outputs


def _named(results) -> Outputs:
    return {port.any_name: np.array(value) for port, value in results.items()}


class OnnxRuntime:
    """Runs ONNX on the processor, one batch after the other."""

    name = "ONNX Runtime"
    precision = "float32"

    def __init__(self, file: Path, **_):
        runtime = importlib.import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.log_severity_level = 3  # errors
        self._session = runtime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        self._names = [output.name for output in self._session.get_outputs()]
        shape = self._session.get_inputs()[0].shape
        self.input_shape = tuple(d if isinstance(d, int) else None for d in shape)

    def run(self, clips: np.ndarray) -> Outputs:
        """Outputs by name."""
        values = self._session.run(self._names, {INPUT: clips})
        return dict(zip(self._names, values, strict=True))

    def run_many(self, batches: Iterable[np.ndarray]) -> Iterator[Outputs]:
        """Outputs of each batch, in order."""
        return map(self.run, batches)


class LiteRT:
    """Runs LiteRT on the processor, one batch after the other."""

    name = "LiteRT"
    precision = "float32"

    def __init__(self, file: Path, **_):
        interpreter = importlib.import_module("ai_edge_litert.interpreter")
        self._interpreter = interpreter.Interpreter(str(file), num_threads=os.cpu_count())
        self._runner = self._interpreter.get_signature_runner()
        shape = self._runner.get_input_details()[INPUT]["shape_signature"]
        self.input_shape = tuple(None if d < 0 else int(d) for d in shape)

    def run(self, clips: np.ndarray) -> Outputs:
        """Outputs by name."""
        return self._runner(**{INPUT: clips})

    def run_many(self, batches: Iterable[np.ndarray]) -> Iterator[Outputs]:
        """Outputs of each batch, in order."""
        return map(self.run, batches)


RUNTIMES = {".xml": OpenVINO, ".onnx": OnnxRuntime, ".tflite": LiteRT}
