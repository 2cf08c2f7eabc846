"""A model in the fastest form that the machine has."""

import functools
import logging
from typing import Any

from keras_acl.engines.inference_model import InferenceModel
from keras_acl.engines.naming import model_name
from keras_acl.inference import kept_engines
from keras_acl.inference.export_model import export
from keras_acl.models import optimize as fold
from keras_acl.models.fingerprint import fingerprint
from keras_acl.models.optimize import PRECISIONS
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.system.devices import backend_name, fast_bfloat16, has_accelerator

logger = logging.getLogger("keras_acl")
ENGINES = ("keras", "auto", "openvino")
MISSING = 'pip install "keras-acl[deploy]"'
_said: set[str] = set()


def optimize(
    model: VideoClassifier,
    precision: str | None = "auto",
    *,
    engine: str = "keras",
    constant_weights: bool = False,
) -> Any:
    """Return a model that does the same with less work, for inference.

    Args:
        model: A classifier of this package; it stays as it is.
        precision: `"float32"`, `"bfloat16"`, `"float16"` (not of OpenVINO), `"auto"` for the
            fastest on this device, or `None` for the one that the model computes in; see
            `keras_acl.models.optimize`.
        engine: `"keras"`: a Keras model of the same class, with batch normalisation folded into the
            convolutions; it can be saved. `"openvino"`: an `InferenceModel` that OpenVINO runs on
            the CPU, with maps and features. It is written and compared once for each model, and
            kept in the cache folder. `"auto"`: OpenVINO on a CPU where it is installed (extra
            `deploy`), else Keras.
        constant_weights: Compile the convolutions' weights into TensorFlow's functions on a CPU;
            see `keras_acl.models.optimize`. For the engine `"keras"`.

    Returns:
        A new model, which cannot be trained: train the original.

    Raises:
        ValueError: If the model is not a classifier of this package, or an argument is unknown or
            does not fit the engine.
        ImportError: If OpenVINO is asked for and not installed.

    Example:
        >>> fast = keras_acl.optimize(keras_acl.load_pretrained("k400"), engine="auto")
        >>> logits = fast.predict(clips)
    """
    if engine not in ENGINES:
        raise ValueError(f"Expected `engine` to be one of {ENGINES}. Received: engine={engine!r}")
    if not isinstance(model, VideoClassifier) or precision not in PRECISIONS:
        return fold(model, precision)  # which refuses it
    wanted = precision or model.compute_dtype
    if precision == "auto":
        wanted = "bfloat16" if fast_bfloat16() else "float32"
    chosen = engine
    if engine == "auto":
        chosen = "keras" if constant_weights else _best_engine(wanted)
    if chosen == "keras":
        return fold(model, precision, constant_weights=constant_weights)
    if wanted == "float16" or constant_weights:
        raise ValueError(
            "OpenVINO computes in float32 or bfloat16, and has its weights constant anyway. "
            f"Received: precision={precision!r}, constant_weights={constant_weights}"
        )
    if not kept_engines.has_openvino():
        raise ImportError(f"OpenVINO is not installed: {MISSING}")
    try:
        return _with_openvino(model, wanted)
    except OSError as error:
        if engine == "openvino":
            raise
        _say_nothing_is_kept(error)
        return fold(model, precision)


def _say_nothing_is_kept(error: OSError) -> None:
    logger.warning(
        "OpenVINO would be faster, but nothing can be kept in %s (%s): Keras computes. "
        "KERAS_HOME chooses another folder.",
        kept_engines.engines_folder(),
        error.strerror or error,
    )


def _best_engine(precision: str) -> str:
    """OpenVINO where it can run and is the fastest."""
    if has_accelerator() or backend_name() != "tensorflow" or precision == "float16":
        return "keras"
    if kept_engines.has_openvino():
        return "openvino"
    if MISSING not in _said:
        _said.add(MISSING)
        logger.warning("On this processor OpenVINO would be faster: %s", MISSING)
    return "keras"


def _with_openvino(model: VideoClassifier, precision: str) -> InferenceModel:
    about = functools.partial(fingerprint, model)

    def make(file) -> None:
        logger.info("Preparing %s for OpenVINO, once.", model_name(model))
        export(model, file, maps="all")

    made = kept_engines.kept(about(), make, precision)
    # The file knows the model that it was made of; this may be the same by another name.
    made.saved_as, made.fingerprint = model_name(model), about
    made.card = getattr(model, "card", None)
    return made
