import errno
import logging
import subprocess
import sys

import pytest
from hub_server import READER, Fault
from plain_folder import contents, plain_folder

from keras_acl.pretrained.hub import download, hub_errors, parse_address

REPO = "someone/plain"


@pytest.fixture
def folder(hub, tmp_path):
    made = plain_folder(tmp_path / "plain")
    hub.add(REPO, made, tag="v1")
    return made


def cached_files(hub) -> list[str]:
    """Names of files in the client's cache that hold content."""
    blobs = hub.cache.glob("models--*/blobs/*")
    return [file.name for file in blobs if file.suffix != ".lock"]


@pytest.mark.parametrize(
    ("address", "parts"),
    [
        ("hf://user/repo", ("user/repo", None)),
        ("hf://a-b/c_d.e@v1.0", ("a-b/c_d.e", "v1.0")),
        ("hf://a/b@refs/pr/1", ("a/b", "refs/pr/1")),
    ],
)
def test_addresses(address, parts):
    assert parse_address(address) == parts


@pytest.mark.parametrize(
    "address",
    [
        "hf://repo",
        "hf://a/b/c",
        "hf://a/b@",
        "hf:///b",
        "hf://",
        "hf://a/..",
        "hf://../b",
        "hf://a/b@../../x",
    ],
)
def test_other_addresses_are_refused(address):
    with pytest.raises(
        ValueError, match=r"Expected hf://user/repo or hf://user/repo@v1\. Received"
    ):
        parse_address(address)


def test_the_four_files_come_and_nothing_else(hub, folder):
    hub.repositories[REPO].commit({"other.bin": b"of somebody else"})
    found = download(REPO)
    assert contents(found) == contents(folder)
    assert not [path for path in hub.paths("GET") if "other.bin" in path]


def test_a_revision_is_what_it_was(hub, folder, tmp_path):
    later = plain_folder(tmp_path / "later", seed=1)
    commit = hub.add(REPO, later)
    assert contents(download(REPO, "v1")) == contents(folder)
    assert contents(download(REPO)) == contents(later)
    assert contents(download(REPO, commit)) == contents(later)


def test_what_was_downloaded_is_not_downloaded_again(hub, folder):
    download(REPO)
    hub.requests.clear()
    download(REPO)
    assert not [path for path in hub.paths("GET") if "/lfs/" in path or "/resolve/" in path]


def test_a_cut_download_is_resumed(hub, folder, caplog, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 50_000)  # 10 MiB: larger than this file
    hub.faults.append(Fault("/lfs/", "cut", times=1))
    with caplog.at_level(logging.ERROR):  # the client's warning is not under test
        assert contents(download(REPO)) == contents(folder)
    gets = [headers for verb, path, headers in hub.requests if verb == "GET" and "/lfs/" in path]
    assert [headers.get("range") for headers in gets] == [None, "bytes=150000-"]


def test_a_connection_that_stays_cut_leaves_nothing_broken(hub, folder, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)  # the client waits before it resumes
    hub.faults.append(Fault("/lfs/", "cut"))
    with pytest.raises(
        ConnectionError, match=r"someone/plain broke off: .*Nothing broken was kept"
    ):
        download(REPO)
    assert not list(hub.cache.glob("**/*.incomplete"))
    hub.faults.clear()
    assert contents(download(REPO)) == contents(folder)


def test_other_bytes_are_found_and_removed(hub, folder):
    hub.faults.append(Fault("/lfs/", "other", times=1))
    with pytest.raises(ValueError, match=r"hf://someone/plain@v1 came broken, and was removed"):
        download(REPO, "v1")
    assert cached_files(hub) == []
    assert contents(download(REPO, "v1")) == contents(folder)


def test_a_cut_metadata_file_is_found_and_removed(hub, folder):
    hub.repositories[REPO].commit({"metadata.json": b'{"format": 1, "card'})
    with pytest.raises(ValueError, match=r"came broken.*its author has to publish it again.*whole"):
        download(REPO)
    assert cached_files(hub) == []


def test_a_repository_of_a_later_version_is_not_called_broken(hub, folder):
    hub.repositories[REPO].commit({"metadata.json": b'{"format": 2}'})
    with pytest.raises(ValueError, match=r"has format 2.*Update keras-acl"):
        download(REPO)
    assert cached_files(hub)


