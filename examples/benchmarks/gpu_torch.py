"""A PyTorch contender of `gpu.py`; started by it as a child process.

Channels last, bfloat16 by autocast, cuDNN's benchmark on, the fused SGD, with or without
`torch.compile` of the network.
"""

import time
from typing import Any

import numpy as np
import torch
from gpu_cases import Contender
from gpu_process import serve
from torch_peer import TwoStreamPeer, load_weights, sgd, train_step

TINY: dict[str, Any] = {"depth": 11, "width": 8, "speed_ratio": 4, "channel_ratio": 2, "frames": 8}


def prepare(contender: Contender):
    """Build, compile and warm up; see `gpu_process.serve`."""
    device = torch.device("cpu" if contender.cpu else "cuda")
    set_precision(contender.precision)
    if device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(contender.share)
    model = build(contender).to(device)
    model.to(memory_format=torch.channels_last_3d)  # pyright: ignore[reportCallIssue]
    clips, labels = (value.to(device) for value in batch(contender))
    name = torch.cuda.get_device_name() if device.type == "cuda" else "cpu"
    facts: dict[str, Any] = {"device": name}
    if contender.task == "check":
        logits = infer(model.eval(), clips, contender.precision).float().cpu().numpy()
        return facts | compare(contender.file, logits), print, dict
    run = torch.compile(model) if contender.compiled else model
    step = training(run, model, clips, labels, contender.precision)
    if contender.task == "infer":
        model.eval()

        def step():
            return infer(run, clips, contender.precision)

    def steps(count: int):
        last = torch.zeros(())
        for _ in range(count):
            last = step()
        wait(device)
        return last

    started = time.perf_counter()
    steps(1)
    facts["first step s"] = time.perf_counter() - started
    last = steps(2)
    if contender.task == "train":
        facts["loss"] = float(last)
    if contender.file:
        facts["largest"] = profile(steps, device)

    def after() -> dict:
        if device.type == "cpu":
            return {}
        peak = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.empty_cache()  # for the other contenders; an untimed step takes it again
        return {"peak GiB": peak}

    after()
    return facts, steps, after


def build(contender: Contender) -> torch.nn.Module:
    """The peer, with weights that differ from their initial ones, or with the reference's."""
    torch.manual_seed(0)
    options = TINY if contender.tiny else {}
    if contender.pytorchvideo:
        from pytorchvideo_peer import PyTorchVideoPeer

        model = PyTorchVideoPeer()
    else:
        model = TwoStreamPeer(fusion=contender.fusion, **options)
    if contender.task == "check":
        with np.load(contender.file) as stored:
            named = {name: stored[name] for name in stored.files if "/" in name}
        load_weights(model, named)
        return model
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            torch.nn.init.uniform_(module.weight, 0.3, 0.7)
        elif isinstance(module, torch.nn.Conv3d):
            torch.nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return model


def batch(contender: Contender) -> tuple[torch.Tensor, torch.Tensor]:
    """Clips of noise, uint8 (B, T, H, W, 3), and labels (B,): those of `gpu_keras`."""
    frames, size = (8, 32) if contender.tiny else (32, 224)
    rng = np.random.default_rng(0)
    clips = rng.integers(0, 256, (contender.batch, frames, size, size, 3), dtype=np.uint8)
    return torch.from_numpy(clips), torch.from_numpy(rng.integers(0, 400, contender.batch))


def set_precision(precision: str) -> None:
    """Of products of float32 values."""
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = precision != "fp32"
    torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"


def training(run, model, clips, labels, precision: str):
    """A step of SGD, as a function."""
    model.train()
    optimizer = sgd(model, fused=clips.is_cuda)
    return lambda: train_step(run, optimizer, clips, labels, autocast=precision == "bf16")


@torch.inference_mode()
def infer(run, clips, precision: str) -> torch.Tensor:
    """Logits."""
    with torch.autocast(clips.device.type, torch.bfloat16, enabled=precision == "bf16"):
        return run(clips)


def wait(device: torch.device) -> None:
    """Until everything queued is done."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def compare(file: str, logits: np.ndarray) -> dict:
    """Largest difference from the reference, relative to its largest output."""
    with np.load(file) as stored:
        expected = stored["logits"]
    return {"difference": float(np.abs(logits - expected).max() / np.abs(expected).max())}


def profile(steps, device: torch.device) -> list[tuple[str, float]]:
    """Kernels that take the most time and their share of it."""
    from gpu_profile import largest

    kinds = torch.profiler.ProfilerActivity
    activity = kinds.CUDA if device.type == "cuda" else kinds.CPU
    with torch.profiler.profile(activities=[activity]) as recorded:
        steps(3)
    averages = recorded.key_averages()
    own = "self_cpu_time_total" if device.type == "cpu" else "self_device_time_total"
    return largest({event.key: getattr(event, own) for event in averages})


if __name__ == "__main__":
    serve(prepare)
