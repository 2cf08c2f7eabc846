"""Models as files of other engines, run without Keras."""

from keras_acl.engines.inference_model import InferenceModel
from keras_acl.engines.metadata import read_metadata

__all__ = ["InferenceModel", "read_metadata"]
