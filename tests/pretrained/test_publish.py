import dataclasses
import json

import pytest
from hub_server import READER, WRITER, Fault
from plain_folder import CARD, METRIC, contents, plain_folder

from keras_acl.pretrained.hub import download
from keras_acl.pretrained.publish import publish

REPO = "me/plain"
# The client's upload without Xet hands its transport a file in a way that is going out of use.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=<...>':DeprecationWarning")


@pytest.fixture
def folder(tmp_path):
    return plain_folder(tmp_path / "plain")


def files_on(hub, revision: str) -> dict[str, bytes]:
    repository = hub.repositories[REPO]
    files = dict(repository.commits[repository.tags[revision]])
    del files[".gitattributes"]
    return files


def test_a_folder_is_created_uploaded_and_tagged(hub, folder):
    (folder / "golden.npz").write_bytes(b"not for the Hub")
    assert publish(folder, REPO, token=WRITER) == f"{hub.url}/me/plain/tree/v1"
    expected = contents(folder)
    del expected["golden.npz"]
    assert files_on(hub, "v1") == expected
    assert contents(download(REPO, "v1")) == expected
    assert not hub.repositories[REPO].private


def test_a_new_version_has_the_next_tag(hub, folder, tmp_path):
    publish(folder, REPO, token=WRITER)
    later = plain_folder(tmp_path / "later", seed=1)
    assert publish(later, REPO, token=WRITER).endswith("/v2")
    assert files_on(hub, "v1") == contents(folder)
    assert files_on(hub, "v2") == contents(later)
    assert publish(later, REPO, token=WRITER, tag="paper").endswith("/paper")  # nothing changed
    assert files_on(hub, "paper") == contents(later)


def test_a_taken_tag_is_refused_before_anything_is_uploaded(hub, folder, tmp_path):
    publish(folder, REPO, token=WRITER)
    commits = len(hub.repositories[REPO].commits)
    with pytest.raises(ValueError, match=r"me/plain has a version v1 already\. Give another"):
        publish(plain_folder(tmp_path / "later", seed=1), REPO, token=WRITER, tag="v1")
    assert len(hub.repositories[REPO].commits) == commits


def test_private_and_the_token_of_the_environment(hub, folder, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", WRITER)
    publish(folder, REPO, private=True)
    assert hub.repositories[REPO].private


def test_a_metric_without_protocol_is_refused(hub, tmp_path):
    metric = dataclasses.replace(METRIC, protocol="")
    card = dataclasses.replace(CARD, metrics=(metric,))
    with pytest.raises(ValueError, match=r"claims 71\.5 % without `protocol`"):
        publish(plain_folder(tmp_path / "claims", card), REPO, token=WRITER)
    assert hub.requests == []


def test_changed_or_missing_files_are_refused(hub, folder):
    (folder / "README.md").rename(folder / "kept.md")
    with pytest.raises(FileNotFoundError, match=r"no README\.md in .* Save the model again"):
        publish(folder, REPO, token=WRITER)
    (folder / "kept.md").rename(folder / "README.md")
    (folder / "model.weights.h5").write_bytes(b"others")
    with pytest.raises(ValueError, match=r"model\.weights\.h5 is not the file that was saved"):
        publish(folder, REPO, token=WRITER)
    with pytest.raises(ValueError, match=r"Expected user/repo\. Received: plain"):
        publish(folder, "plain", token=WRITER)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        (None, r"answered 401 for hf://me/plain.*hf auth login.*HF_TOKEN"),
        (READER, r"answered 403 for hf://me/plain.*right to write"),
    ],
)
def test_a_token_that_may_not_write_is_named(hub, folder, token, message):
    with pytest.raises(PermissionError, match=message):
        publish(folder, REPO, token=token)
    assert REPO not in hub.repositories


def test_a_failing_hub_leaves_no_version(hub, folder):
    hub.faults.append(Fault("/lfs/", 418, times=1))
    with pytest.raises(OSError, match="answered 418 for hf://me/plain"):
        publish(folder, REPO, token=WRITER)
    hub.faults.append(Fault("/commit/", 500))
    with pytest.raises(ConnectionError, match="answered 500 for hf://me/plain: it is busy or down"):
        publish(folder, REPO, token=WRITER)
    assert hub.repositories[REPO].tags == {}
    hub.faults.clear()
    assert publish(folder, REPO, token=WRITER).endswith("/v1")


def test_the_card_is_read_as_metadata(hub, folder):
    publish(folder, REPO, token=WRITER)
    validated = [path for path in hub.paths("POST") if path == "/api/validate-yaml"]
    assert validated
    readme = files_on(hub, "v1")["README.md"].decode()
    assert '"pipeline_tag": ' not in readme
    assert "pipeline_tag: " + json.dumps("video-classification") in readme


def test_a_run_is_published_by_the_command_that_makes_its_card(hub, tmp_path):
    (tmp_path / "model.keras").touch()
    with pytest.raises(ValueError, match=r"keras-acl publish .* me/plain makes one"):
        publish(tmp_path, REPO, token=WRITER)
