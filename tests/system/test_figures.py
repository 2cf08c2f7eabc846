import numpy as np
from matplotlib.figure import Figure
from matplotlib.image import imread

from keras_acl.system.figures import save_figure


def test_a_title_may_be_any_file_name(tmp_path):
    pictures = []
    for name in ("caf\udce9 \x1b.mp4\nb", r"caf\udce9 \x1b.mp4" + "\nb"):
        figure = Figure(figsize=(3, 1))
        figure.suptitle(name)
        save_figure(figure, tmp_path / "a.png")
        pictures.append(imread(tmp_path / "a.png"))
    assert np.ptp(pictures[0]) > 0.5
    np.testing.assert_array_equal(*pictures)
