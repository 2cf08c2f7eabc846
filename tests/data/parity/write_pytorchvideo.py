"""Write pytorchvideo.json: what PyTorchVideo's networks compute with drawn weights.

Needs pytorchvideo 0.1.5 and its dependencies (with torchvision), which the tests do not:

    PYTHONPATH=tests python tests/data/parity/write_pytorchvideo.py
"""

import json
from pathlib import Path

import torch
from pretrained.importers.drawn import clip_of, drawn
from pytorchvideo.models import hub
from pytorchvideo.models.csn import create_csn

CLASSES = 7
SIZE = 64
# The published builders, with narrow stems where they allow it; head pools of one whole map.
NETWORKS = {
    "c2d_r50": (hub.c2d_r50, {"head_pool_kernel_size": (4, 2, 2), "stem_dim_out": 16}, 8),
    "i3d_r50": (hub.i3d_r50, {"head_pool_kernel_size": (4, 2, 2), "stem_dim_out": 16}, 8),
    "csn_r50": (
        create_csn,
        {
            "model_depth": 50,
            "stem_pool": torch.nn.MaxPool3d,
            "head_pool_kernel_size": (1, 2, 2),
            "stem_dim_out": 16,
        },
        8,
    ),
    "r2plus1d_r50": (
        hub.r2plus1d_r50,
        {"head_pool_kernel_size": (2, 2, 2), "stem_dim_out": 16, "head_activation": None},
        8,
    ),
    "x3d_m": (
        hub.x3d_m,
        {"head_activation": None},
        16,
    ),
}


def main() -> None:
    found = {name: record(name) for name in NETWORKS}
    file = Path(__file__).with_name("pytorchvideo.json")
    file.write_text(json.dumps(found, separators=(",", ":")) + "\n", encoding="utf-8")


def record(name: str) -> dict:
    """Shapes of the tensors, the clip's frames and size, and the logits."""
    build, arguments, frames = NETWORKS[name]
    size = 224 if name.startswith("x3d") else SIZE
    network = build(model_num_class=CLASSES, **arguments).eval()
    shapes = {key: list(value.shape) for key, value in network.state_dict().items()}
    state = {key: torch.from_numpy(value) for key, value in drawn(shapes).items()}
    network.load_state_dict(state)
    clip = (torch.from_numpy(clip_of(frames, size)).float() / 255 - 0.45) / 0.225
    with torch.no_grad():
        logits = network(clip.permute(0, 4, 1, 2, 3))[0]
    print(name, logits.tolist())
    return {"frames": frames, "size": size, "shapes": shapes, "logits": logits.tolist()}


if __name__ == "__main__":
    main()