def test_a_repository_of_something_else_is_named(hub):
    from hub_server import Repository

    repository = hub.repositories["someone/bert"] = Repository()
    repository.commit({"pytorch_model.bin": b"weights", "README.md": b"---\n---\n"})
    with pytest.raises(FileNotFoundError, match=r"someone/bert holds no model of keras-acl"):
        download("someone/bert")


def test_no_repository_no_revision(hub, folder, monkeypatch):
    with pytest.raises(
        PermissionError, match=r"answered 401 for hf://someone/nothing: there is no"
    ):
        download("someone/nothing")
    with pytest.raises(FileNotFoundError, match=r"404: hf://someone/plain@v9 is not one of the"):
        download(REPO, "v9")
    monkeypatch.setenv("HF_TOKEN", READER)
    with pytest.raises(FileNotFoundError, match=r"answered 404 for hf://someone/nothing: there is"):
        download("someone/nothing")


def test_a_private_repository_needs_a_token(hub, folder, monkeypatch):
    hub.repositories[REPO].private = True
    with pytest.raises(PermissionError, match=r"401 .*private.*hf auth login.*HF_TOKEN"):
        download(REPO)
    monkeypatch.setenv("HF_TOKEN", READER)
    assert contents(download(REPO)) == contents(folder)


@pytest.mark.parametrize(
    ("status", "kind", "message"),
    [
        (500, ConnectionError, "answered 500 for hf://someone/plain: it is busy or down"),
        (503, ConnectionError, "answered 503"),
        (403, PermissionError, "answered 403 .*gated repository"),
        (418, OSError, "answered 418"),
    ],
)
@pytest.mark.parametrize("part", ["/api/models/", "/lfs/"])
def test_a_failing_hub_is_one_clear_error(hub, folder, status, kind, message, part):
    hub.faults.append(Fault(part, status))
    with pytest.raises(kind, match=message) as caught:
        download(REPO)
    assert "\n" not in str(caught.value)
    hub.faults.clear()
    assert contents(download(REPO)) == contents(folder)


def test_a_failing_hub_does_not_matter_for_what_is_in_the_cache(hub, folder):
    download(REPO)
    hub.faults.append(Fault("/", 500))
    assert contents(download(REPO)) == contents(folder)


def test_no_network(hub, folder, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(ConnectionError, match=r"broke off: .*Check the network and try again"):
        download(REPO)


def test_offline_the_cache_is_used(hub, folder, monkeypatch):
    from huggingface_hub import constants

    download(REPO, "v1")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.requests.clear()
    assert contents(download(REPO, "v1")) == contents(folder)
    with pytest.raises(
        FileNotFoundError, match=r"someone/other is not in the cache, and HF_HUB_OFF"
    ):
        download("someone/other")
    assert hub.requests == []


def test_a_full_disk_is_not_the_hubs_fault():
    with pytest.raises(OSError, match="No space left"), hub_errors("hf://a/b"):
        raise OSError(errno.ENOSPC, "No space left on device")


DOWNLOAD = """
import sys
from keras_acl.pretrained.hub import download
print(download(sys.argv[1], "v1"))
"""


@pytest.mark.slow
def test_by_the_environment_and_without_telemetry(server, hub_environment, tmp_path):
    server.add(REPO, plain_folder(tmp_path / "plain"), tag="v1")
    command = [sys.executable, "-c", DOWNLOAD, REPO]
    options = {"capture_output": True, "text": True, "timeout": 120}
    first = subprocess.run(command, env=hub_environment, **options)
    assert first.returncode == 0, first.stderr
    agents = {headers["user-agent"] for _, _, headers in server.requests}
    assert all("torch" not in agent and "agent/" not in agent for agent in agents)
    expected = ("/api/models/", "/someone/plain/resolve/", "/lfs/")
    assert all(path.startswith(expected) for _, path, _ in server.requests)
    server.requests.clear()
    offline = {**hub_environment, "HF_HUB_OFFLINE": "1"}
    second = subprocess.run(command, env=offline, **options)
    assert second.stdout == first.stdout, second.stderr
    assert server.requests == []
