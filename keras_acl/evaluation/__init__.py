"""Evidence: many views a video, raw scores, and every number that can be computed from them."""

from keras_acl.evaluation.comparison import Comparison, Difference, compare
from keras_acl.evaluation.evaluating import evaluate_views
from keras_acl.evaluation.groups import GROUPS, known_groups, read_groups
from keras_acl.evaluation.metrics import (
    NOT_FOUND,
    Summary,
    calibration,
    card_metric,
    class_table,
    confusion_matrix,
    mean_class_accuracy,
    summary,
    top_k_accuracy,
    wilson_interval,
)
from keras_acl.evaluation.report import write_report
from keras_acl.evaluation.scores import Protocol, Scores, merge
from keras_acl.evaluation.views import ViewGrid, crop_corners, iterate_views

__all__ = [
    "GROUPS",
    "NOT_FOUND",
    "Comparison",
    "Difference",
    "Protocol",
    "Scores",
    "Summary",
    "ViewGrid",
    "calibration",
    "card_metric",
    "class_table",
    "compare",
    "confusion_matrix",
    "crop_corners",
    "evaluate_views",
    "iterate_views",
    "known_groups",
    "mean_class_accuracy",
    "merge",
    "read_groups",
    "summary",
    "top_k_accuracy",
    "wilson_interval",
    "write_report",
]
