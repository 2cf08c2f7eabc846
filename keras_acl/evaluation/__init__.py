"""Evidence: many views per video, raw scores, and every number that can be computed from them."""

from typing import TYPE_CHECKING

from keras_acl.evaluation.calibration import calibration
from keras_acl.evaluation.card_metric import card_metric
from keras_acl.evaluation.class_groups import GROUPS, known_groups, read_groups
from keras_acl.evaluation.comparison import Comparison, Difference, compare
from keras_acl.evaluation.metrics import (
    NOT_FOUND,
    StreamAccuracy,
    Summary,
    class_table,
    confusion_matrix,
    mean_class_accuracy,
    summary,
    top_k_accuracy,
    wilson_interval,
)
from keras_acl.evaluation.multi_label import (
    LabelRow,
    MultiLabelSummary,
    average_precision,
    label_table,
    multi_label_summary,
)
from keras_acl.evaluation.multi_view import EvaluationOptions, evaluate_views
from keras_acl.evaluation.roc import RocCurve, roc_curves
from keras_acl.evaluation.scores import Protocol, Scores, merge
from keras_acl.system.lazy_names import lazy_names
from keras_acl.video.views import ViewGrid, crop_corners, iterate_views

if TYPE_CHECKING:
    from keras_acl.report import write_report

__all__ = [
    "GROUPS",
    "NOT_FOUND",
    "Comparison",
    "Difference",
    "EvaluationOptions",
    "LabelRow",
    "MultiLabelSummary",
    "Protocol",
    "RocCurve",
    "Scores",
    "StreamAccuracy",
    "Summary",
    "ViewGrid",
    "average_precision",
    "calibration",
    "card_metric",
    "class_table",
    "compare",
    "confusion_matrix",
    "crop_corners",
    "evaluate_views",
    "iterate_views",
    "known_groups",
    "label_table",
    "mean_class_accuracy",
    "merge",
    "multi_label_summary",
    "read_groups",
    "roc_curves",
    "summary",
    "top_k_accuracy",
    "wilson_interval",
    "write_report",
]

# A report shows an evaluation, so it stands above; the name was here first.
__getattr__, __dir__ = lazy_names(__name__, {"write_report": "keras_acl.report"})
