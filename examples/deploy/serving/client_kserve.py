"""Ask a server of the Open Inference protocol v2, such as kserve_server.py, for a video's classes.

    python client_kserve.py clip.mp4

It decodes the video here, by the clip that the server's metadata name, and sends uint8 clips. Other
servers do not know `metadata`: give them the exported model itself, `--model model.xml`.
"""

import argparse
import json
import sys
from pathlib import Path

from keras_acl.clip import ClipSpec
from keras_acl.engines import read_metadata
from keras_acl.engines.scores import scores_of
from keras_acl.video.clips import read_uniform_clips
from keras_acl.video.video import DecodingError, as_video

import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

TOP = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video")
    parser.add_argument("--server", default="127.0.0.1:8080")
    parser.add_argument("--name", default="model")
    parser.add_argument("--model", type=Path, help="whose metadata to read, not the server's")
    parser.add_argument("--clips", type=int, default=3, help="of the video, spread over its length")
    parser.add_argument("--outputs", nargs="*", default=["logits"])
    parser.add_argument("--save", type=Path, help="write the outputs to an .npz file")
    parser.add_argument("--request", type=Path, help="write what curl can send, and send nothing")
    arguments = parser.parse_args()
    with InferenceServerClient(arguments.server) as client:
        try:
            ask(client, arguments)
        except (DecodingError, InferenceServerException) as error:
            sys.exit(str(error))


def ask(client: InferenceServerClient, arguments: argparse.Namespace) -> None:
    """Send a video's clips, and print what they are."""
    if arguments.model:
        about = read_metadata(arguments.model)
    else:
        answer = client.infer(
            arguments.name,
            inputs=[],
            outputs=[InferRequestedOutput("metadata")],
            headers={"Content-Type": "application/json"},  # KServe wants to know where no clip is
        )
        about = json.loads(answer.as_numpy("metadata")[0])
    spec = ClipSpec(**about["clip"])
    clips = read_uniform_clips(as_video(arguments.video), spec, arguments.clips)
    if arguments.request:
        request = {
            "inputs": [
                {
                    "name": "clip",
                    "shape": clips.shape,
                    "datatype": "UINT8",
                    "data": clips.ravel().tolist(),
                }
            ],
            "outputs": [{"name": name} for name in arguments.outputs],
        }
        arguments.request.write_text(json.dumps(request))
        return
    clip = InferInput("clip", list(clips.shape), "UINT8")
    clip.set_data_from_numpy(clips)
    wanted = {"logits", *arguments.outputs}
    answer = client.infer(arguments.name, [clip], outputs=[*map(InferRequestedOutput, wanted)])
    found = {name: answer.as_numpy(name) for name in wanted}
    if arguments.save:
        np.savez(arguments.save, **found)
    scores = scores_of(found["logits"], about["multi_label"]).mean(axis=0)
    labels = about["labels"] or [f"class {i}" for i in range(len(scores))]
    for i in np.argsort(-scores)[:TOP]:
        print(f"{scores[i]:6.1%}  {labels[i]}")


if __name__ == "__main__":
    main()
