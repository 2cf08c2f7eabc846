"""Presets from their checkpoints; the parity files stand for the public ones."""

import dataclasses

import keras
import numpy as np
import pytest
import torch
from pretrained.importers import pytorch_i3d
from pretrained.importers.drawn import drawn
from pretrained.importers.parity import FOLDER, assert_close, clip, expected

from keras_acl import ClipSpec
from keras_acl.pretrained import build as building
from keras_acl.pretrained.build import build_preset
from keras_acl.pretrained.importers import import_checkpoint
from keras_acl.pretrained.presets import find_preset
from keras_acl.profiling import count_parameters

SMALL = ClipSpec(frames=16, span=16, fps=25.0, size=32)
SLOW = 504_469  # parameters
LABELS = tuple(f"class {index}" for index in range(13))


@pytest.fixture(autouse=True)
def _labels_of_the_parity_files(monkeypatch):
    monkeypatch.setattr(building, "read_labels", lambda name: LABELS)


def small(name: str, parameters: int):
    """A preset whose network has the size of the parity files."""
    return dataclasses.replace(find_preset(name), parameters=parameters)


def test_k400_is_made_of_slow_and_slowfast():
    preset = small("k400", 514_288)
    assert ["SLOWFAST" in checkpoint.url for checkpoint in preset.checkpoints] == [True, False]
    model, report = build_preset(preset, [FOLDER / "ptv_slowfast.pyth", FOLDER / "ptv_slow.pyth"])
    assert type(model) is preset.architecture
    assert model.labels == LABELS
    fast = expected("ptv_slowfast", "fast_res5_64").mean(axis=(1, 2, 3))
    added = fast @ np.asarray(model.class_weights[1])
    assert_close(model.predict_on_batch(clip()), expected("ptv_slow", "logits_64") + added)
    assert "never trained together" in str(report)
    assert "assumed" not in str(report)


def test_the_two_stream_i3d_is_made_of_both_its_files(tmp_path):
    clip = dataclasses.replace(SMALL, modality="rgb+flow")
    files, networks = [], []
    for channels in (3, 2):
        network = pytorch_i3d.I3D(13, 8, channels)
        shapes = {name: value.shape for name, value in network.state_dict().items()}
        file = tmp_path / f"{channels}.pt"
        torch.save({k: torch.from_numpy(np.asarray(v)) for k, v in drawn(shapes).items()}, file)
        files.append(file)
        networks.append(import_checkpoint(file, clip=SMALL)[0])
    preset = dataclasses.replace(
        find_preset("i3d_two_stream_k400"),
        arguments={"clip": clip},
        parameters=sum(map(count_parameters, networks)),
    )
    model, report = build_preset(preset, files)
    assert (model.labels, model.clip) == (LABELS, clip)
    assert len(report.sources) == 2
    x = np.random.default_rng(0).integers(0, 256, (1, 16, 32, 32, 5), dtype=np.uint8)
    colours, flow = networks
    added = colours(x[..., :3]) + flow(x[..., 3:])
    assert_close(model(x), keras.ops.convert_to_numpy(added))


def test_speed_ratio_is_the_presets():
    model, _ = build_preset(small("slow_r50_8x8_k400", SLOW), [FOLDER / "ptv_slow.pyth"])
    assert model.speed_ratio == 4


def test_checkpoint_of_another_network():
    preset = find_preset("slowfast_r50_4x16_k400")
    with pytest.raises(ValueError, match=r"is a SlowFastClassifier, but .* holds a SlowClassifier"):
        build_preset(preset, [FOLDER / "ptv_slow.pyth"])


def test_checkpoint_of_another_size():
    preset = find_preset("slow_r50_4x16_k400")
    with pytest.raises(ValueError, match=r"has 32,454,096 parameters, but .* network of"):
        build_preset(preset, [FOLDER / "ptv_slow.pyth"])


def test_wrong_number_of_labels(monkeypatch):
    preset = dataclasses.replace(find_preset("slow_r50_4x16_k400"), labels="kinetics400")
    monkeypatch.setattr(building, "read_labels", lambda name: LABELS[:5])
    with pytest.raises(ValueError, match="one label for each class"):
        build_preset(preset, [FOLDER / "ptv_slow.pyth"])
