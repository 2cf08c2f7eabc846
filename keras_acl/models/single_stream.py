"""What networks of one stream share: features, their global average, a dense layer."""

from typing import Unpack

from keras_acl.clip import ClipSpec
from keras_acl.models.classifier_options import ClassifierOptions
from keras_acl.models.video_classifier import VideoClassifier


class SingleStreamClassifier(VideoClassifier):
    """Base of the networks that are one stream, a global average and a dense layer.

    A class of the zoo builds its network as a functional model from normalised frames to the last
    feature maps and hands it to `take_stream`; all the rest is here.

    Args:
        num_classes: Number of classes (L).
        clip: Clip that the model takes.
        **options: What all classifiers take, see `ClassifierOptions`.
    """

    modalities = ("rgb", "flow")

    def __init__(self, num_classes: int, *, clip: ClipSpec, **options: Unpack[ClassifierOptions]):
        super().__init__(num_classes, clip=clip, **options)

    def take_stream(self, stream) -> None:
        """Keep the network, (B, T, H, W, 3) to (B, t, h, w, C), and create the dense layer."""
        self.stream = stream
        self.build(self.input_shape)

    def build(self, input_shape):
        """Create the dense layer; the stream was built with the model."""
        self.classifier.build((None, self.stream.output_shape[-1]))
        self.built = True

    @property
    def class_weights(self):
        """Dense weights W, (C, L), as a tuple of one."""
        return (self.classifier.kernel,)

    def features(self, clip):
        """Last feature maps at inference, (B, t, h, w, C), as a tuple of one."""
        return (self.stream(self.prepare(clip), training=False),)

    def prepare(self, clip):
        """What the stream takes of a clip: its pixels, normalised."""
        return self.normalize(clip)

    def call(self, clip, training=False):
        """Return logits (B, L)."""
        self.check_clip(clip)
        F = self.run_stream(self.stream, self.prepare(clip), training)
        return self.classifier(self.dropout(self.pool(F), training=training))
