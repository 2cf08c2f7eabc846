import io
import json
import tarfile
from pathlib import Path

import fsspec
import numpy as np
import pytest
from gray_videos import CLIP, LABELS, numbers_of, write_gray_videos

from keras_acl.data.bad_videos import BadVideosError, BadVideoWarning
from keras_acl.data.from_files import from_webdataset
from keras_acl.data.stream import LoadingOptions
from keras_acl.data.video_dataset import VideoDataset
from keras_acl.data.video_list import split
from keras_acl.data.webdataset import expanded, find_shards, read_webdataset


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Bytes and label of ten videos."""
    listed = write_gray_videos(tmp_path_factory.mktemp("gray"))
    return [(Path(video.path).read_bytes(), video.label) for video in listed]


def write_shard(path, files, mode="w"):
    """A tar file of names and their content."""
    with tarfile.open(path, mode) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


@pytest.fixture(scope="module")
def shards(videos, tmp_path_factory):
    """Three shards, each with another kind of label."""
    folder = tmp_path_factory.mktemp("shards")
    kinds = [
        lambda label: ("cls", str(label)),
        lambda label: ("TXT", f"{LABELS[label]}\n"),
        lambda label: ("json", json.dumps({"label": LABELS[label], "kind": label})),
    ]
    for shard, numbers in enumerate([(0, 5, 1), (6, 2, 7, 3), (8, 4, 9)]):
        files = []
        for number in numbers:
            content, label = videos[number]
            ending, text = kinds[shard](label)
            name = f"./part/{number:03d}"
            files += [(f"{name}.mp4", content), (f"{name}.{ending}", text.encode())]
            files += [(f"{name}.notes.bin", b"?")]
        write_shard(folder / f"gray-{shard:02d}.tar", files)
    return folder


def numbers(dataset):
    return [number for batch in dataset for number in numbers_of(batch[0])]


def test_shards_are_read_in_order_and_in_any_order(shards):
    test = from_webdataset(f"{shards}/gray-{{00..02}}.tar", CLIP, 4, labels=LABELS, training=False)
    assert numbers(test) == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]
    truth = np.concatenate([labels for _, labels in test]).tolist()
    assert truth == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    train = from_webdataset(shards, CLIP, 4, labels=LABELS, seed=1)
    passes = [numbers(train) for _ in range(2)]
    assert passes[0] != passes[1]
    assert sorted(passes[0]) == sorted(passes[1]) == list(range(10))
    again = from_webdataset(shards, CLIP, 4, labels=LABELS, seed=1)
    assert [numbers(again) for _ in range(2)] == passes


def test_hosts_share_a_pass(shards):
    halves = [
        numbers(
            from_webdataset(
                shards, CLIP, 5, labels=LABELS, loading=LoadingOptions(shard=(index, 2))
            )
        )
        for index in range(2)
    ]
    assert sorted(halves[0] + halves[1]) == list(range(10))


@pytest.mark.slow
def test_worker_processes_read_them_too(shards):
    test = from_webdataset(
        shards, CLIP, 5, labels=LABELS, training=False, loading=LoadingOptions(processes=1)
    )
    assert numbers(test) == [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]


def test_videos_are_told_apart(shards):
    listed = read_webdataset(shards, LABELS)
    assert listed[0].path == f"{shards}/gray-00.tar/./part/000.mp4"
    train, validation = split(listed, 0.2)
    assert (len(train), len(validation)) == (8, 2)
    assert len(set(listed)) == 10


def test_one_kind_of_label(shards, tmp_path, videos):
    last = shards / "gray-02.tar"
    assert read_webdataset(last).labels == LABELS
    assert [video.label for video in read_webdataset(last, label="json:kind")] == [1, 0, 1]
    assert read_webdataset(shards / "gray-00.tar").labels == ("0", "1")
    with pytest.raises(ValueError, match=r"008\.json has no field 'name'"):
        read_webdataset(last, label="json:name")
    with pytest.raises(ValueError, match=r"3 of 3 videos have no label \(cls\), such as .*008.mp4"):
        read_webdataset(last, label="cls")


def test_without_labels_there_are_none(videos, tmp_path):
    shard = write_shard(tmp_path / "a.tar", [("a.mp4", videos[0][0]), ("b.mp4", videos[3][0])])
    listed = read_webdataset(shard)
    assert [video.label for video in listed] == [None, None]
    assert numbers(VideoDataset(listed, CLIP, training=False)) == [0, 3]
    files = [("a.mp4", videos[0][0]), ("a.cls", b"1"), ("b.mp4", b"")]
    with pytest.raises(ValueError, match="1 of 2 videos have no label"):
        read_webdataset(write_shard(tmp_path / "b.tar", files))


def test_shards_may_lie_elsewhere(shards):
    files = fsspec.filesystem("memory")
    try:
        for shard in shards.iterdir():
            files.pipe(f"/bucket/{shard.name}", shard.read_bytes())
        for pattern in ("memory://bucket/gray-*.tar", "memory://bucket/gray-{00..02}.tar"):
            listed = read_webdataset(pattern, LABELS)
            assert len(listed) == 10
        dataset = VideoDataset(listed[2:5], CLIP, training=False)
        assert numbers(dataset) == [1, 6, 2]
    finally:
        files.rm("/bucket", recursive=True)


def test_broken_videos_are_replaced_as_ever(videos, tmp_path):
    files = []
    for number in range(3):
        content = b"#EXTM3U\n/etc/passwd\n" if number == 1 else videos[number][0]
        files += [(f"{number}.mp4", content), (f"{number}.cls", b"0")]
    shard = write_shard(tmp_path / "a.tar", files)
    dataset = from_webdataset(shard, CLIP, training=False)
    with pytest.warns(BadVideoWarning, match=r"a\.tar/1\.mp4 cannot be read: Invalid data"):
        found = numbers(dataset)
    assert found[0::2] == [0, 2]
    assert found[1] in (0, 2)
    listed = read_webdataset(shard)
    with open(shard, "r+b") as file:
        file.truncate(listed[2].content.start + 100)
    dataset = VideoDataset(listed[2:], CLIP, training=False)
    with (
        pytest.warns(BadVideoWarning, match=r"a\.tar ends at byte \d+, and the video at byte"),
        pytest.raises(BadVideosError),
    ):
        list(dataset)


def test_what_is_no_tar_file_is_refused(videos, tmp_path):
    packed = write_shard(tmp_path / "a.tar.gz", [("a.mp4", videos[0][0])], "w:gz")
    with pytest.raises(ValueError, match=r"a\.tar\.gz cannot be read as a tar file: .*gunzip"):
        read_webdataset(packed)
    with pytest.raises(ValueError, match="There is no video"):
        read_webdataset(write_shard(tmp_path / "b.tar", [("a.txt", b"left")]))
    files = [("a.mp4", b""), ("a.cls", b"\xff")]
    with pytest.raises(ValueError, match=r"b\.tar/a\.cls is no label: 'utf-8' codec"):
        read_webdataset(write_shard(tmp_path / "b.tar", files))
    files = [("a.mp4", b""), ("a.json", b"[1]")]
    with pytest.raises(ValueError, match=r"b\.tar/a\.json is no label: list indices"):
        read_webdataset(write_shard(tmp_path / "b.tar", files))
    files = [("a.mp4", b""), ("a.cls", b"7")]
    with pytest.raises(ValueError, match=r"a\.mp4: unknown class '7'"):
        read_webdataset(write_shard(tmp_path / "b.tar", files), LABELS)


def test_links_lead_nowhere(videos, tmp_path):
    shard = tmp_path / "a.tar"
    with tarfile.open(shard, "w") as tar:
        link = tarfile.TarInfo("a.mp4")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    with pytest.raises(ValueError, match="There is no video"):
        read_webdataset(shard)


def test_patterns(tmp_path):
    assert list(expanded("a-{08..10}-{x,y}.tar")) == [
        *("a-08-x.tar", "a-08-y.tar", "a-09-x.tar", "a-09-y.tar", "a-10-x.tar", "a-10-y.tar")
    ]
    for name in ("b.tar", "a.tar", "c.txt"):
        (tmp_path / name).touch()
    paths = [str(tmp_path / name) for name in ("a.tar", "b.tar")]
    assert find_shards(tmp_path) == find_shards(f"{tmp_path}/*.tar") == paths
    assert find_shards([paths[1], tmp_path / "a.tar"]) == paths[::-1]
    for nothing in (f"{tmp_path}/d-{{0..1}}.tar", f"{tmp_path}/*.zip", []):
        if nothing:
            with pytest.raises(FileNotFoundError, match="no such shard"):
                find_shards(nothing)
