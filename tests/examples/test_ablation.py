"""The ablation: its runs on tiny input, and its clips of real videos."""

import json

import numpy as np
import one_run
import pytest
import real_videos
import results
import tables
from plan import EQUATIONS, TABLE5, VARIANTS, Budget, Run
from video_files import write_video

from keras_acl import ClipSpec
from keras_acl.data import read_directory

CLIP = ClipSpec(frames=4, span=8, size=24)
# tf.data stays compiled and says so when the networks do not.
pytestmark = pytest.mark.filterwarnings("ignore:Even though the `tf.config:UserWarning")


# Runs


def test_nothing_is_repeated(tmp_path, run_example, monkeypatch):
    performed = []

    def perform(run, budget, cache, videos):
        performed.append(str(run))
        measured = dict.fromkeys(tables.MEASURES, 0.5 + 0.1 * len(performed)) | {"chance": 0.1}
        return one_run.record(run, budget, {"loss": [1.0]}, measured)

    monkeypatch.setattr("run.perform", perform)
    arguments = ["--output", tmp_path, "--seeds", "0", "--tasks", "appearance_motion"]
    arguments += ["--variants", "no_fusion", "ac", "--regimes", "rule", "weak"]
    printed = run_example("run", *arguments)
    names = ["rule-appearance_motion-no_fusion-0", "rule-appearance_motion-ac-0"]
    assert performed == [*names, "weak-appearance_motion-ac-0"]
    assert f"1 of 3: {names[0]}" in printed
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 4
    record = json.loads((tmp_path / "runs" / f"{performed[2]}.json").read_text())
    assert record["regime"]["weight"] == 0.5
    # Only λ differs, so the runs without the term are those of the rule.
    table = (tmp_path / "results.md").read_text()
    assert "| appearance × motion: λ = 0.5 | 60.0 | +20.0 (1 of 1) |" in table
    assert results.report(results.read_table(tmp_path / "runs.csv")) == table
    for name in ("methods.png", "variants.png", "regimes.png"):
        assert (tmp_path / name).stat().st_size > 5000
    run_example("run", *arguments)
    assert len(performed) == 3
    with pytest.raises(SystemExit, match="another budget"):
        run_example("run", *arguments, "--epochs", "1")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("drawn")


@pytest.fixture
def perform(cache, eager):
    """Performs a run of one step."""
    budget = Budget(size=32, clips=4, test_clips=4, epochs=1)

    def run(variant, regime, task="appearance_motion", videos=None):
        return one_run.perform(Run(variant, task, regime, seed=0), budget, cache, videos)

    return run


@pytest.mark.parametrize("variant", ["fusion", "slow_scam", "ac_random"])
def test_networks_learn_and_are_measured(perform, variant):
    result = perform(variant, "rule")
    assert np.isfinite(list(result["measured"].values())).all()
    assert ("consistency" in result["history"]) == variant.startswith("ac")
    assert ("correlation" in result["measured"]) == (not variant.startswith("slow"))


def test_every_variant_is_another_network():
    def differences(variant):
        config = one_run.network(variant, ("a", "b"), Budget()).get_config()
        consistency = config.get("consistency")
        return json.dumps(
            [
                config.get("fusion"),
                config.get("scales"),
                consistency,
                config.get("consistency_weight"),
            ],
            default=str,
        )

    built = {variant: differences(variant) for variant in VARIANTS}
    assert set(built) == {*TABLE5, *EQUATIONS}
    assert len(set(built.values())) == len(built)


@pytest.mark.parametrize("regime", ["spatial_first", "few", "context"])
def test_circumstances(perform, regime):
    result = perform("ac", regime)
    assert np.isfinite(list(result["measured"].values())).all()
    assert len(result["history"]["loss"]) == (4 if regime == "few" else 1)


def test_a_context_tells_the_class_in_its_share_of_the_clips():
    labels = np.arange(400) % 4
    clips = one_run.with_context(np.zeros((400, 2, 20, 20, 3), np.uint8), labels, 4, 1.0, seed=0)
    colours = [
        {tuple(clip.reshape(-1, 3).max(axis=0)) for clip in clips[labels == k]} for k in range(4)
    ]
    assert [len(seen) for seen in colours] == [1, 1, 1, 1]
    clips = one_run.with_context(np.zeros((400, 2, 20, 20, 3), np.uint8), labels, 4, 0.0, seed=0)
    seen = {tuple(clip.reshape(-1, 3).max(axis=0)) for clip in clips[labels == 0]}
    assert len(seen) == 4


# Clips of real videos


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eight places, two videos of each with other noise; class "light" is brighter."""
    folder, rng = tmp_path_factory.mktemp("videos"), np.random.default_rng(0)
    for place in range(8):
        light = place % 2
        blocks = rng.integers(0, 80, (5, 6, 1)) + 120 * light
        picture = np.kron(blocks, np.ones((8, 8, 3)))[None]
        for number in range(2):
            noise = rng.integers(-9, 10, (20, 40, 48, 3))
            frames = np.clip(picture + noise, 0, 255).astype(np.uint8)
            file = folder / ("light" if light else "dark") / f"{place}-{number}.mp4"
            file.parent.mkdir(exist_ok=True)
            write_video(file, frames)
    return folder


def test_videos_of_one_place_are_one_recording(folder):
    groups: dict = {}
    for video in real_videos.by_recording(read_directory(folder)):
        groups.setdefault(video.group, set()).add(video.path.rsplit("-", 1)[0])
    assert len(groups) == 8
    assert all(len(places) == 1 for places in groups.values())


def test_clips_have_the_class_of_their_video(folder, tmp_path):
    data = real_videos.folder_clips(folder, CLIP, 0, tmp_path)
    assert data.labels.tolist() == ["dark", "light"]
    assert len(data.clips) == real_videos.DRAWS * (16 - len(data.test_clips))
    for clips, classes in ((data.clips, data.classes), (data.test_clips, data.test_classes)):
        assert set(classes.tolist()) == {0, 1}
        np.testing.assert_array_equal(clips.mean(axis=(1, 2, 3, 4)) > 110, classes == 1)


def test_the_second_time_they_come_from_the_disk(folder, tmp_path, monkeypatch):
    first = real_videos.folder_clips(folder, CLIP, 1, tmp_path)
    monkeypatch.setattr(real_videos, "_read", None)
    second = real_videos.folder_clips(folder, CLIP, 1, tmp_path)
    for name, value in vars(first).items():
        np.testing.assert_array_equal(getattr(second, name), value)


def test_recordings_are_kept_apart(perform, folder, monkeypatch):
    monkeypatch.setattr(real_videos, "DRAWS", 1)
    result = perform("ac", "folder", "videos", folder)
    assert sum(result["recordings"]) == 8
    assert result["test_videos"] == 2 * result["recordings"][1]
    assert "pointing_spatial" not in result["measured"]
    assert 0 <= result["measured"]["accuracy"] <= 1
