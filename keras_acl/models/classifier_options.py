"""The arguments that all classifiers take."""

from collections.abc import Sequence
from typing import TypedDict

import keras


class ClassifierOptions(TypedDict, total=False):
    """Arguments that the constructors of all three classifiers take, all of them optional.

    Args:
        labels: Class names in the order of the logits; kept with the model.
        mean: Subtracted from pixels scaled to [0, 1]: 0.45, or one value for each channel.
        std: Divides them: 0.225, or one value for each channel.
        multi_label: Whether a clip may have several classes, or none: its scores are then the
            sigmoid of each logit, not the softmax of all. See `VideoClassifier.scores`.
        dropout: Dropout rate before the dense layer: 0.5.
        form: Form of the separable convolutions: `"auto"`; see `keras_acl.layers.PaddedConv3D`.
        folded: Whether batch normalisation is folded into the convolutions, for inference only;
            see `keras_acl.optimize`.
        clips_per_group: Clips that share batch statistics in training, see
            `keras_acl.layers.ClipBatchNormalization`.
        name: Name, as in every Keras model.
        dtype: Type or policy, as in every Keras model.
        trainable: Whether weights are trained, as in every Keras model.
    """

    labels: Sequence[str] | None
    multi_label: bool
    mean: float | Sequence[float]
    std: float | Sequence[float]
    dropout: float
    form: str
    folded: bool
    clips_per_group: int | None
    name: str
    dtype: str | keras.DTypePolicy
    trainable: bool
