import dataclasses
import logging
import warnings

import pytest

from keras_acl import recipes
from keras_acl.clip import ClipSpec
from keras_acl.training.runs.settings import RunSettings
from keras_acl.training.runs.videos import read_run_videos


@pytest.fixture
def settings(tmp_path):
    for place in ("one/run", "one/sit", "two/run", "two/sit"):
        (tmp_path / place).mkdir(parents=True)
        for number in range(5):
            (tmp_path / place / f"{number}.mp4").touch()
    clip = ClipSpec(frames=8, span=16, size=32)
    return RunSettings(str(tmp_path / "one"), "small", clip, recipes.finetune(), seed=3)


def test_without_a_validation_set_the_videos_are_split(settings):
    videos = read_run_videos(settings)
    assert (len(videos.train), len(videos.validation), videos.test) == (8, 2, None)
    assert len(videos.listed) == 10


def test_named_sets_are_read_in_the_classes_of_the_first(settings, tmp_path):
    (tmp_path / "test.csv").write_text("path,label\ntwo/sit/0.mp4,sit\n")
    named = dataclasses.replace(
        settings, validation=str(tmp_path / "two"), test=str(tmp_path / "test.csv")
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        videos = read_run_videos(named)
    assert (len(videos.train), len(videos.validation), len(videos.test)) == (10, 10, 1)
    assert videos.test.labels == ("run", "sit")
    assert videos.test[0].label == 1
    assert len(videos.listed) == 21


def test_videos_on_two_sides_are_a_warning_with_their_number(settings, tmp_path):
    (tmp_path / "some.csv").write_text("path,label\none/../one/run/0.mp4,run\ntwo/sit/0.mp4,sit\n")
    for side in ("validation", "test"):
        named = dataclasses.replace(settings, **{side: str(tmp_path / "some.csv")})
        if side == "test":  # whatever is split off
            named = dataclasses.replace(named, validation=str(tmp_path / "two"))
        with pytest.warns(UserWarning, match=f"^1 of the 2 {side} videos are trained on"):
            read_run_videos(named)


def test_several_labels_are_read_of_tables_alone(settings, tmp_path, caplog):
    (tmp_path / "some.csv").write_text(
        "path,label\none/run/0.mp4,run|sit\none/run/1.mp4,\none/sit/2.mp4,sit\none/sit/3.mp4,run\n"
    )
    several = dataclasses.replace(settings, source=str(tmp_path / "some.csv"), multi_label=True)
    with caplog.at_level(logging.WARNING, "keras_acl"):
        videos = read_run_videos(several)
    assert sorted(video.label for video in videos.listed) == [(), (0,), (0, 1), (1,)]
    assert "1 of 4 videos have no label" in caplog.text
    with pytest.raises(ValueError, match=r"says one label of each video.* such as left\|red"):
        read_run_videos(dataclasses.replace(settings, multi_label=True))
    with pytest.raises(ValueError, match="balance=True weighs each video by its class"):
        dataclasses.replace(several, recipe=recipes.finetune(balance=True))
