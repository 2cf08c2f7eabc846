"""One HTML page about a run, or about the difference of two."""

from keras_acl.report.write import write_report

__all__ = ["write_report"]
