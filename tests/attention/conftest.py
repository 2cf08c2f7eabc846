import pytest
from tiny_network import two_stream


@pytest.fixture(scope="session")
def model():
    """One for all, as what is compiled for its maps is kept with it."""
    return two_stream()
