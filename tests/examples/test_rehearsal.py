import numpy as np
import pytest
import rehearsal

from keras_acl import ClipSpec, recipes
from keras_acl.data import Video, probe, read_frames
from keras_acl.evaluation import ViewGrid
from keras_acl.models import SlowClassifier


@pytest.mark.parametrize("name", ["clip.mp4", "v_YoYo_g01_c01.avi"])
def test_clips_are_read_as_they_were_drawn(tmp_path, name):
    rehearsal.write_figure(tmp_path / name, 0, seed=1)
    info = probe(tmp_path / name)
    assert (info.frames, info.fps, info.width, info.height) == (32, 30, 64, 64)
    drawn = rehearsal.FIGURES.draw(0, seed=1).frames
    read = read_frames(tmp_path / name, np.arange(32) / 30, 64)
    assert np.abs(read.astype(int) - drawn).mean() < 9  # resolution of colours, and noise


def test_a_clip_may_have_another_rate(tmp_path):
    rehearsal.write_clip(tmp_path / "a.avi", np.zeros((10, 32, 32, 3), "uint8"), fps=25)
    assert probe(tmp_path / "a.avi").fps == 25


def test_typical_video_is_as_large_as_those_of_kinetics(tmp_path):
    videos = rehearsal.typical_videos(tmp_path)
    info = probe(videos[0].path)
    assert (info.frames, info.width, info.height) == (300, 340, 256)
    # Facebook's copy: 132 GB, 254,404 videos
    assert rehearsal.gigabytes(videos[:1]) == pytest.approx(132 / 254404, rel=0.4)


def test_costs_are_those_of_the_slower_part(capsys):
    speed = rehearsal.Speed(training=10, testing=20, reading=5, batch_size=4)
    size = rehearsal.Size(training=3000, testing=500, gigabytes=1.5, source="counted")
    recipe = recipes.finetune(epochs=9, precise_batches=25)
    rehearsal.print_costs(speed, size, recipe, runs=2, grid=ViewGrid(4, 2))
    printed = capsys.readouterr().out
    # 2 runs x 9 epochs x (3000 + 500 + 25 x 4) clips at 5 a second are 12960 s
    assert "2 x 9 epochs of 3,000 clips: 3.6 hours (the loader is the slower part)" in printed
    # 2 x 500 videos x (8 views at 1/20 s + 4 clips read at 1/5 s) are 1200 s
    assert "2 x 500 test videos x 8 views: 0.3 hours" in printed
    assert "1.5 GB of videos" in printed


def test_speed_is_measured(tmp_path, monkeypatch):
    rehearsal.write_figure(tmp_path / "a.mp4", 0, seed=0)
    clip = ClipSpec(frames=4, span=8, size=32)
    model = SlowClassifier(3, clip=clip, depth=11, width=8, speed_ratio=4)
    ticks = iter(range(100))
    monkeypatch.setattr(rehearsal, "perf_counter", lambda: next(ticks))
    videos = [Video(str(tmp_path / "a.mp4"), 0)] * 3
    speed = rehearsal.measure(model, recipes.finetune(epochs=1), videos, batch_size=4)
    # A clock that ticks at every look: 8 clips were read in one tick, a step of 4 takes one.
    assert speed == rehearsal.Speed(training=4, testing=4, reading=8, batch_size=4)


def test_some_videos_are_from_all_over_the_list():
    videos = [Video(f"{number}.mp4") for number in range(1000)]
    chosen = rehearsal.some(videos)
    assert len(chosen) == rehearsal.READ_VIDEOS
    assert (chosen[0], chosen[-1]) == (videos[0], videos[-1])
    assert rehearsal.some(videos[:2]) == videos[:2]
