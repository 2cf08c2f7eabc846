import pytest

from keras_acl.video.video import Video


def test_a_negative_label_is_refused():
    with pytest.raises(ValueError, match=r"0 or more. Received: label=-1"):
        Video("a.mp4", -1)


@pytest.mark.parametrize(
    ("start", "end"), [(-1.0, None), (2.0, 1.0), (2.0, 2.0), (None, 0.0), (float("nan"), None)]
)
def test_senseless_parts_are_refused(start, end):
    with pytest.raises(ValueError, match=f"Received: start={start}, end={end}"):
        Video("a.mp4", 0, start, end)
