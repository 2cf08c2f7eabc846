"""TensorFlow's checkpoints, and I3D in them."""

import dataclasses
import shutil

import numpy as np
import pytest
from pretrained.importers.drawn import clip_of
from pretrained.importers.kinetics_i3d import I3D
from pretrained.importers.parity import answer, assert_close

from keras_acl import ClipSpec
from keras_acl.models import I3DClassifier, late_fusion
from keras_acl.pretrained.importers import import_checkpoint
from keras_acl.pretrained.importers.kinetics_i3d import KINETICS_I3D
from keras_acl.pretrained.importers.tensorflow_files import bundle_of, read_bundle

RGB = "RGB/inception_i3d/"


@pytest.mark.backends
@pytest.mark.parametrize(
    ("prefix", "statistics", "momentum", "frames", "size"),
    [
        (RGB, 0, False, 16, 64),
        # Trained on Kinetics-600; sizes of which halves are odd, for TensorFlow's padding.
        ("", 4, True, 17, 50),
    ],
)
def test_logits_are_those_of_i3d(tmp_path, prefix, statistics, momentum, frames, size):
    network = I3D(7, 8, prefix, statistics)
    network.save(tmp_path / "model.ckpt", momentum)
    clip = clip_of(frames, size)
    expected = network.logits(clip.astype(np.float32) / 127.5 - 1)
    assert np.ptp(expected) > 0.1
    spec = ClipSpec(frames=frames, span=frames, size=size)
    model, report = import_checkpoint(tmp_path / "model.ckpt", clip=spec)
    assert type(model) is I3DClassifier
    assert (model.width, model.mean, model.std) == (8, 0.5, 0.5)
    assert_close(answer(model, clip), expected)
    (source,) = report.sources
    assert len(source.used) == len(network.variables) == len(model.weights) == 230
    assert len(source.ignored) == (116 if momentum else 0)
    assert set(source.ignored.values()) <= {"the optimizer's momentum"}


@pytest.mark.backends
def test_two_checkpoints_are_the_two_stream_i3d(tmp_path):
    networks = [I3D(7, 8, RGB), I3D(7, 8, "Flow/inception_i3d/", channels=2)]
    clip = ClipSpec(frames=16, span=16, fps=25.0, size=64)
    models = []
    for number, network in enumerate(networks):
        network.save(tmp_path / f"{number}.ckpt")
        models.append(import_checkpoint(tmp_path / f"{number}.ckpt", clip=clip)[0])
    assert models[1].clip == dataclasses.replace(clip, modality="flow")
    pictures = np.random.default_rng(0).integers(0, 256, (1, 16, 64, 64, 5), dtype=np.uint8)
    scaled = pictures.astype(np.float32) / 127.5 - 1  # its flow is from -1 to 1, too
    rgb, flow = networks[0].logits(scaled[..., :3]), networks[1].logits(scaled[..., 3:])
    assert_close(answer(models[1], pictures[..., 3:]), flow)
    assert_close(answer(late_fusion(models), pictures), rgb + flow)


def test_a_checkpoint_is_known_by_any_of_its_files(tmp_path):
    network = I3D(7, 8, RGB)
    index = network.save(tmp_path / "model.ckpt")
    bundle = tmp_path / "model.ckpt"
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    for path in (bundle, str(bundle), index, data):
        assert bundle_of(path) == bundle
    tensors = read_bundle(bundle).tensors
    assert tensors.keys() == network.variables.keys()
    for name, value in network.variables.items():
        np.testing.assert_array_equal(tensors[name], value)
    assert bundle_of(tmp_path / "other.ckpt") is None
    assert bundle_of(tmp_path) is None


@pytest.mark.parametrize(
    ("foreign", "ours"),
    [
        (f"{RGB}Conv3d_1a_7x7/conv_3d/w", "stem_conv/kernel"),
        (f"{RGB}Mixed_5b/Branch_2/Conv3d_0a_3x3/batch_norm/beta", "mixed5b_2b_bn/beta"),
        ("Mixed_4f/Branch_0/Conv3d_0a_1x1/conv_3d/w", "mixed4f_0_conv/kernel"),
        (
            "Mixed_3c/Branch_3/Conv3d_0b_1x1/batch_norm/moving_variance",
            "mixed3c_3_bn/moving_variance",
        ),
        ("Logits/Conv3d_0c_1x1/conv_3d/b", "classifier/bias"),
        ("Mixed_6a/Branch_0/Conv3d_0a_1x1/conv_3d/w", None),
    ],
)
def test_translate(foreign, ours):
    assert KINETICS_I3D.translate(foreign) == ours


def test_what_does_not_fit_is_named(tmp_path):
    network = I3D(7, 8, RGB)
    del network.variables[f"{RGB}Mixed_4c/Branch_3/Conv3d_0b_1x1/conv_3d/w"]
    network.save(tmp_path / "less.ckpt")
    with pytest.raises(ValueError, match=r"lacks 1 of 230 tensors.*: mixed4c_3_conv/kernel"):
        import_checkpoint(tmp_path / "less.ckpt")
    with pytest.raises(FileNotFoundError, match=r"There is no checkpoint at .*none\.ckpt"):
        import_checkpoint(tmp_path / "none.ckpt")


def test_broken_files_are_one_line(tmp_path):
    index = I3D(7, 8, RGB).save(tmp_path / "model.ckpt")
    data = tmp_path / "model.ckpt.data-00000-of-00001"
    whole, names = data.read_bytes(), index.read_bytes()
    data.write_bytes(whole[:1000])
    with pytest.raises(ValueError, match="its data are shorter than its tensors"):
        import_checkpoint(index)
    data.write_bytes(b"x" + whole[1:])
    with pytest.raises(ValueError, match=r"model\.ckpt cannot be read as a checkpoint.*complete"):
        import_checkpoint(index)
    data.write_bytes(whole)
    for broken in (names[:500], b"", b"<html>404</html>" * 100):
        index.write_bytes(broken)
        with pytest.raises(ValueError, match=r"cannot be read as a checkpoint of TensorFlow"):
            import_checkpoint(index)
    index.write_bytes(names)
    odd = tmp_path / "model[1].ckpt.index"
    shutil.copy(index, odd)
    shutil.copy(data, odd.with_suffix(".data-00000-of-00001"))
    with pytest.raises(ValueError, match=r"takes \[ \] in the path of a checkpoint for a pattern"):
        import_checkpoint(odd)
    data.unlink()
    with pytest.raises(ValueError, match="which is not beside it"):
        import_checkpoint(index)
