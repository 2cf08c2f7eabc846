"""What scores views: a Keras model, or an exported one."""

import os
from typing import Any, Protocol

import numpy as np

from keras_acl.engines.inference_model import InferenceModel
from keras_acl.engines.scores import scores_of

VIEWS_A_CORE = 4


class Scorer(Protocol):
    """A model as a function from views to scores.

    Attributes:
        model: The model.
    """

    model: Any

    def score(self, views: np.ndarray, size: int) -> np.ndarray:
        """Scores of views (B, T, H, W, 3), `size` at a time: (B, 1 + streams, L)."""
        ...


class ExportedScorer:
    """Scores of an exported model, each view a request of its own, some at a time.

    Args:
        model: The model.
        size: Height and width of the views in pixels.

    Raises:
        ValueError: If the file takes clips of one size only, and not that of the views.
    """

    def __init__(self, model: InferenceModel, size: int):
        side = model.input_shape[2]
        if side not in (None, size):
            raise ValueError(
                f"{model.file.name} takes clips of {side} pixels, and is evaluated with {size}: "
                "export the model to .xml, for any number of clips."
            )
        self.model = model

    def score(self, views: np.ndarray, size: int) -> np.ndarray:
        """Scores of views (B, T, H, W, 3): (B, 1 + streams, L)."""
        batch = self.model.input_shape[0] or 1
        padded = np.concatenate([views, np.repeat(views[-1:], -len(views) % batch, axis=0)])
        parts = (padded[first : first + batch] for first in range(0, len(padded), batch))
        names = ["logits", *(f"{stream}_logits" for stream in self.model.scored_streams)]
        logits = [
            np.stack([outputs[name] for name in names], axis=1)
            for outputs in self.model.run_many(parts)
        ]
        return scores_of(np.concatenate(logits)[: len(views)], self.model.multi_label)


def scorer_of(
    model: Any, size: int, fully_convolutional: bool, batch_size: int | None
) -> tuple[Scorer, int]:
    """What scores views of a size in pixels, and how many at a time.

    Raises:
        ValueError: If an exported model is asked for what it cannot do.
    """
    if isinstance(model, InferenceModel):
        if fully_convolutional:
            raise ValueError(
                "An exported model averages over the whole map: evaluate the Keras model with "
                "fully_convolutional=True."
            )
        return ExportedScorer(model, size), batch_size or VIEWS_A_CORE * (os.cpu_count() or 1)
    from keras_acl.evaluation import view_scorer
    from keras_acl.models import optimize
    from keras_acl.system.devices import has_accelerator

    scorer = view_scorer.ViewScorer(optimize(model, precision=None), fully_convolutional)
    return scorer, batch_size or (30 if has_accelerator() else 3)
