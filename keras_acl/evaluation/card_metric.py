"""What a model card says of an evaluation."""

from keras_acl.evaluation.metrics import summary
from keras_acl.evaluation.multi_label import multi_label_summary
from keras_acl.evaluation.scores import Scores
from keras_acl.pretrained.card import Metric


def card_metric(scores: Scores, measured_by: str) -> Metric:
    """What a model card says, from raw scores: never typed.

    Args:
        scores: Scores of an evaluation that is complete, of one label a video or of several.
        measured_by: The command, or who measured it.

    Raises:
        ValueError: If videos are pending, or none has a label and scores.
    """
    if not scores.complete:
        pending = int((~(scores.done | scores.failed)).sum())
        raise ValueError(
            f"{pending} of {len(scores.paths)} videos are pending: finish the evaluation first."
        )
    if scores.multi_label:
        found = multi_label_summary(scores)
        shares = {"top1": None, "mean_average_precision": found.mean_average_precision}
    else:
        found = summary(scores)
        shares = {"top1": found.top1, "top5": found.top5}
    return Metric(
        dataset=scores.dataset,
        **{
            name: None if share is None else round(100 * share, 2) for name, share in shares.items()
        },
        videos=found.scored,
        protocol=found.protocol,
        measured_by=measured_by,
    )
