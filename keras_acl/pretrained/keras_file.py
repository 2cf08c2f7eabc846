"""A trained model from a `.keras` file or the folder of a run."""

import json
import zipfile
from pathlib import Path

import keras

# Saved files name classes by their registered names: Keras finds those whose module is imported.
import keras_acl.training.losses
import keras_acl.training.optimizers  # noqa: F401
from keras_acl.models import VideoClassifier
from keras_acl.pretrained.weight_checks import check_loaded, check_size

EXPANSION, ROOM = 4, 2**20


def load_keras_file(path) -> VideoClassifier:
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
        _check_archive(file)
        model = keras.saving.load_model(file)
    except (ValueError, TypeError, KeyError, OSError, zipfile.BadZipFile) as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise ValueError(f"{file} cannot be loaded: {reason}") from error
    if not isinstance(model, VideoClassifier):
        raise ValueError(
            f"{file} holds a {type(model).__name__}. Expected a model trained with keras-acl."
        )
    check_loaded(model, file)
    # Every run calls its model model.keras.
    model.saved_as = file.resolve().parent.name if file.name == "model.keras" else file.stem
    return model


def _check_archive(file: Path) -> None:
    """Refuse what would take far more memory than the file has bytes."""
    with zipfile.ZipFile(file) as archive:
        sizes = {member.filename: member.file_size for member in archive.infolist()}
        # Keras compresses nothing; some room for who packed it again.
        if sum(sizes.values()) > ROOM + EXPANSION * file.stat().st_size:
            raise ValueError(
                f"its {file.stat().st_size:,} bytes expand to {sum(sizes.values()):,}, which no "
                "model file of Keras does."
            )
        config = json.loads(archive.read("config.json"))
    arguments = config.get("config") if isinstance(config, dict) else None
    if isinstance(arguments, dict):
        check_size(arguments, sizes.get("model.weights.h5", 0), "its config.json")
