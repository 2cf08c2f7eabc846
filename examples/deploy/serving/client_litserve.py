"""Ask litserve_server.py for the classes of a video.

python client_litserve.py clip.mp4
"""

import argparse
import sys
from pathlib import Path

import httpx2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("video", type=Path)
    parser.add_argument("--server", default="http://127.0.0.1:8000")
    arguments = parser.parse_args()
    with open(arguments.video, "rb") as video:
        answer = httpx2.post(f"{arguments.server}/predict", files={"request": video}, timeout=60.0)
    if answer.is_client_error:
        sys.exit(f"{arguments.video}: {answer.json()['detail']}")
    answer.raise_for_status()
    for found in answer.json()["classes"]:
        print(f"{found['score']:6.1%}  {found['label']}")


if __name__ == "__main__":
    main()
