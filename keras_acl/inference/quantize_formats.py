"""Exported float32 files in int8, each by the quantiser of its own format.

What all three have in common was measured on networks of ours. The range of a layer is that of all
clips, not the average of the clips' own: what is rare is what tells classes apart. Weights have
seven bits: a processor without VNNI adds products of two in 16 bits, which eight overflow. And what
follows the last convolution stays in float32: it takes no time, and the maps need it.
"""

import contextlib
import importlib
import importlib.util
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from keras_acl.engines.runtimes import INPUT
from keras_acl.system.without_telemetry import import_without_telemetry

# With those between the convolutions it is a sixth faster than with the convolutions alone. Slices
# of int8 have no result where the batch is free.
LITERT_OPERATIONS = ("CONV_2D", "ADD", "MAX_POOL_2D", "PAD", "RESHAPE", "TRANSPOSE")


class CalibrationClips:
    """Clips as batches of one, as often as a quantiser goes through them.

    Args:
        clips: uint8, (N, T, H, W, 3).
        seen: Called for each.
    """

    def __init__(self, clips: np.ndarray, seen: Callable[[], object]):
        self.clips = clips
        self.seen = seen

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[dict[str, np.ndarray]]:
        for clip in self.clips:
            self.seen()  # before: nobody asks for more than the last
            yield {INPUT: np.array(clip[None])}


def check_quantizer(ending: str) -> None:
    """Refuse a format that has no quantiser, or one that is not installed.

    Raises:
        ValueError: If nothing quantises it.
        ImportError: If the package is missing.
    """
    if ending not in QUANTIZERS:
        raise ValueError(
            "An int8 model is named .xml (OpenVINO), .onnx or .tflite (LiteRT). "
            f"Received: {ending or 'no ending'}"
        )
    package, _ = QUANTIZERS[ending]
    if importlib.util.find_spec(package) is None:
        raise ImportError(f'int8 in {ending} needs {package}: pip install "keras-acl[quantize]"')


def quantize_file(file: Path, out: Path, clips: CalibrationClips) -> None:
    """Write an exported float32 file in int8, without metadata."""
    _, write = QUANTIZERS[file.suffix]
    with _quiet():
        write(file, out, clips)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Without bars, advice to developers, and handlers of a log that is the user's."""
    handlers, disabled = list(logging.root.handlers), logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            # Of the memory that keeping all values takes.
            warnings.filterwarnings("ignore", message=".*experimental_preserve_all_tensors")
            yield
    finally:
        logging.disable(disabled)
        logging.root.handlers[:] = handlers


def _quantize_openvino(file: Path, out: Path, clips: CalibrationClips) -> None:
    openvino, nncf = map(import_without_telemetry, ("openvino", "nncf"))
    ranges = importlib.import_module("nncf.quantization.range_estimator")
    quantized = nncf.quantize(
        openvino.Core().read_model(file),
        nncf.Dataset(clips),
        subset_size=len(clips),
        ignored_scope=nncf.IgnoredScope(types=["MatMul", "ReduceMean"]),
        advanced_parameters=nncf.AdvancedQuantizationParameters(
            overflow_fix=nncf.OverflowFix.ENABLE,
            activations_range_estimator_params=ranges.RangeEstimatorParametersSet.MINMAX,
            disable_bias_correction=True,  # it made the differences larger
        ),
    )
    openvino.save_model(quantized, out, compress_to_fp16=False)


def _quantize_onnx(file: Path, out: Path, clips: CalibrationClips) -> None:
    quantization = importlib.import_module("onnxruntime.quantization")
    shapes = importlib.import_module("onnxruntime.quantization.shape_inference")
    prepared = out.with_name(f"prepared{out.suffix}")
    shapes.quant_pre_process(file, prepared, skip_symbolic_shape=True)
    quantization.quantize_static(
        prepared,
        out,
        _reader(quantization, clips),
        op_types_to_quantize=["Conv"],  # with more it was less exact, and no faster
        per_channel=True,
        reduce_range=True,
        activation_type=quantization.QuantType.QUInt8,
    )


def _reader(quantization, clips: CalibrationClips):
    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.clips = iter(clips)

        def get_next(self):
            return next(self.clips, None)

    return Reader()


def _quantize_litert(file: Path, out: Path, clips: CalibrationClips) -> None:
    names = ("quantizer", "recipe_manager", "calibrator", "qtyping", "utils.qsv_utils")
    quantizer, managers, calibrators, types, ranges = (
        importlib.import_module(f"ai_edge_quantizer.{name}") for name in names
    )
    made = quantizer.Quantizer(str(file))
    for name in LITERT_OPERATIONS:
        made.add_static_config(".*", types.TFLOperationName[name], 8, 8)
    manager = managers.RecipeManager()
    manager.load_quantization_recipe(made.get_quantization_recipe())
    calibrator = calibrators.Calibrator(str(file), qsv_update_func=ranges.min_max_update)
    for clip in clips:
        with contextlib.redirect_stderr(io.StringIO()):  # a bar for each
            calibrator.calibrate({"serving_default": [clip]}, manager)
    with contextlib.redirect_stderr(io.StringIO()):
        result = made.quantize(calibrator.get_model_qsvs(), enable_progress_report=False)
    out.write_bytes(result.quantized_model)


QUANTIZERS: dict[str, tuple[str, Callable[[Path, Path, CalibrationClips], None]]] = {
    ".xml": ("nncf", _quantize_openvino),
    ".onnx": ("onnxruntime", _quantize_onnx),
    ".tflite": ("ai_edge_quantizer", _quantize_litert),
}
