"""Load pre-trained weights by name, from a folder or from the Hub."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from keras_acl.clip import ClipSpec
from keras_acl.models.video_classifier import VideoClassifier
from keras_acl.pretrained.cache import built_preset
from keras_acl.pretrained.hub import SCHEME, download, parse_address
from keras_acl.pretrained.keras_file import load_model
from keras_acl.pretrained.presets import ALIASES, PRESETS, Preset, find_preset
from keras_acl.pretrained.saved_files import METADATA, WEIGHTS
from keras_acl.pretrained.saved_folder import SAVED, read_pretrained


def load_pretrained(
    name: str | os.PathLike,
    num_classes: int | None = None,
    labels: Sequence[str] | None = None,
    clip: ClipSpec | None = None,
    dropout: float | None = None,
    dtype: Any = None,
    consistency_weight: float | Literal["saved"] | None = SAVED,
) -> VideoClassifier:
    """Load a trained model, ready for `predict` and `fit`.

    What was downloaded once is found again without a network.

    Args:
        name: A preset (see `list_presets`), a folder that `save_pretrained` wrote, or
            `"hf://user/repo"`, with `"@revision"` for a tag, branch or commit.
        num_classes: Another number of classes than the saved one: the dense layer starts anew, the
            streams keep their weights, and a warning says so.
        labels: Class names. Other names than the saved ones make the dense layer start anew, too.
        clip: Another clip for the model to eat.
        dropout: Another rate before the dense layer.
        dtype: Another dtype policy, e.g. `"mixed_bfloat16"`.
        consistency_weight: Another λ of Eq. 4; `None` leaves the term out of the training graph.

    Returns:
        The model with `clip`, `labels` and `card`, compiled by `recipes.finetune()` with a constant
        learning rate.

    Raises:
        ValueError: For an unknown name, a preset that nobody has made yet, files that are not what
            was saved, or arguments that do not fit them.
        FileNotFoundError: If the folder, the repository or a file is not there.
        PermissionError: If a repository is private.
        ConnectionError: If a download fails. Nothing broken stays in the cache.

    Example:
        >>> model = keras_acl.load_pretrained("k400", num_classes=101)
        >>> train = keras_acl.data.from_directory("ucf101/train", model.clip, batch_size=8)
        >>> model.fit(train, epochs=4)
    """
    return read_pretrained(
        find_folder(name), num_classes, labels, clip, dropout, dtype, consistency_weight
    )


def load_any(name: str | os.PathLike) -> VideoClassifier:
    """Load whatever a model is saved as: a `.keras` file, a run folder, or as `load_pretrained`."""
    path = Path(name)
    if path.suffix == ".keras" or (path / "model.keras").is_file():
        return load_model(path)
    return load_pretrained(name)


def find_folder(name: str | os.PathLike) -> Path:
    """The local folder of a preset, folder or Hub repository; downloads what is missing."""
    if isinstance(name, str) and name.startswith(SCHEME):
        return download(*parse_address(name))
    folder = Path(name)
    is_name = isinstance(name, str) and (name in ALIASES or name in {p.name for p in PRESETS})
    # A preset's name wins over a folder of something else: `make demo` writes one called demo.
    if (folder / METADATA).is_file():
        return folder
    if folder.is_dir() and not is_name:
        raise FileNotFoundError(
            f"There is no model in {folder}: no {METADATA} of save_pretrained, no model.keras."
        )
    if not isinstance(name, str) or len(folder.parts) > 1:
        raise FileNotFoundError(f"There is no folder {name}. The Hub's are {SCHEME}user/repo.")
    return _preset_folder(find_preset(name))


def weights_folder() -> Path:
    """Where the weights are that come with the package: inside it, or beside it in a clone."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "weights"
    return inside if inside.is_dir() else package.parent / "weights"


def shipped_folder(preset: Preset) -> Path | None:
    """Where a preset's weights are if they come with the package, else `None`."""
    folder = weights_folder() / preset.name
    return folder if (folder / WEIGHTS).is_file() else None


def _preset_folder(preset: Preset) -> Path:
    shipped = shipped_folder(preset)
    if shipped is not None:
        return shipped
    if preset.revision is not None:
        return download(preset.hub, preset.revision)
    if preset.checkpoints:
        return built_preset(preset)
    raise ValueError(
        f"Nobody has published the weights of {preset.name} yet. They will be at "
        f"{SCHEME}{preset.hub}. To make them: {preset.command}; then load the folder it writes."
    )
