"""A trained model from a file: Keras' own, or one that was exported for another engine."""

import os
from typing import TYPE_CHECKING, Any

from keras_acl.engines.inference_model import InferenceModel, is_exported
from keras_acl.pretrained.card import Card
from keras_acl.system.quiet_start import quiet_start

if TYPE_CHECKING:
    from keras_acl.models import VideoClassifier


def load_model(path: str | os.PathLike) -> "VideoClassifier | InferenceModel":
    """Load a trained model.

    Args:
        path: A `.keras` file, or the folder of a run that holds `model.keras`; or what
            `keras_acl.export` wrote: `.xml` (OpenVINO), `.onnx`, `.tflite` (LiteRT).

    Returns:
        The Keras model, compiled as it was saved; of an exported file an `InferenceModel`, which
        predicts without Keras.

    Raises:
        FileNotFoundError: If there is no such file.
        ImportError: If the runtime of an exported file is missing.
        ValueError: If the file is damaged, or does not hold a model of this package.
    """
    if is_exported(path):
        return load_exported(path)
    with quiet_start():  # this needs Keras
        from keras_acl.pretrained.keras_file import load_keras_file

    return load_keras_file(path)


def load_exported(path: str | os.PathLike, **options: Any) -> InferenceModel:
    """Load what `keras_acl.export` wrote, with its card; see `InferenceModel.load`."""
    model = InferenceModel.load(path, **options)
    card = model.metadata.get("card")
    if card is not None:
        model.card = Card.from_dict(card)
    return model
