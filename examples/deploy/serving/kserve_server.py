"""Serve an exported model by KServe: uint8 clips come in, logits and what else it computes go out.

    python kserve_server.py model.xml

It speaks the Open Inference protocol v2 over HTTP, as OpenVINO Model Server and Triton do, so
client_kserve.py asks any of them. The protocol's metadata of a model have no place for class names
or the clip's span of time: they are one more output, `metadata`, as JSON. Answers on this machine
alone; `--host 0.0.0.0` answers everybody who can reach it, without asking who they are. Neither
TensorFlow nor Keras is needed.
"""

import argparse
import json
import sys

import keras_acl
from keras_acl.engines import InferenceModel

import kserve
import numpy as np
from kserve.errors import InvalidInput
from kserve.protocol.rest.server import RESTServer
from kserve.utils.numpy_codec import from_np_dtype
from kserve.utils.utils import generate_uuid

METADATA = "metadata"


class ClipModel(kserve.Model):
    """An exported model, as KServe calls it.

    Args:
        name: Its name in URLs.
        model: The model.
    """

    def __init__(self, name: str, model: InferenceModel):
        super().__init__(name)
        self.model = model
        clip = model.clip
        self.shape = (model.input_shape[0] or 1, clip.frames, clip.size, clip.size, 3)
        self.example = model.run(np.zeros(self.shape, np.uint8))  # compiles it, too
        self.metadata = np.array([json.dumps(model.metadata).encode()], object)
        self.ready = True

    def get_input_types(self) -> list[dict]:
        """The protocol's metadata of the input."""
        return [{"name": "clip", "datatype": "UINT8", "shape": [-1, *self.shape[1:]]}]

    def get_output_types(self) -> list[dict]:
        """The protocol's metadata of the outputs."""
        found = [
            {"name": name, "datatype": "FP32", "shape": [-1, *value.shape[1:]]}
            for name, value in self.example.items()
        ]
        return [*found, {"name": METADATA, "datatype": "BYTES", "shape": [1]}]

    def predict(self, payload: kserve.InferRequest, headers=None, response_headers=None):
        """Outputs that were asked for, or all; the metadata alone need no clip.

        Raises:
            InvalidInput: Status 400, if the request does not fit.
        """
        if not isinstance(payload, kserve.InferRequest):
            raise InvalidInput("Expected a request of the Open Inference protocol, version 2.")
        wanted = {output.name for output in payload.request_outputs or []}
        found = {} if wanted == {METADATA} else self.outputs_of(payload)
        found[METADATA] = self.metadata
        outputs = [
            kserve.InferOutput(name, list(value.shape), from_np_dtype(value.dtype), value)
            for name, value in found.items()
        ]
        return kserve.InferResponse(
            payload.id or generate_uuid(),
            self.name,
            outputs,
            use_binary_outputs=payload.use_binary_outputs,
            requested_outputs=payload.request_outputs,
        )

    def outputs_of(self, payload: kserve.InferRequest) -> dict[str, np.ndarray]:
        """What the model computes of the clips in a request."""
        clips = payload.get_input_by_name("clip")
        if clips is None:
            raise InvalidInput("Expected an input named clip.")
        try:
            return self.model.outputs_of(clips.as_numpy(), batch_size=8)
        except (OverflowError, TypeError, ValueError) as error:
            raise InvalidInput(str(error)) from error


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="what keras-acl export wrote: .xml, .onnx or .tflite")
    parser.add_argument("--name", default="model", help="in URLs: /v2/models/NAME/infer")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8080)
    arguments = parser.parse_args()
    try:
        model = keras_acl.load_model(arguments.model)
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))
    server = kserve.ModelServer(enable_grpc=False)
    server.register_model(ClipModel(arguments.name, model))
    # What `server.start` does, which listens on all interfaces.
    rest = RESTServer(
        "kserve.model_server:app",
        server.dataplane,
        server.model_repository_extension,
        http_port=arguments.port,
    )
    rest.config.host = arguments.host
    rest.run()


if __name__ == "__main__":
    main()
