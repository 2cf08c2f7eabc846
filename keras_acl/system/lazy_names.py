"""Public names of a package that are imported on first use (PEP 562)."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping

from keras_acl.system.quiet_start import quiet_start


def lazy_names(
    package: str, places: Mapping[str, str], modules: Iterable[str] = ()
) -> tuple[Callable[[str], object], Callable[[], list[str]]]:
    """The `__getattr__` and `__dir__` of a package: a process pays only for what it uses.

    A process that only decodes videos, for instance, does without TensorFlow.

    Args:
        package: Name of the package, its `__name__`.
        places: Module of each name.
        modules: Modules of the package that are public names themselves.

    Returns:
        The two functions, to be assigned to these names in the package.
    """
    public = sorted({*places, *modules})

    def get(name: str) -> object:
        if name in places:
            with quiet_start():
                return getattr(importlib.import_module(places[name]), name)
        if name in public:
            with quiet_start():
                return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        eager = getattr(sys.modules[package], "__all__", ())
        return sorted({*public, *eager})

    return get, names
