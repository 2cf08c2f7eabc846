"""Mouth crops for the ablation, and what they say without a network."""

import charts
import floors
import lips
import numpy as np
import pytest
import results


@pytest.fixture(scope="module")
def words(mouths, tmp_path_factory):
    return lips.lips(mouths, "words", tmp_path_factory.mktemp("packed"))


def test_every_utterance_is_seen_from_first_frame_to_last(words):
    assert words.clips.shape == (30, lips.FRAMES, *lips.SIZE)
    assert words.clips.dtype == np.uint8
    assert words.names.tolist() == ["begin", "choose"]
    assert words.labels.tolist() == [0, 1] * 15
    for clip, label in zip(words.clips.astype(int), words.labels, strict=True):
        moving, still = clip[:, 24, 10], clip[:, 24, 60]
        if label:
            moving, still = still, moving
        rise = np.diff(moving)
        assert moving[-1] - moving[0] == pytest.approx(100, abs=6)
        assert (np.abs(rise - 100 / 15) < 8).all()
        assert np.ptp(still) <= lips.STEP


def test_packed_clips_are_read_without_the_videos(mouths, tmp_path):
    read = lips.lips(mouths, "words", tmp_path)
    again = lips.lips(tmp_path / "nowhere", "words", tmp_path)
    for name, value in vars(read).items():
        np.testing.assert_array_equal(value, getattr(again, name))


def test_a_part_must_be_there(mouths):
    with pytest.raises(ValueError, match="no row whose part is 'phrases'"):
        lips.read_lips(mouths, "phrases")


def test_times_between_frames_are_blended():
    pictures = np.array([0, 100, 200], np.uint8)[:, None, None]
    assert lips.of_length(pictures, 5).ravel().tolist() == [0, 50, 100, 150, 200]
    assert lips.of_length(pictures, 2).ravel().tolist() == [0, 200]
    assert lips.of_length(pictures[:1], 3).ravel().tolist() == [0, 0, 0]


def test_every_speaker_tests_in_one_fold(words):
    tested = [words.tested(fold) for fold in range(lips.FOLDS)]
    assert (np.sum(tested, axis=0) == 1).all()
    for fold in range(lips.FOLDS):
        chosen = lips.test_speakers(words.speakers, fold)
        assert [name[0] for name in chosen] == ["F", "F", "M"]
    assert set(words.speakers[words.tested("readme")]) == {"F05", "F09", "M02"}
    for fold in (5, "README"):
        with pytest.raises(ValueError, match="0 to 4 or 'readme'"):
            words.tested(fold)


def test_networks_get_three_equal_channels(words):
    clips = lips.in_colour(words.clips[:2])
    assert clips.shape == (2, lips.FRAMES, *lips.SIZE, 3)
    assert (clips == words.clips[:2, ..., None]).all()


def test_floors_see_motion_and_not_brightness(words):
    found = floors.floors(words, 0)
    assert list(found) == list(floors.FLOORS)
    assert found["differences, nearest neighbour"] == 1
    assert found["differences, ridge"] == 1
    still = lips.Lips(words.clips[:, :1].repeat(4, axis=1), *list(vars(words).values())[1:])
    assert floors.floors(still, 0)["mean frame, nearest neighbour"] == 0.5


def test_ridge_separates_what_a_line_cannot():
    corners = np.array([[1, 1], [-1, -1], [1, -1], [-1, 1]], np.float32) / np.sqrt(2)
    labels = np.array([0, 0, 1, 1])
    np.testing.assert_array_equal(floors.ridge(corners, labels, 0.9 * corners), labels)


def test_floors_are_printed_for_every_split(mouths, tmp_path, run_example, monkeypatch):
    monkeypatch.setattr(floors, "PARTS", ("words",))
    printed = run_example("floors", mouths, "--cache", tmp_path).splitlines()
    assert len(printed) == 2 + 1 + lips.FOLDS + 1
    assert printed[2].startswith("| words | readme |")
    assert printed[-1].endswith("| 1.000 | 1.000 |")


def test_floors_stand_among_the_runs(mouths, tmp_path, run_example, monkeypatch):
    monkeypatch.setattr(floors, "PARTS", ("words",))
    run_example("floors", mouths, "--cache", tmp_path, "--output", tmp_path)
    cells = results.read_runs(tmp_path / "runs")
    assert len(cells) == len(floors.FLOORS)
    ridge = cells[lips.REGIME, "words", charts.BEST_FLOOR]
    assert {fold for fold, _ in ridge} == {lips.README, *map(str, range(lips.FOLDS))}
    assert all(row["accuracy"] == 1 for row in ridge.values())
