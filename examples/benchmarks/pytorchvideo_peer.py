"""PyTorchVideo's SlowFast R50 as a peer, where it is installed; nothing is downloaded.

Shapes, normalisation and pathways are those of `SlowFastClassifier`, whose weights it takes by the
names that the importer knows. It has lateral fusion always; without, `torch_peer` is the peer.

    pip install pytorchvideo torchvision
"""

from pytorchvideo.models.slowfast import create_slowfast  # pyright: ignore[reportMissingImports]
from torch import nn
from torch_peer import keras_weights, load_weights, pathways, slow_frames


class PyTorchVideoPeer(nn.Module):
    """SlowFast R50 of PyTorchVideo on raw clips.

    Args:
        num_classes: Number of classes (L).
        frames: Frames of the clip (T).
        size: Height and width of the clip, a multiple of 32: its pooling is not global.
        speed_ratio: α.
        channel_ratio: 1/β.
        fusion_kernel: Temporal kernel of the lateral connections.
        dropout: Dropout rate before the dense layer.

    Call arguments:
        clip: Raw RGB `(batch, T, size, size, 3)`.

    Output shape:
        Logits `(batch, L)`.
    """

    def __init__(
        self,
        num_classes: int = 400,
        *,
        frames: int = 32,
        size: int = 224,
        speed_ratio: int = 8,
        channel_ratio: int = 8,
        fusion_kernel: int = 5,
        dropout: float = 0.5,
    ):
        super().__init__()
        window = (size // 32, size // 32)
        self.network = create_slowfast(
            slowfast_channel_reduction_ratio=(channel_ratio,),
            slowfast_fusion_conv_kernel_size=(fusion_kernel, 1, 1),
            slowfast_fusion_conv_stride=(speed_ratio, 1, 1),
            stem_dim_outs=(64, 64 // channel_ratio),
            model_num_class=num_classes,
            dropout_rate=dropout,
            head_pool_kernel_sizes=((frames // speed_ratio, *window), (frames, *window)),
        )
        self.register_buffer("slow_frames", slow_frames(frames, speed_ratio), persistent=False)

    def forward(self, clip):
        """(B, T, H, W, 3) -> (B, L)."""
        return self.network([*pathways(clip, self.slow_frames)])


def peer_of(keras_model) -> PyTorchVideoPeer:
    """The peer of a `SlowFastClassifier` of depth 50, with its weights, in fp32.

    Raises:
        ValueError: If a weight is missing, left over or of another shape.
    """
    config = keras_model.get_config()
    peer = PyTorchVideoPeer(
        keras_model.num_classes,
        frames=keras_model.clip.frames,
        size=keras_model.clip.size,
        speed_ratio=config["speed_ratio"],
        channel_ratio=config["channel_ratio"],
        fusion_kernel=config["fusion_kernel"],
        dropout=config["dropout"],
    )
    load_weights(peer, keras_weights(keras_model), name_of=keras_name)
    return peer


def keras_name(name: str) -> str:
    """`network.blocks.0.multipathway_blocks.0.conv.weight` -> `slow_stem_conv/kernel`."""
    from keras_acl.pretrained.importers.formats import PYTORCHVIDEO

    found = PYTORCHVIDEO.translate(name.removeprefix("network."))
    if found is None:
        raise ValueError(f"PyTorchVideo's {name} has no counterpart in keras_acl")
    return found
