"""Nested settings as one level of dotted names."""

from collections.abc import Mapping
from typing import Any


def dotted_names(nested: Mapping[str, Any]) -> dict[str, Any]:
    """{"clip": {"size": 112}} -> {"clip.size": 112}.

    Args:
        nested: Values by name; a value may be such a mapping itself.
    """
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        inside = dotted_names(value) if isinstance(value, Mapping) else {}
        flat |= {f"{key}.{name}": item for name, item in inside.items()} or {key: value}
    return flat
