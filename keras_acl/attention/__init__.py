"""Where a model looks: maps of both streams, and pictures of them."""

from keras_acl.attention.maps import AttentionMaps, attention_maps
from keras_acl.attention.measures import energy_inside, pointing_game
from keras_acl.attention.overlay import overlay, save_contact_sheet

__all__ = [
    "AttentionMaps",
    "attention_maps",
    "energy_inside",
    "overlay",
    "pointing_game",
    "save_contact_sheet",
]
