"""The command line, `keras-acl`: a file for each purpose, and no decisions inside."""

from keras_acl.cli.main import main

__all__ = ["main"]
