"""Importers of public checkpoints, one table of rules a format."""

from keras_acl.pretrained.importers.checkpoint import import_checkpoint, warm_start
from keras_acl.pretrained.importers.imagenet import inflate_imagenet
from keras_acl.pretrained.importers.import_report import ImportReport

__all__ = ["ImportReport", "import_checkpoint", "inflate_imagenet", "warm_start"]
