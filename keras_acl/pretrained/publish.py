"""Put a saved folder on the Hub."""

import os
import re
from pathlib import Path

from keras_acl.pretrained.hub import REPOSITORY, SCHEME, hub_errors, import_client
from keras_acl.pretrained.metadata import check_files, read_metadata
from keras_acl.pretrained.model_folder import FILES


def publish(
    folder: str | os.PathLike,
    repo_id: str,
    private: bool = False,
    token: str | None = None,
    tag: str | None = None,
) -> str:
    """Create a repository on the Hub, upload what `save_pretrained` wrote, and tag it.

    Args:
        folder: A saved model. Its four files go up, nothing else that lies there.
        repo_id: `user/repo`. A repository that exists gets a new version.
        private: Whether a new repository is private.
        token: Token of the Hub; by default the one of `hf auth login` or `HF_TOKEN`.
        tag: Name of the version; by default the next of v1, v2, ...

    Returns:
        The address of this version. `load_pretrained("hf://user/repo@tag")` loads it.

    Raises:
        ValueError: If the card has a metric without protocol, a file is not what was saved, the
            tag is taken, or the folder is a run's; nothing is uploaded then.
        FileNotFoundError: If the folder or a file is missing.
        PermissionError: If the token is missing or may not write.
        ConnectionError: If the Hub cannot be reached.

    Example:
        >>> publish("weights/mine", "me/my-actions")
    """
    folder = Path(folder)
    if not re.fullmatch(REPOSITORY, repo_id):
        raise ValueError(f"Expected user/repo. Received: {repo_id}")
    if (folder / "model.keras").is_file():
        raise ValueError(
            f"{folder} is a run, which has no card: keras-acl publish {folder} {repo_id} makes one."
        )
    metadata = read_metadata(folder)
    metadata.card.check_publishable()
    check_files(folder, metadata)
    for name in FILES:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"There is no {name} in {folder}. Save the model again.")

    client = import_client()
    where = f"{SCHEME}{repo_id}"
    api = client.HfApi(token=token, library_name="keras-acl")
    with hub_errors(where):
        api.create_repo(repo_id, private=private, exist_ok=True)
        tags = [reference.name for reference in api.list_repo_refs(repo_id).tags]
        if tag in tags:
            raise ValueError(f"{where} has a version {tag} already. Give another tag.")
        tag = tag or _next_version(tags)
        commit = api.upload_folder(
            repo_id=repo_id,
            folder_path=folder,
            allow_patterns=list(FILES),
            commit_message=f"{tag}: {metadata.card.name}",
        )
        api.create_tag(repo_id, tag=tag, revision=commit.oid)
    return f"{api.endpoint}/{repo_id}/tree/{tag}"


def _next_version(tags: list[str]) -> str:
    numbers = [int(tag[1:]) for tag in tags if re.fullmatch(r"v\d+", tag)]
    return f"v{max(numbers, default=0) + 1}"
