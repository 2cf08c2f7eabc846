"""Write torchvision.json: what torchvision's video networks compute with drawn weights.

Needs torchvision (0.28 wrote the file that is here), which the tests do not:

    PYTHONPATH=tests python tests/data/parity/write_torchvision.py
"""

import json
from pathlib import Path

import torch
from pretrained.importers.drawn import clip_of, drawn
from torchvision.models import video

CLASSES = 7
MEAN, STD = (0.43216, 0.394666, 0.37645), (0.22803, 0.22145, 0.216989)
CLIPS = {
    "r3d_18": (8, 64),
    "mc3_18": (8, 64),
    "r2plus1d_18": (8, 64),
    "ig65m": (8, 64),
    "s3d": (16, 224),
}


def main() -> None:
    found = {name: record(name, *clip) for name, clip in CLIPS.items()}
    Path(__file__).with_suffix("").with_name("torchvision.json").write_text(
        json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8"
    )


def record(name: str, frames: int, size: int) -> dict:
    """Shapes of the tensors, the clip's frames and size, and the logits."""
    network = ig65m() if name == "ig65m" else getattr(video, name)(num_classes=CLASSES)
    network.eval()
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    state = {key: torch.from_numpy(value) for key, value in drawn(shapes).items()}
    network.load_state_dict(state)
    clip = torch.from_numpy(clip_of(frames, size)).float() / 255
    clip = (clip - torch.tensor(MEAN)) / torch.tensor(STD)
    with torch.no_grad():
        logits = network(clip.permute(0, 4, 1, 2, 3))[0]
    print(name, logits.tolist())
    return {"frames": frames, "size": size, "shapes": shapes, "logits": logits.tolist()}


def ig65m() -> torch.nn.Module:
    """R(2+1)D with ig65m-pytorch's two changes of torchvision's network, at 18 layers."""
    network = video.r2plus1d_18(num_classes=CLASSES)
    for stage, (width, middle) in enumerate(((128, 288), (256, 576), (512, 1152)), 2):
        block = getattr(network, f"layer{stage}")[0]
        block.conv2[0] = video.resnet.Conv2Plus1D(width, width, middle)
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm3d):
            layer.eps = 1e-3
    return network


if __name__ == "__main__":
    main()
