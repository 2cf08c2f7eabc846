"""The Hub through its own client: downloads, and one clear error for whatever goes wrong there."""

import contextlib
import importlib.metadata
import os
import re
from collections.abc import Iterator
from pathlib import Path

from keras_acl.pretrained.metadata import NewerFormatError, check_files, read_metadata
from keras_acl.pretrained.model_folder import FILES, METADATA

SCHEME = "hf://"
REPOSITORY = r"\w[\w.-]*/\w[\w.-]*"  # so neither .. nor an option
LOG_IN = "log in (hf auth login) or set HF_TOKEN"


def import_client():
    """The package `huggingface_hub`, imported on first use and without its telemetry."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")  # read when it is imported
    import huggingface_hub

    return huggingface_hub


def parse_address(address: str) -> tuple[str, str | None]:
    """Split `hf://user/repo[@revision]`.

    Raises:
        ValueError: If it has another form.
    """
    found = re.fullmatch(rf"{SCHEME}({REPOSITORY})(?:@(.+))?", address)
    # The client would write outside of its cache; git has no such names either.
    if found is None or ".." in (found[2] or ""):
        raise ValueError(f"Expected {SCHEME}user/repo or {SCHEME}user/repo@v1. Received: {address}")
    return found[1], found[2]


def download(repo_id: str, revision: str | None = None) -> Path:
    """Download the four files of a saved model into the Hub's cache, or find them there.

    Args:
        repo_id: `user/repo`.
        revision: Tag, branch or commit; `main` by default.

    Returns:
        The folder, whose files are what was saved.

    Raises:
        FileNotFoundError: If there is no such repository, revision or file; offline, if it is not
            in the cache.
        PermissionError: If it is private.
        ConnectionError: If the Hub cannot be reached, or the download breaks off.
        ValueError: If a file is not what was saved. It does not stay in the cache.
    """
    client = import_client()
    where = _where(repo_id, revision)
    with hub_errors(where):
        folder = Path(
            client.snapshot_download(
                repo_id,
                revision=revision,
                allow_patterns=list(FILES),
                library_name="keras-acl",
                library_version=importlib.metadata.version("keras-acl"),
            )
        )
    if not (folder / METADATA).is_file():
        raise FileNotFoundError(
            f"{where} holds no model of keras-acl: it has no {METADATA}. Expected what "
            "keras_acl.pretrained.publish uploads."
        )
    try:
        check_files(folder, read_metadata(folder))
    except NewerFormatError:
        raise
    except (FileNotFoundError, ValueError) as error:
        _remove(folder)
        raise ValueError(
            f"{where} came broken, and was removed from the cache. Try again; if it stays so, "
            f"its author has to publish it again. {error}"
        ) from error
    return folder


@contextlib.contextmanager
def hub_errors(where: str) -> Iterator[None]:
    """Turn what the client raises into one error that says what came and what to do.

    Raises:
        FileNotFoundError: For what is not there.
        PermissionError: For what needs a token, or another one.
        ConnectionError: For a Hub that fails or cannot be reached.
    """
    client = import_client()
    import httpx2  # the client's own transport, whose errors it lets through

    try:
        yield
    except (OSError, RuntimeError, httpx2.HTTPError) as error:  # RuntimeError: uploads, and Xet
        if _status(error) is None and getattr(error, "errno", None) is not None:
            raise  # the disk is full, or the like
        missing = isinstance(error, client.errors.LocalEntryNotFoundError)
        if missing and client.constants.is_offline_mode():
            raise FileNotFoundError(
                f"{where} is not in the cache, and HF_HUB_OFFLINE is set. Load it once online."
            ) from error
        if isinstance(error, client.errors.RevisionNotFoundError):
            raise FileNotFoundError(
                f"The Hub answered 404: {where} is not one of the repository's tags, branches or "
                "commits. Its page lists them."
            ) from error
        raise _explained(error, where) from error


def _explained(error: Exception, where: str) -> OSError:
    status = _status(error)
    if status is None:
        return ConnectionError(
            f"The connection to the Hub for {where} broke off: {_first_line(error)} Nothing broken "
            "was kept. Check the network and try again."
        )
    answer = f"The Hub answered {status} for {where}"
    if status in (401, 404):
        kind = PermissionError if status == 401 else FileNotFoundError
        return kind(
            f"{answer}: there is no such repository, or it is private. Check the name; for a "
            f"private one {LOG_IN}."
        )
    if status == 403:
        return PermissionError(
            f"{answer}: this token may not do that. To publish, it needs the right to write; for "
            f"a gated repository, accept its conditions on its page. Then {LOG_IN}."
        )
    if status in (408, 429) or status >= 500:
        return ConnectionError(f"{answer}: it is busy or down. Try again later.")
    return OSError(f"{answer}: {_first_line(error)}")


def _status(error: BaseException | None) -> int | None:
    """The HTTP status behind an error, which may be wrapped in others."""
    while error is not None:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status is not None:
            return status
        error = error.__cause__ or error.__context__
    return None


def _first_line(error: BaseException) -> str:
    while error.__cause__ is not None:  # what is behind "an error happened"
        error = error.__cause__
    lines = str(error).strip().splitlines()
    reason = lines[0].rstrip(".") if lines else "no reason given"
    return f"{type(error).__name__}: {reason}."


def _where(repo_id: str, revision: str | None) -> str:
    return f"{SCHEME}{repo_id}" + (f"@{revision}" if revision else "")


def _remove(folder: Path) -> None:
    """Remove a model from the Hub's cache, where a snapshot's files are links."""
    for name in FILES:
        (folder / name).resolve().unlink(missing_ok=True)
        (folder / name).unlink(missing_ok=True)
