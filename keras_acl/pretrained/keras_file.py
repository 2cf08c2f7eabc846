"""A trained model from a `.keras` file or the folder of a run."""

import zipfile
from pathlib import Path

import keras

# Saved files name classes by their registered names: Keras finds those whose module is imported.
import keras_acl.training.losses
import keras_acl.training.optimizers  # noqa: F401
from keras_acl.models import VideoClassifier


def load_model(path) -> VideoClassifier:
    """Load a trained model, compiled as it was saved.

    Args:
        path: A `.keras` file, or the folder of a run that holds `model.keras`.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it does not hold a model of this package.
    """
    file = Path(path) / "model.keras" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"There is no model at {file}. Expected a .keras file.")
    if not zipfile.is_zipfile(file):
        raise ValueError(f"{file} is not a .keras file: these are zip archives. Is it whole?")
    try:
        model = keras.saving.load_model(file)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ValueError(f"{file} cannot be loaded: {reason}") from error
    if not isinstance(model, VideoClassifier):
        raise ValueError(
            f"{file} holds a {type(model).__name__}. Expected a model trained with keras-acl."
        )
    # Every run calls its model model.keras.
    model.saved_as = file.resolve().parent.name if file.name == "model.keras" else file.stem
    return model
