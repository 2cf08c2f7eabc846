"""The local folder behind a name: a preset, a folder, or a repository of the Hub."""

import os
from pathlib import Path

from keras_acl.pretrained.hub import SCHEME, download, parse_address
from keras_acl.pretrained.model_folder import METADATA, WEIGHTS
from keras_acl.pretrained.presets import ALIASES, PRESETS, Preset, find_preset


def find_folder(name: str | os.PathLike) -> Path:
    """The folder that holds the model; what is not on disk is downloaded.

    Args:
        name: As in `load_pretrained`, which says what it raises, too.
    """
    try:
        return _find_folder(name)
    except ConnectionError as error:
        raise ConnectionError(
            f"{error} Without a network: keras-acl download {name} --to FOLDER on a machine that "
            'has one, and load_pretrained("FOLDER") here; or load_pretrained("demo"), which ships '
            "with the package."
        ) from error


def _find_folder(name: str | os.PathLike) -> Path:
    if isinstance(name, str) and name.startswith(SCHEME):
        return download(*parse_address(name))
    folder = Path(name)
    is_preset = isinstance(name, str) and (name in ALIASES or name in {p.name for p in PRESETS})
    # A preset's name wins over a folder of something else: `make demo` writes one called demo.
    if (folder / METADATA).is_file():
        return folder
    if folder.is_dir() and not is_preset:
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
        from keras_acl.pretrained.cache import built_preset  # a server has no such presets

        return built_preset(preset)
    raise ValueError(
        f"Nobody has published the weights of {preset.name} yet. They will be at "
        f"{SCHEME}{preset.hub}. To make them: {preset.command}; then load the folder it writes."
    )
