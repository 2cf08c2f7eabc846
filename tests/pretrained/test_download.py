import numpy as np
import pytest
from hub_server import Fault
from saved import CARD, logits

from keras_acl.pretrained import download_pretrained, load_pretrained
from keras_acl.pretrained.model_folder import FILES


def test_a_downloaded_folder_is_all_that_another_machine_needs(hub, model, saved, tmp_path):
    hub.add("me/tiny", saved, tag="v1")
    folder = download_pretrained("hf://me/tiny@v1", tmp_path / "carried")
    assert sorted(file.name for file in folder.iterdir()) == sorted(FILES)
    assert not any(file.is_symlink() for file in folder.iterdir())  # as they are in the Hub's cache
    asked = len(hub.requests)
    loaded = load_pretrained(folder)
    assert len(hub.requests) == asked
    assert loaded.card == CARD
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)


def test_other_files_are_not_overwritten(saved, tmp_path):
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(ValueError, match="holds other files"):
        download_pretrained(saved, tmp_path)
    assert (tmp_path / "README.md").read_text() == "mine"


def test_without_a_network_the_error_says_what_to_do(hub, tmp_path):
    hub.faults.append(Fault("/", 500))
    with pytest.raises(
        ConnectionError,
        match=r'keras-acl download hf://me/tiny --to FOLDER .* load_pretrained\("demo"\)',
    ):
        load_pretrained("hf://me/tiny")
