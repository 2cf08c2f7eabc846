"""KerasHub's ResNet with random weights: no download, the real names and layers."""

import sys

import keras
import numpy as np
import pytest
from tiny_network import CLIP

from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier
from keras_acl.pretrained.importers.imagenet import IMAGENET_MEAN, IMAGENET_STD, inflate_imagenet

NORMALISATION = {"mean": IMAGENET_MEAN, "std": IMAGENET_STD, "clip": CLIP}


@pytest.fixture(scope="module")
def backbone():
    keras_hub = pytest.importorskip("keras_hub")
    network = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=[1, 1, 1, 1],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="bottleneck_block",
        image_shape=(None, None, 3),
    )
    rng = np.random.default_rng(0)
    for variable in network.variables:
        scale = 1 if variable.path.endswith(("gamma", "variance")) else 0
        noise = rng.normal(0, 0.05, variable.shape)
        variable.assign(scale + np.abs(noise) if scale else noise)
    return network


def test_still_video_gives_the_maps_of_the_image(backbone):
    """Up to res3 no layer sees its neighbour frames; in res4 and res5 the inner frames agree."""
    model = SlowClassifier(3, depth=14, speed_ratio=1, **NORMALISATION)
    inflate_imagenet(model, backbone)
    image = np.random.default_rng(1).uniform(0, 255, (1, 64, 64, 3)).astype("float32")
    video = np.repeat(image[:, None], CLIP.frames, axis=1)
    (ours,) = model.features(video)
    normalised = (image / 255 - np.array(IMAGENET_MEAN)) / np.array(IMAGENET_STD)
    theirs = keras.ops.convert_to_numpy(backbone(normalised.astype("float32")))
    ours = keras.ops.convert_to_numpy(ours)[:, 3]  # (1, 2, 2, 2048), a frame in the middle
    np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-4 * np.abs(theirs).max())


def test_every_tensor_is_used_and_the_rest_left_alone(backbone):
    model = TwoStreamClassifier(3, depth=14, speed_ratio=4, **NORMALISATION)
    before = [model.temporal_stream.get_weights(), model.classifier.get_weights()]
    report = inflate_imagenet(model, backbone)
    assert len(report.sources[0].used) == len(backbone.variables)
    assert "dense layer is new" in str(report)
    after = [model.temporal_stream.get_weights(), model.classifier.get_weights()]
    for old, new in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=True):
        np.testing.assert_array_equal(old, new)
    kernel = model.spatial_stream.get_layer("res4_0_a_conv").get_weights()[0]
    image = backbone.get_layer("stack2_block0_1_conv").get_weights()[0]
    assert len(kernel) == 3
    np.testing.assert_allclose(kernel.sum(axis=0), image, rtol=1e-5)


def test_wrong_models(backbone):
    with pytest.raises(ValueError, match=r"make the model with\s+mean=\(0.485"):
        inflate_imagenet(SlowClassifier(3, depth=14, clip=CLIP), backbone)
    with pytest.raises(ValueError, match="Received: SlowFastClassifier"):
        inflate_imagenet(SlowFastClassifier(3, depth=14, width=8, **NORMALISATION), backbone)
    with pytest.raises(ValueError, match=r"lacks .* of .* tensors|has the shape"):
        inflate_imagenet(SlowClassifier(3, depth=14, width=8, **NORMALISATION), backbone)


def test_missing_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "keras_hub", None)
    with pytest.raises(ImportError, match=r"keras-acl\[imagenet\]"):
        inflate_imagenet(SlowClassifier(3, depth=14, width=8, **NORMALISATION))
