import collections
import pickle
import zipfile

import numpy as np
import pytest
import torch
from pretrained.importers.parity import FILES, FOLDER

from keras_acl.pretrained.importers.torch_files import read_checkpoint

TENSORS = {
    "float32": torch.arange(6, dtype=torch.float32).reshape(2, 3),
    "float64": torch.ones(2, dtype=torch.float64),
    "float16": torch.tensor([1.5], dtype=torch.float16),
    "bfloat16": torch.tensor([1.5, -2.0], dtype=torch.bfloat16),
    "int64": torch.tensor(7),
    "bool": torch.tensor([True, False]),
    "transposed": torch.arange(6, dtype=torch.float32).reshape(2, 3).T,
    "view": torch.arange(10, dtype=torch.float32)[3:7:2],
    "empty": torch.zeros(0, 3),
    "parameter": torch.nn.Parameter(torch.full((2,), 3.0)),
}


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_of_every_kind(tmp_path, zipped):
    file = tmp_path / "tensors.pth"
    torch.save({"state_dict": TENSORS}, file, _use_new_zipfile_serialization=zipped)
    tensors = read_checkpoint(file).tensors
    assert list(tensors) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert tensors[name].shape == tuple(tensor.shape)
        np.testing.assert_array_equal(
            tensors[name].astype("float64"), tensor.detach().to(torch.float64).numpy()
        )


@pytest.mark.parametrize("file", [name for name in FILES if not name.endswith(".pkl")])
def test_the_same_tensors_as_torch(file):
    content = torch.load(FOLDER / file, weights_only=True)
    theirs = content.get("model_state", content.get("state_dict"))
    ours = read_checkpoint(FOLDER / file).tensors
    assert list(ours) == list(theirs)
    for name, tensor in theirs.items():
        np.testing.assert_array_equal(ours[name], tensor.numpy())


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_arrays_of_a_caffe2_pickle(tmp_path, protocol):
    blobs = {
        "w": np.arange(6, dtype="float32").reshape(2, 3),
        "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "big_endian": np.arange(3, dtype=">f4"),
        "name": "a text",
        "step": np.float64(3.5),
    }
    with open(tmp_path / "c2.pkl", "wb") as file:
        pickle.dump({"blobs": blobs}, file, protocol)
    raw = read_checkpoint(tmp_path / "c2.pkl")
    assert raw.not_tensors == ("name", "step")
    assert raw.texts == ("a text",)
    for name, tensor in raw.tensors.items():
        np.testing.assert_array_equal(tensor, blobs[name])


def test_python_2_pickle():
    raw = read_checkpoint(FOLDER / "psf_slowfast_c2.pkl")
    assert raw.tensors["conv1_w"].shape == (8, 3, 1, 7, 7)


class HistoryBuffer(collections.deque):
    """Stands for a logger's object of a training framework."""


def test_unknown_classes_beside_good_tensors(tmp_path):
    content = {
        "state_dict": {"weight": torch.ones(2)},
        "message_hub": {"loss": HistoryBuffer([1.0, 2.0])},
        "meta": {"lr": np.float64(0.1), "config": "resample_rate=8", "version": np.int64(3)},
        "optimizer": torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1).state_dict(),
    }
    torch.save(content, tmp_path / "run.pth")
    raw = read_checkpoint(tmp_path / "run.pth")
    np.testing.assert_array_equal(raw.tensors["weight"], [1, 1])
    assert any(name.endswith("test_torch_files.HistoryBuffer") for name in raw.placeholders)
    assert "resample_rate=8" in raw.texts


