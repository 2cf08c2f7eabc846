"""One HTML page about a run, or about the difference of two."""

from keras_acl.report.write import Report, write_report

__all__ = ["Report", "write_report"]
