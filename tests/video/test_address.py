from pathlib import Path

import fsspec
import pytest

from keras_acl.video.address import is_address, local_copy


@pytest.mark.parametrize("text", ["s3://bucket/a.mp4", "gs://b/a", "file:///a.mp4", "memory://a"])
def test_addresses(text):
    assert is_address(text)


@pytest.mark.parametrize(
    "text",
    [
        *("a.mp4", "C:\\a.mp4", "C://a.mp4", "http://a.org/a.mp4", "HTTPS://a.org/a.mp4"),
        *("a/b://c", "simplecache::s3://bucket/a.mp4", Path("s3://bucket/a.mp4")),
    ],
)
def test_paths_and_urls_are_none(text):
    assert not is_address(text)


def test_a_copy_lives_as_long_as_it_is_used(tmp_path):
    fsspec.filesystem("memory").pipe("/clips/a b.mp4", b"content")
    with local_copy("memory://clips/a b.mp4") as copy:
        assert copy.name == "a b.mp4"
        assert copy.read_bytes() == b"content"
    assert not copy.parent.exists()
    (tmp_path / "b.mp4").write_bytes(b"other")
    with local_copy(f"file://{tmp_path}/b.mp4") as copy:
        assert copy.read_bytes() == b"other"
        assert copy.parent != tmp_path


@pytest.mark.parametrize(
    ("address", "error"),
    [
        ("memory://nothing/a.mp4", "No such file"),
        ("nosuch://a/b.mp4", "Protocol not known: nosuch"),
        ("file:///", "Is a directory"),
    ],
)
def test_what_cannot_be_had_is_an_os_error(address, error):
    with pytest.raises(OSError, match=error), local_copy(address):
        pass
