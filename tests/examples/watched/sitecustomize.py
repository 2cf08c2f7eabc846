"""Runs first in every process of a server: some packages are missing, and what it does is noted."""

import os
import sys

MISSING = set(os.environ["MISSING"].split())
NOTES = open(os.environ["NOTES"], "a", buffering=1, encoding="utf-8")  # noqa: SIM115
NETWORK = {"socket.connect", "socket.getaddrinfo", "socket.sendto"}


class Watch:
    """Notes which packages are wanted, and finds some of them nowhere."""

    def find_spec(self, name, path=None, target=None):
        if path is None:
            print("import", name, file=NOTES)
            if name in MISSING:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def hear(event, arguments):
    if event in NETWORK and "127.0.0.1" not in str(arguments) and "/" not in str(arguments):
        print("network", event, arguments[-1], file=NOTES)


sys.meta_path.insert(0, Watch())
sys.addaudithook(hear)
