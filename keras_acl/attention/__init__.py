"""Where a model looks: maps of both streams, pictures and videos of them, measures.

A video with both streams' attention laid over it: `explain`. The maps themselves: `attention_maps`.
Pictures of them: `overlay`, `save_contact_sheet`, and `AttentionSnapshots` while a model trains.
How much attention falls where the action is: `measure_boxes` for videos with boxes (`read_boxes`)
or masks, `measure` for maps and masks, and the measures it consists of.
"""

from typing import TYPE_CHECKING

from keras_acl.attention.boxes import read_boxes
from keras_acl.attention.explanation import Explanation, explain
from keras_acl.attention.maps import AttentionMaps, attention_maps
from keras_acl.attention.measure_videos import Measured, MeasuredBoxes, measure_boxes
from keras_acl.attention.measures import (
    energy_inside,
    mask_iou,
    measure,
    pointing_game,
    stream_correlation,
    stream_distance,
)
from keras_acl.attention.overlay import overlay, save_contact_sheet
from keras_acl.system.lazy_names import lazy_names

if TYPE_CHECKING:
    from keras_acl.attention.snapshots import AttentionSnapshots

__all__ = [
    "AttentionMaps",
    "AttentionSnapshots",
    "Explanation",
    "Measured",
    "MeasuredBoxes",
    "attention_maps",
    "energy_inside",
    "explain",
    "mask_iou",
    "measure",
    "measure_boxes",
    "overlay",
    "pointing_game",
    "read_boxes",
    "save_contact_sheet",
    "stream_correlation",
    "stream_distance",
]

# A callback of Keras; the rest does without.
__getattr__, __dir__ = lazy_names(__name__, {"AttentionSnapshots": "keras_acl.attention.snapshots"})
