"""Let the site read docstrings as they are written here, in Keras' habits."""

import re

import griffe


class KerasSections(griffe.Extension):
    """Rename sections of docstrings to what Griffe knows."""

    def on_object(self, *, obj: griffe.Object, **kwargs) -> None:
        """Griffe calls this for every function, class and module."""
        if obj.docstring:
            obj.docstring.value = re.sub(
                r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE
            )
