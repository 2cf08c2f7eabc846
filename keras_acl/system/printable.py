"""Text from files, such as names and paths, made fit to be shown."""

import re

SHOWN = 80  # characters of a long text

# Control characters (colours and cursors of a terminal among them), line ends, marks that turn the
# direction of writing, and what stands for the bytes of a file name that is not UTF-8.
UNPRINTABLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def escaped(text: str) -> str:
    r"""Show what is no printable character as `\x1b`, `\n`, ..., so that text stays on its line."""
    return UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)


def shortened(text: str) -> str:
    """The beginning of a long text."""
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"


def is_utf8(text: str) -> bool:
    """Whether text has no bytes that are not UTF-8, as file names on Linux may."""
    return not any("\ud800" <= character <= "\udfff" for character in text)
