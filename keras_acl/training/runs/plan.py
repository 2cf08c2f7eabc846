"""What a run is to be, where the user leaves it open: network, clip, learning rate, folder."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_acl.clip import ClipSpec
from keras_acl.data.split_folders import find_splits
from keras_acl.pretrained.find_folder import find_folder
from keras_acl.pretrained.metadata import read_metadata
from keras_acl.system.devices import has_accelerator
from keras_acl.training import recipes
from keras_acl.training.runs.settings import RunSettings

NETWORKS: dict[str, dict[str, Any]] = {
    "small": {"depth": 11, "width": 16, "speed_ratio": 4, "channel_ratio": 2},
    "r50": {"depth": 50},
    "r101": {"depth": 101},
}
CLIPS = {
    "small": ClipSpec(frames=16, span=64, size=112),
    "r50": ClipSpec(),
    "r101": ClipSpec(),
}
# For 64 clips per batch, from scratch; the published one is too low for a few steps of a small one.
LEARNING_RATES = {"small": 0.4, "r50": 0.1, "r101": 0.1}


def plan_run(
    source: str | Path,
    network: str = "auto",
    weights: str | None = None,
    clip: Mapping[str, int | None] | None = None,
    recipe: Mapping[str, Any] | None = None,
    **settings,
) -> RunSettings:
    """Settings of a fine-tuning run, with what is not said chosen for the device and the network.

    Args:
        source: Folder of class folders, or a CSV file; or a folder with train/ and val/ or test/
            below, which are then the sides of the run where no others are named.
        network: "small", "r50", "r101", or "auto": r50 on a GPU or TPU, small on a CPU.
        weights: What to start from, as in `load_pretrained`; it brings its own network.
        clip: Fields of `ClipSpec` other than the network's usual ones; `None` is the usual one.
        recipe: Arguments of `recipes.finetune`; without a learning rate the usual one. Few videos
            change none of them, as measured there.
        **settings: Other fields of `RunSettings`, such as `batch_size`.

    Raises:
        ValueError: If both weights and a network are named, a share to split off and a validation
            set, something is to be frozen without weights, or an argument is out of its range.
    """
    if weights is not None and network != "auto":
        raise ValueError(
            "Weights bring their own network: leave the network out. "
            f"Received: weights={weights}, network={network}"
        )
    name = choose_network() if network == "auto" else network
    changes = {key: value for key, value in (clip or {}).items() if value is not None}
    told = {key: value for key, value in (recipe or {}).items() if value is not None}
    if weights is None and told.get("freeze", "none") != "none":
        raise ValueError(
            "What is frozen stays as the weights brought it; from scratch it would stay random: "
            f"name weights, or freeze nothing. Received: freeze={told['freeze']}, weights=None"
        )
    if weights is None:
        told.setdefault("learning_rate", LEARNING_RATES[name])
    return RunSettings(
        **_sources(source, settings),
        network=name,
        clip=clip_for(name, **changes) if weights is None else clip_of(weights, **changes),
        recipe=recipes.finetune(**{"seed": settings.get("seed", 0), **told}),
        weights=weights,
        **settings,
    )


def _sources(source: str | Path, settings: dict[str, Any]) -> dict[str, Any]:
    """Take what names the videos out of `settings`, and look for sides in the source."""
    found = find_splits(source) if Path(source).is_dir() else {}
    sides: dict[str, Any] = {"source": str(found.get("train", source))}
    for side in ("validation", "test"):
        told = settings.pop(side, None) or found.get(side)
        sides[side] = None if told is None else str(told)
    share = settings.pop("validation_split", None)
    if share is None:
        return sides
    if sides["validation"] is not None:
        raise ValueError(
            "A validation set leaves nothing to split off. Received: "
            f"validation_split={share}, validation={sides['validation']}"
        )
    return {**sides, "validation_split": share}


def default_folder(source: str | Path) -> Path:
    """Where a run goes if nobody says: `runs/` and the name of its source."""
    return Path("runs") / Path(source).resolve().name.removesuffix(".csv")


def choose_network() -> str:
    """The network for this device: R50 on a GPU or TPU, the small one on a CPU."""
    return "r50" if has_accelerator() else "small"


def clip_for(network: str, **changes) -> ClipSpec:
    """The clip that suits a network, with fields of `ClipSpec` set otherwise."""
    return dataclasses.replace(CLIPS[network], **changes)


def clip_of(weights: str, **changes) -> ClipSpec:
    """The clip that pre-trained weights were trained with, with fields set otherwise.

    Args:
        weights: As in `load_pretrained`; downloaded if they are not on this machine.
        **changes: Fields of `ClipSpec`.
    """
    return dataclasses.replace(read_metadata(find_folder(weights)).clip, **changes)
