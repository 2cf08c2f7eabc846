"""A few of each fault, and the page that the results of all of them fill."""

import sys
import time

import disks_and_folders
import flat_memory
import hostile_inputs
import killed_commands
import mutated_videos
import nan_loss
import pytest
import soak

linux = pytest.mark.skipif(sys.platform != "linux", reason="processes are looked at in /proc")


def outcome(*rows) -> tuple[list, list[int], list[int]]:
    """What was lost, and how often each fault was caused, and survived."""
    lost = [each for row in rows for each in row.lost]
    return lost, [row.times for row in rows], [row.survived for row in rows]


@linux
def test_mutated_videos(tmp_path):
    row = mutated_videos.mutated(120, tmp_path, mutated_videos.write_bases(tmp_path))
    assert outcome(row) == ([], [120], [120])


def test_a_mutant_is_made_again_by_its_number(tmp_path):
    bases = mutated_videos.write_bases(tmp_path)
    made = [mutated_videos.mutant(number, bases) for number in range(60)]
    assert made == [mutated_videos.mutant(number, bases) for number in range(60)]
    assert sum(made[number] != bases[number % len(bases)] for number in range(60)) > 50


def test_hostile_inputs(tmp_path):
    lost, times, survived = outcome(*hostile_inputs.run(1, tmp_path))
    assert lost == []
    assert times == survived
    assert len(times) == 7
    assert min(times) >= 2  # several attacks of each kind


def test_an_attack_that_works_is_lost(tmp_path):
    made = hostile_inputs.Attacks(tmp_path)
    assert made.refused(lambda: None) == "it was read"
    assert made.refused(lambda: hostile_inputs.pickle.loads(hostile_inputs.pickle.dumps(made)))
    assert made.mark.exists()


@pytest.mark.usefixtures("eager")
def test_nan(tmp_path):
    assert outcome(*nan_loss.run(2, tmp_path)) == ([], [2], [2])


@linux
@pytest.mark.usefixtures("eager")
def test_flat_memory(tmp_path):
    videos = flat_memory.read_directory(flat_memory.write_figures(tmp_path / "videos", 3))
    model = flat_memory.compiled(flat_memory.two_stream(scales=(1.0,)))
    lost, times, survived = outcome(
        flat_memory.loader(48, videos),
        flat_memory.evaluation(3, model, videos),
        flat_memory.prediction(9, model, videos),
        flat_memory.recording(1 / 60, model, tmp_path / "recording.mp4"),
    )
    assert lost == []
    assert times == survived
    assert min(times) > 0


@linux
def test_memory_that_grows_is_lost():
    kept = []

    def work():
        for _ in range(40):
            kept.append(bytearray(b"x" * 2**21))
            time.sleep(0.02)
            yield

    assert flat_memory.flat("growing", 40, work).lost


@linux
@pytest.mark.slow
def test_killed_commands(tmp_path):
    """The one that starts fast, and the one whose partial work is resumed."""
    with killed_commands.made(tmp_path) as commands:
        for name in ("shrink", "evaluate"):
            row = killed_commands.killed(name, 1, *commands[name], tmp_path / name)
            assert outcome(row) == ([], [1], [1])


@linux
@pytest.mark.slow
def test_full_and_read_only_disks(tmp_path):
    if not disks_and_folders.may_mount(tmp_path):
        pytest.skip("a disk of a few MB needs the right to mount")
    videos = disks_and_folders.write_figures(tmp_path / "videos", 1)
    for disk in ("full", "read_only"):
        with getattr(disks_and_folders, disk)(tmp_path / disk) as out:
            code, said = disks_and_folders.Command("shrink", videos, out / "shrunk").end()
            assert code == 1
            assert said.count("Error: ") == 1
            assert "Traceback" not in said


def test_the_page_shows_the_results():
    page = soak.PAGE.read_text(encoding="utf-8")
    assert f"{soak.BEGIN}{soak.table()}{soak.END}" in page


def test_the_results_are_of_full_runs():
    """A trial with fewer times is not what the page says."""
    for part, times in soak.TIMES.items():
        rows = soak.json.loads((soak.RESULTS / f"{part}.json").read_text(encoding="utf-8"))
        assert rows
        if part in ("mutated_videos", "killed_commands", "nan_loss"):
            assert rows[0]["times"] == times
