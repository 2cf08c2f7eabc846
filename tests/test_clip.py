import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl import ClipSpec


def test_defaults_are_slowfast_4x16():
    clip = ClipSpec()
    assert dataclasses.astuple(clip) == (32, 64, 30.0, 224, False, "rgb", 1)
    assert clip.seconds == pytest.approx(2.1333333)
    assert clip.test_size == 256


@pytest.mark.parametrize(("size", "expected"), [(224, 256), (112, 128), (64, 73), (32, 37), (1, 1)])
def test_test_size_is_an_eighth_of_seven_more(size, expected):
    assert ClipSpec(size=size).test_size == expected


def test_seconds_follow_span_and_rate():
    assert ClipSpec(frames=8, span=16, fps=25.0).seconds == 0.64


def test_segments_are_a_yes_or_no():
    clip = ClipSpec(frames=8, segments=True)
    assert clip.segments
    assert ClipSpec(**clip.to_dict()) == clip
    before = {"frames": 32, "span": 64, "fps": 30.0, "size": 224}  # in files of 0.1.0
    assert ClipSpec().to_dict() == before
    assert ClipSpec(**before) == ClipSpec()
    with pytest.raises(ValueError, match=r"segments is True or False\. Received: segments=8"):
        ClipSpec(segments=8)


@pytest.mark.parametrize("field", ["frames", "span", "fps", "size"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_values_are_positive(field, value):
    with pytest.raises(ValueError, match=rf"ClipSpec.{field} must be positive. Received: {field}="):
        ClipSpec(**{field: value})


def test_clip_covers_its_frames():
    assert ClipSpec(frames=16, span=16).span == 16
    with pytest.raises(ValueError, match=r"span >= frames. Received: frames=17, span=16"):
        ClipSpec(frames=17, span=16)


def test_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ClipSpec().size = 112  # pyright: ignore[reportAttributeAccessIssue]


@settings(deadline=None, max_examples=50)
@given(
    frames=st.integers(1, 128),
    factor=st.integers(1, 8),
    fps=st.floats(1, 120),
    size=st.integers(1, 512),
)
def test_survives_its_dictionary(frames, factor, fps, size):
    clip = ClipSpec(frames, frames * factor, fps, size)
    copy = ClipSpec(**dataclasses.asdict(clip))
    assert copy == clip
    assert hash(copy) == hash(clip)
    assert clip.test_size >= clip.size


def test_what_a_clip_holds():
    assert [ClipSpec(modality=name).channels for name in ("rgb", "flow", "rgb+flow")] == [3, 2, 5]
    clip = ClipSpec(frames=10, span=64, segments=True, modality="flow", stack=5)
    assert ClipSpec(**clip.to_dict()) == clip
    assert "modality" not in ClipSpec().to_dict()
    with pytest.raises(ValueError, match="Expected a modality of rgb, flow, rgb\\+flow"):
        ClipSpec(modality="depth")
    for arguments in ({"stack": 5}, {"stack": 3, "segments": True}, {"stack": 0}):
        with pytest.raises(ValueError, match="expected segments=True and a number that divides"):
            ClipSpec(**arguments)
