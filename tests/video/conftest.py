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
    """A function that asserts that files were opened, and that each is closed."""

    def check():
        assert opened
        for container in opened:
            with pytest.raises(AssertionError, match="not open"):
                container.seek(0)

    return check
