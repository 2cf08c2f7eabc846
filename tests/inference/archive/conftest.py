import pytest
from tiny_network import two_stream


@pytest.fixture(scope="module")
def model():
    return two_stream()


@pytest.fixture(scope="module")
def saved(tmp_path_factory, model):
    """The model's file."""
    file = tmp_path_factory.mktemp("saved") / "model.keras"
    model.save(file)
    return file
