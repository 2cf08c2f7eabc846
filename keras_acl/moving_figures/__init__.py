"""Moving figures: a labelled data set of any size, with masks, that needs no download."""

from keras_acl.moving_figures.dataset import FigureClip, MovingFigures, read_mask

__all__ = ["FigureClip", "MovingFigures", "read_mask"]
