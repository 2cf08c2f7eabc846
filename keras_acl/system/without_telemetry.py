"""Packages that would tell their makers that they are used, imported so that they do not."""

import importlib
import os
import sys
from types import ModuleType

REPORTER = "openvino_telemetry"  # what both send with


def import_without_telemetry(name: str) -> ModuleType:
    """Import OpenVINO, NNCF or Ray, whose use would be reported to its makers.

    `import openvino` alone sends an event to Google Analytics and writes a number for its user into
    the home folder, asking nobody. Both do without the package that sends where it is missing, and
    so it is while they are imported. Nothing changes for who has imported them before. Ray reports
    once it is started, unless a variable says no.

    Args:
        name: Name of a module.

    Raises:
        ImportError: If it is missing.
    """
    os.environ.setdefault("NNCF_CI", "1")  # NNCF's own switch, for what it starts
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    loaded = {key: module for key, module in sys.modules.items() if _reports(key)}
    for key in loaded:
        del sys.modules[key]
    sys.modules[REPORTER] = None  # pyright: ignore[reportArgumentType]: it cannot be imported
    try:
        return importlib.import_module(name)
    finally:
        del sys.modules[REPORTER]
        sys.modules.update(loaded)


def _reports(module: str) -> bool:
    return module.partition(".")[0] == REPORTER
