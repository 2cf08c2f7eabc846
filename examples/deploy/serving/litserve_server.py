"""Serve an exported model by LitServe: a video file comes by HTTP, its classes go back as JSON.

    python litserve_server.py model.xml

Answers on this machine alone; `--host 0.0.0.0` answers everybody who can reach it, without asking
who they are. A file that is no video is refused with what is wrong with it, status 422, and one
that is too large with status 413. Neither TensorFlow nor Keras is needed, see requirements.txt.
"""

import argparse
import multiprocessing
import os
import signal
import sys
import tempfile

import keras_acl
from keras_acl.inference import Prediction, predict_videos

import litserve
import numpy as np
from fastapi import HTTPException, UploadFile

TOP = 5  # classes in an answer
MOST_AT_A_TIME = 32  # requests; more are refused with status 503, as each is held in memory


class VideoAPI(litserve.LitAPI):
    """What LitServe calls, in a process of its own.

    Args:
        file: An exported model.
        clips: Clips of each video, spread over its length.
    """

    def __init__(self, file: str, clips: int):
        super().__init__()
        self.file = file
        self.clips = clips

    def setup(self, device: str) -> None:
        """Load the model, and compile it before it is asked."""
        self.model = keras_acl.load_model(self.file)
        clip = self.model.clip
        shape = (self.clips, clip.frames, clip.size, clip.size, 3)
        self.model.predict_on_batch(np.zeros(shape, np.uint8))

    def decode_request(self, request: UploadFile) -> bytes:
        """The bytes of a file that was sent as a form's field `request`, LitServe's name for it."""
        return request.file.read()

    def predict(self, video: bytes) -> Prediction:
        """Classify a video.

        Raises:
            HTTPException: Status 422, if it cannot be read.
        """
        [prediction] = predict_videos(self.model, [video], self.clips)
        if prediction.problem is not None:
            raise HTTPException(422, f"The video cannot be read: {prediction.problem}")
        return prediction

    def encode_response(self, output: Prediction) -> dict:
        """The best classes, best first."""
        best = output.top(TOP)
        return {"classes": [{"label": output.labels[i], "score": score} for i, score in best]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", help="what keras-acl export wrote: .xml, .onnx or .tflite")
    parser.add_argument("--host", default="127.0.0.1", choices=["127.0.0.1", "0.0.0.0", "::"])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--clips", type=int, default=3, help="clips of each video")
    parser.add_argument("--megabytes", type=int, default=100, help="of a request, at most")
    arguments = parser.parse_args()
    if min(arguments.clips, arguments.megabytes) < 1:
        parser.error("--clips and --megabytes are 1 at least")
    try:
        about = keras_acl.load_model(arguments.model).metadata
    except (ImportError, OSError, ValueError) as error:
        sys.exit(str(error))
    server = litserve.LitServer(
        VideoAPI(arguments.model, arguments.clips),
        accelerator="cpu",
        max_payload_size=arguments.megabytes * 2**20,
        model_metadata={name: about[name] for name in ("clip", "labels", "multi_label")},
        disable_openapi_url=True,  # a page that loads scripts from elsewhere
    )
    signal.signal(signal.SIGTERM, stop)
    # Nothing stays of a video that is being read when the server is stopped.
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TMPDIR"] = folder
        server.run(
            host=arguments.host,
            port=arguments.port,
            log_level="warning",
            generate_client_file=False,
            limit_concurrency=MOST_AT_A_TIME,
        )


def stop(*_) -> None:
    """End the server and its processes, which LitServe does only when it is interrupted."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
    if multiprocessing.parent_process() is None:
        raise KeyboardInterrupt
    sys.exit()


if __name__ == "__main__":
    main()
