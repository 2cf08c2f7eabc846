import pytest
from tiny_network import two_stream


@pytest.fixture(scope="session")
def model():
    return two_stream()
