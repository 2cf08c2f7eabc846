import hashlib
import json
from pathlib import Path

import pytest
from hub_server import Fault

from keras_acl.models import SlowClassifier
from keras_acl.pretrained import cache
from keras_acl.pretrained.card import Card
from keras_acl.pretrained.load import load_pretrained
from keras_acl.pretrained.presets import Checkpoint, Preset

CHECKPOINT = Path(__file__).parents[1] / "data" / "parity" / "ptv_slow.pyth"


@pytest.fixture
def slow(server, tmp_path, monkeypatch):
    """A preset of a small network whose checkpoint the server has, and a cache of its own."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    server.files["slow.pyth"] = CHECKPOINT.read_bytes()
    return preset(f"{server.url}/files/slow.pyth")


def preset(*urls: str, name: str = "tiny_slow") -> Preset:
    return Preset(
        card=Card(name, "Random weights.", "Apache-2.0", "a test"),
        network="SlowClassifier",
        arguments={"num_classes": 13, "width": 8},
        parameters=504_469,
        multiply_adds=0,
        checkpoints=tuple(map(Checkpoint, urls)),
    )


def content(folder: Path) -> list[Path]:
    """Files of any size in a folder, without locks."""
    return [file for file in folder.rglob("*") if file.is_file() and file.stat().st_size]


@pytest.fixture
def downloads(tmp_path):
    return tmp_path / "downloads"


def test_a_file_comes_whole_once(server, downloads):
    server.files["a.pyth"] = b"weights" * 1000
    digest = hashlib.sha256(server.files["a.pyth"]).hexdigest()
    for checkpoint in (Checkpoint(f"{server.url}/files/a.pyth?download=1", digest),) * 2:
        file = cache.download_checkpoint(checkpoint, downloads)
        assert file.read_bytes() == server.files["a.pyth"]
    assert server.paths("GET") == ["/files/a.pyth"]
    assert list(downloads.iterdir()) == [downloads / "a.pyth"]


def test_progress_is_shown_beside_the_output(server, downloads, capsys):
    server.files["a.pyth"] = b"weights" * 1000
    cache.download_checkpoint(Checkpoint(f"{server.url}/files/a.pyth"), downloads)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Downloading data from" in printed.err


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        ("cut", ConnectionError, "broke off .*Nothing was kept. Check the network and try again"),
        ("other", ValueError, "has not the expected sha256: it came incomplete, or was changed"),
        ("unsized", ValueError, "has not the expected sha256: it came incomplete"),
        (500, ConnectionError, "The server answered 500 for .*Try again later"),
        (404, FileNotFoundError, r"The server answered 404 for .*import_checkpoint\(file\)"),
    ],
)
def test_what_fails_leaves_nothing_and_can_be_repeated(server, downloads, fault, kind, message):
    server.files["a.pyth"] = b"weights" * 100_000
    digest = hashlib.sha256(server.files["a.pyth"]).hexdigest()
    checkpoint = Checkpoint(f"{server.url}/files/a.pyth", digest)
    server.faults.append(Fault("/files/", fault, times=1))
    with pytest.raises(kind, match=message) as caught:
        cache.download_checkpoint(checkpoint, downloads)
    assert f"{server.url}/files/a.pyth" in str(caught.value)
    assert list(downloads.iterdir()) == []
    assert cache.download_checkpoint(checkpoint, downloads).stat().st_size == 700_000


def test_what_a_killed_process_left_is_not_taken_for_whole(server, downloads):
    server.files["a.pyth"] = b"weights" * 1000
    (downloads / "part-killed").mkdir(parents=True)
    (downloads / "part-killed" / "a.pyth").write_bytes(b"weig")
    file = cache.download_checkpoint(Checkpoint(f"{server.url}/files/a.pyth"), downloads)
    assert file.stat().st_size == 7000
    assert list(downloads.iterdir()) == [file]


def test_no_network(downloads):
    with pytest.raises(ConnectionError, match=r"9/a\.pyth broke off"):
        cache.download_checkpoint(Checkpoint("http://127.0.0.1:9/a.pyth"), downloads)


def test_a_checkpoint_is_imported_once_and_then_loaded_without_network(server, slow, caplog):
    folder = cache.built_preset(slow)
    model = load_pretrained(folder)
    assert (type(model), model.num_classes, model.card) == (SlowClassifier, 13, slow.card)
    assert content(cache.cache_folder() / "downloads") == []  # the import is kept, not the file
    server.requests.clear()
    assert cache.built_preset(slow) == folder
    assert server.requests == []

    weights = folder / "model.weights.h5"
    weights.write_bytes(weights.read_bytes()[:-1])  # a disk can fail, too
    assert cache.built_preset(slow) == folder
    assert server.paths("GET") == ["/files/slow.pyth"]


def test_a_file_cut_where_nobody_gave_its_length_is_found_by_its_structure(server, slow):
    server.faults.append(Fault("/files/", "unsized", times=1))
    with pytest.raises(ValueError, match="tiny_slow cannot be imported, and were removed from the"):
        cache.built_preset(slow)
    assert content(cache.cache_folder()) == []
    assert load_pretrained(cache.built_preset(slow)).num_classes == 13


def test_one_of_two_files_is_kept_when_the_other_fails(server, slow):
    server.faults.append(Fault("/files/second", 500))
    with pytest.raises(ConnectionError, match="answered 500"):
        cache.built_preset(preset(slow.checkpoints[0].url, f"{server.url}/files/second.pyth"))
    assert [file.name for file in content(cache.cache_folder())] == ["slow.pyth"]


def test_another_record_is_another_folder(slow):
    changed = preset(slow.checkpoints[0].url + "?version=2")
    assert cache._fingerprint(changed) != cache._fingerprint(slow)
    assert cache._fingerprint(preset(slow.checkpoints[0].url)) == cache._fingerprint(slow)


TOGETHER = """
import sys
sys.path[:0] = sys.argv[2:]
from test_cache import preset
from keras_acl.pretrained.cache import built_preset
from keras_acl.pretrained.load import load_pretrained
print(load_pretrained(built_preset(preset(sys.argv[1]))).num_classes)
"""


@pytest.mark.slow
def test_two_processes_at_once_download_once(server, slow, run_two_at_once, tmp_path):
    tests = Path(__file__).parents[1]
    paths = [str(tests), str(Path(__file__).parent), str(tests / "data")]
    assert run_two_at_once(TOGETHER, slow.checkpoints[0].url, *paths) == ["13", "13"]
    assert server.paths("GET") == ["/files/slow.pyth"]
    [metadata] = (tmp_path / "home" / "keras").rglob("metadata.json")
    assert json.loads(metadata.read_text())["card"]["name"] == "tiny_slow"


def test_without_a_network_the_files_can_be_put_by_hand(server, slow, tmp_path):
    server.faults.append(Fault("/files/slow", 500))
    downloads = tmp_path / "keras" / "keras_acl" / "downloads" / "tiny_slow"
    with pytest.raises(ConnectionError) as caught:
        cache.built_preset(slow)
    assert str(caught.value).endswith(f" Or put slow.pyth into {downloads} by hand.")
    downloads.mkdir(parents=True, exist_ok=True)
    (downloads / "slow.pyth").write_bytes(CHECKPOINT.read_bytes())
    assert load_pretrained(cache.built_preset(slow)).num_classes == 13
