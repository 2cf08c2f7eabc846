"""Videos that are parts of larger files: a place in it, and its bytes."""

import dataclasses

from fsspec.core import url_to_fs

from keras_acl.video.address import is_address, store_errors


@dataclasses.dataclass(frozen=True, slots=True)
class StoredBytes:
    """Some bytes of a file, for `Video(content=)`.

    Args:
        file: Path of the file, or an address that fsspec opens.
        start: Place of the first byte.
        size: Number of bytes. None: all that follow.
    """

    file: str
    start: int = 0
    size: int | None = None

    def __call__(self) -> bytes:
        """Read them.

        Raises:
            OSError: If the file is not there, or ends before they do.
        """
        if is_address(self.file):
            end = None if self.size is None else self.start + self.size
            with store_errors(self.file):
                files, path = url_to_fs(self.file)
                found = files.cat_file(path, self.start, end)
        else:
            with open(self.file, "rb") as file:
                file.seek(self.start)
                found = file.read(-1 if self.size is None else self.size)
        if self.size is not None and len(found) < self.size:
            raise OSError(
                f"{self.file} ends at byte {self.start + len(found)}, and the video at byte "
                f"{self.start + self.size}"
            )
        return found
