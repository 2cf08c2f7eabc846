import multiprocessing
import threading

import pytest

from keras_acl.data.bad_videos import BadVideos, BadVideosError, BadVideoWarning


def test_a_file_costs_one_warning_that_names_it():
    bad = BadVideos(100)
    with pytest.warns(BadVideoWarning, match=r"a\.mp4 cannot be read: no frames\. Another clip"):
        bad.add("a.mp4", "no  frames\n")
    bad.add("a.mp4", "no frames")
    assert bad.found == {"a.mp4": "no frames"}


@pytest.mark.parametrize(
    ("total", "fraction", "limit"),
    [(120, 0.05, 6), (10, 0.05, 1), (1, 0.05, 1), (100, 0.0, 1), (100, 1.0, 100), (39, 0.05, 1)],
)
def test_the_limit(total, fraction, limit):
    assert BadVideos(total, fraction).limit == limit


def test_one_more_than_the_limit_stops_the_run_and_says_why():
    bad = BadVideos(80)
    for number in range(4):
        with pytest.warns(BadVideoWarning):
            bad.add(f"{number}.mp4", "no frames")
    text = (
        r"5 of 80 videos cannot be read, and no more than 4 may be bad: 0.mp4 \(no frames\), "
        r"1.mp4 \(no frames\), 2.mp4 \(no frames\), .... Run `keras-acl check-videos FOLDER`"
    )
    with pytest.warns(BadVideoWarning), pytest.raises(BadVideosError, match=text):
        bad.add("4.mp4", "no frames")
    with pytest.raises(BadVideosError, match="5 of 80"):  # and does not go on when asked again
        bad.add("0.mp4", "no frames")


def test_the_list_grows_line_by_line_and_survives_runs(tmp_path):
    file = tmp_path / "runs" / "bad.txt"
    with pytest.warns(BadVideoWarning, match=r"listed in .*bad\.txt"):
        BadVideos(100, list_file=file).add("a.mp4", "empty")
    second = BadVideos(100, list_file=file)
    with pytest.warns(BadVideoWarning):
        second.add("b.mp4", "no\tvideo")
    with pytest.warns(BadVideoWarning):
        second.add("a.mp4", "empty")
    assert file.read_text() == "a.mp4\tempty\nb.mp4\tno video\n"


def test_no_bad_file_no_list(tmp_path):
    BadVideos(100, list_file=tmp_path / "bad.txt")
    assert not list(tmp_path.iterdir())


def test_a_list_that_cannot_be_written_does_not_stop_the_run(tmp_path):
    (tmp_path / "bad.txt").mkdir()
    with pytest.warns(BadVideoWarning, match=r"bad\.txt cannot be written"):
        BadVideos(100, list_file=tmp_path / "bad.txt").add("a.mp4", "empty")


@pytest.mark.filterwarnings("ignore::keras_acl.data.bad_videos.BadVideoWarning")
def test_threads_may_share_a_log(tmp_path):
    bad = BadVideos(1000, list_file=tmp_path / "bad.txt")
    names = [f"{number}.mp4" for number in range(20)]
    threads = [
        threading.Thread(target=lambda: [bad.add(name, "empty") for name in names])
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lines = (tmp_path / "bad.txt").read_text().splitlines()
    assert sorted(lines) == sorted(f"{name}\tempty" for name in names)


def _report(file, process):
    bad = BadVideos(1000, list_file=file)
    for number in range(20):
        bad.add(f"{process}-{number}.mp4", "empty")


def test_processes_may_share_a_list(tmp_path):
    file = tmp_path / "bad.txt"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_report, args=(file, process)) for process in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    names = {line.split("\t")[0] for line in file.read_text().splitlines()}
    assert names == {f"{process}-{number}.mp4" for process in range(2) for number in range(20)}


def test_a_line_of_the_list_is_one_file_whatever_its_name_is(tmp_path):
    for _ in range(2):  # two runs
        bad = BadVideos(100, list_file=tmp_path / "bad.txt")
        for name in ("caf\udce9.mp4", "two\nlines\t.mp4"):
            with pytest.warns(BadVideoWarning):
                bad.add(name, "empty")
    lines = (tmp_path / "bad.txt").read_text().splitlines()
    assert lines == ["caf\\udce9.mp4\tempty", "two\\nlines\\t.mp4\tempty"]


@pytest.mark.parametrize("fraction", [-0.1, 1.1])
def test_a_share_is_from_0_to_1(fraction):
    with pytest.raises(ValueError, match=r"from 0 to 1\. Received: max_bad_fraction="):
        BadVideos(10, fraction)
