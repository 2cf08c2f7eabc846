import av
import pytest


@pytest.fixture
def opened(monkeypatch):
    """The containers that are opened from here on."""
    containers, honest = [], av.open

    def watched(*arguments, **options):
        containers.append(honest(*arguments, **options))
        return containers[-1]

    monkeypatch.setattr(av, "open", watched)
    return containers


@pytest.fixture
def all_closed(opened):
    """A function that tells whether files were opened, and each is closed."""
    return lambda: bool(opened) and all(map(is_closed, opened))


def is_closed(container) -> bool:
    """Whether PyAV refuses to read on, as it does of a file that was closed."""
    try:
        container.seek(0)
    except AssertionError as error:
        return "not open" in str(error)
    return False
