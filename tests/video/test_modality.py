import dataclasses

import numpy as np
import pytest
from video_files import write_video

from keras_acl.clip import ClipSpec
from keras_acl.data import Augmentation, VideoDataset, VideoList, read_clip, read_training_clip
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.flow import flow_of
from keras_acl.video.modality import mirrored, to_picture, with_u_turned
from keras_acl.video.sampling import record_rng
from keras_acl.video.video import Video
from keras_acl.video.views import ViewGrid, iterate_views
from keras_acl.video.windows import read_windows

CLIP = ClipSpec(frames=4, span=8, size=28)
FLOW = dataclasses.replace(CLIP, modality="flow")
BOTH = dataclasses.replace(CLIP, modality="rgb+flow")
CLIPS = [CLIP, FLOW, BOTH]


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Blocks that move to the right."""
    blocks = np.random.default_rng(0).integers(0, 256, (12, 40), np.uint8).repeat(4, 0).repeat(4, 1)
    frames = [
        np.repeat(blocks[:, number : number + 80, None], 3, -1) for number in range(40, 0, -2)
    ]
    path = tmp_path_factory.mktemp("modality") / "blocks.mp4"
    return Video(str(write_video(path, np.stack(frames))), 0)


def of_each(read) -> list[np.ndarray]:
    """What is read of a clip of colours, of flow, and of both."""
    return [np.asarray(read(clip)) for clip in CLIPS]


READERS = {
    "uniform": lambda video, clip: read_uniform_clips(video, clip, 2),
    "clip": lambda video, clip: read_clip(video, clip),
    "random": lambda video, clip: read_clip(video, clip, record_rng(0, 0, 0), 30),
    "training": lambda video, clip: read_training_clip(
        video, clip, Augmentation(), record_rng(0, 0, 1)
    ),
    "views": lambda video, clip: list(iterate_views(video, clip, ViewGrid(2, 3))),
    "ten": lambda video, clip: list(iterate_views(video, clip, ViewGrid(1, "ten"))),
    "windows": lambda video, clip: [w.clip for w in read_windows(video, clip, 4, [])],
}


@pytest.mark.parametrize("name", list(READERS))
def test_both_are_colours_and_flow_of_the_same_place_and_time(video, name):
    colours, flow, both = of_each(lambda clip: READERS[name](video, clip))
    assert [part.shape[-1] for part in (colours, flow, both)] == [3, 2, 5]
    assert {part.dtype for part in (colours, flow, both)} == {np.dtype("uint8")}
    np.testing.assert_array_equal(both, np.concatenate([colours, flow], axis=-1))
    assert np.abs(flow[..., 0].astype(int) - 128).max() > 8  # it moves


@pytest.mark.parametrize("name", ["uniform", "views"])
def test_flow_is_read_of_its_file(video, name):
    of_file = np.asarray(READERS[name](flow_of(video), CLIP))[..., :2]
    np.testing.assert_array_equal(READERS[name](video, FLOW), of_file)


def test_what_moves_to_the_right_moves_to_the_left_in_the_mirror(video):
    def read(clip, flip):
        return read_training_clip(video, clip, Augmentation(flip=flip), record_rng(0, 0, 2))

    for clip in CLIPS:
        expected = read(clip, 0.0)[:, :, ::-1].copy()
        if clip is not CLIP:
            expected[..., -2] = 255 - expected[..., -2]
        difference = expected.astype(int) - read(clip, 1.0)
        assert np.abs(difference).max() <= 1  # of the other order of resizing and mirroring


def test_mirrored_crops_of_the_ten_have_their_flow_turned(video):
    for clip in (FLOW, BOTH):
        views = list(iterate_views(video, clip, ViewGrid(1, "ten")))
        for crop in range(5):
            turned = views[crop][:, :, ::-1].copy()
            turned[..., -2] = 255 - turned[..., -2]
            np.testing.assert_array_equal(views[crop + 5], turned)


def test_mirroring_by_hand():
    frame = np.array([[[100, 50], [200, 60]]], np.uint8)
    assert mirrored(frame).tolist() == [[[55, 60], [155, 50]]]
    both = np.array([[1, 2, 3, 100, 50]], np.uint8)
    assert with_u_turned(both).tolist() == [[1, 2, 3, 155, 50]]
    assert with_u_turned(both[:, :3]).tolist() == [[1, 2, 3]]


def test_pictures_of_channels():
    both = np.arange(5, dtype=np.uint8)[None]
    assert to_picture(both).tolist() == [[0, 1, 2]]
    assert to_picture(both[:, 3:]).tolist() == [[3, 4, 128]]
    assert to_picture(both[:, :3]).tolist() == [[0, 1, 2]]


def test_stacks_are_of_successive_frames_and_overlap_in_short_videos(video):
    stacks = dataclasses.replace(FLOW, frames=15, span=64, segments=True, stack=5)
    short = dataclasses.replace(video, end=0.2)  # 6 frames
    for rng in (None, record_rng(0, 0, 3)):
        read = read_clip(short, stacks, rng, 28)
        assert read.shape[::3] == (15, 2)
    trained = read_training_clip(short, stacks, Augmentation(flip=0), record_rng(0, 0, 3))
    assert trained.shape == (15, 28, 28, 2)
    single = dataclasses.replace(FLOW, frames=6, span=6)
    every = read_training_clip(short, single, Augmentation(flip=0), record_rng(0, 0, 3))
    assert every.shape[0] == 6


def test_a_data_set_of_flow(video, tmp_path):
    batches = VideoDataset(VideoList([video] * 3, ("moving",)), BOTH, 2, training=False)
    clips, labels = batches[0]
    assert (clips.shape, labels.tolist()) == ((2, 4, 28, 28, 5), [0, 0])
    missing = Video(str(tmp_path / "missing.mp4"))
    with pytest.warns(UserWarning, match="missing"):
        (clips,) = VideoDataset([video_without(video), missing], FLOW, 2, training=False)[0]
    assert clips[1].max() == 0


def test_layers_for_colours_do_not_change_flow(video):
    videos = VideoList([video], ("moving",))
    with pytest.raises(ValueError, match=r"hold optical flow.*randaugment=0\.5, 0 layers"):
        VideoDataset(videos, FLOW, augmentation=Augmentation(randaugment=0.5))
    VideoDataset(videos, FLOW, augmentation=Augmentation(randaugment=0.5), training=False)


def video_without(video):
    """The same without a label."""
    return dataclasses.replace(video, label=None)