def test_arrays_of_other_kinds_beside_good_tensors(tmp_path):
    content = {
        "state_dict": collections.defaultdict(list, weight=torch.ones(2)),
        "dates": np.array(["2026-01-01"], "datetime64[D]"),
        "objects": np.array([{}, None], object),
        "phases": torch.ones(2, dtype=torch.complex64),
    }
    content["itself"] = content
    torch.save(content, tmp_path / "run.pth")
    raw = read_checkpoint(tmp_path / "run.pth")
    assert list(raw.tensors) == ["weight"]
    assert raw.beside == ("dates", "objects", "phases", "itself")
    state = {"weight": torch.ones(2), "phases": torch.ones(2, dtype=torch.complex64)}
    torch.save(state, tmp_path / "state.pth")
    raw = read_checkpoint(tmp_path / "state.pth")
    assert raw.not_tensors == ("phases",)


def test_one_list_named_many_times_is_read_once(tmp_path):
    nested = ["text"]
    for _ in range(60):  # 2**60 texts when copied
        nested = [nested, nested]
    content = {"blobs": {"w": np.ones(2)}, "nested": nested}
    (tmp_path / "c2.pkl").write_bytes(pickle.dumps(content))
    assert read_checkpoint(tmp_path / "c2.pkl").texts == ("text",)


def test_legacy_file_that_names_no_storages(tmp_path):
    file = tmp_path / "x.pth"
    torch.save({"model_state": TENSORS}, file, _use_new_zipfile_serialization=False)
    with open(file, "rb") as whole:
        for _ in range(4):
            Skipping(whole).load()
        length = whole.tell()
    file.write_bytes(file.read_bytes()[:length] + pickle.dumps([], 2))
    with pytest.raises(ValueError, match="does not hold the data of all its tensors"):
        read_checkpoint(file)


class Skipping(pickle.Unpickler):
    """Reads past a pickle of torch's."""

    def persistent_load(self, pid):
        return None

    def find_class(self, module, name):
        return lambda *_: {}


def test_wrong_content(tmp_path):
    file = tmp_path / "x.pth"
    with pytest.raises(FileNotFoundError, match="There is no checkpoint at"):
        read_checkpoint(file)
    file.touch()
    with pytest.raises(ValueError, match=r"is empty. Expected a checkpoint"):
        read_checkpoint(file)
    file.write_bytes(b"<html>404</html>")
    with pytest.raises(ValueError, match="cannot be read as a checkpoint of torch"):
        read_checkpoint(file)
    torch.save({"epoch": 3}, file)
    with pytest.raises(ValueError, match=r"holds no tensors by name.*MMAction2.*Found: epoch"):
        read_checkpoint(file)
    torch.save(torch.ones(3), file)
    with pytest.raises(ValueError, match=r"holds no tensors by name.*Found: a ndarray"):
        read_checkpoint(file)
    torch.save(torch.nn.Linear(1, 1), file)
    with pytest.raises(ValueError, match=r"object of class torch\..*Linear; save its state_dict"):
        read_checkpoint(file)


def test_a_cut_zip_is_called_that(tmp_path):
    file = tmp_path / "cut.pth"
    file.write_bytes((FOLDER / "ptv_slow.pyth").read_bytes()[:500_000])
    with pytest.raises(ValueError, match=r"a zip archive whose end is missing.*is it complete"):
        read_checkpoint(file)


@pytest.mark.parametrize("zipped", [True, False])
def test_every_truncation_is_an_error(tmp_path, zipped):
    whole = tmp_path / "whole.pth"
    torch.save({"model_state": TENSORS}, whole, _use_new_zipfile_serialization=zipped)
    data = whole.read_bytes()
    file = tmp_path / "cut.pth"
    for length in range(1, len(data), max(1, len(data) // 150)):
        file.write_bytes(data[:length])
        with pytest.raises(ValueError, match=r"cannot be read as a checkpoint|no tensors by name"):
            read_checkpoint(file)


def test_compressed_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "bomb.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", b"0" * 10_000)
    with pytest.raises(ValueError, match="a compressed zip"):
        read_checkpoint(tmp_path / "bomb.pth")


def test_other_zip(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w") as archive:
        archive.writestr("model.json", b"{}")
    with pytest.raises(ValueError, match=r"0 members data\.pkl"):
        read_checkpoint(tmp_path / "x.pth")
