"""Moving figures: a labelled data set of any size, with masks, that needs no download.

* `dataset`: `MovingFigures`, which draws clips and writes them as video files.
* `drawing`: what a figure is, how it moves, and how a scene becomes pixels.
"""

from keras_acl.moving_figures.dataset import FigureClip, MovingFigures, read_mask

__all__ = ["FigureClip", "MovingFigures", "read_mask"]
