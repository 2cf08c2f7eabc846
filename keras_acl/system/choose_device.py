"""Which device Keras' backend may see; to be said before Keras is imported."""

import os
import re


def choose_device(name: str) -> None:
    """Let this process see one device alone, whichever the backend is.

    It works through the variables that TensorFlow, JAX and torch read when they start, so that
    whatever is chosen for the device (XLA, precision, network) is chosen for this one.

    Args:
        name: `"cpu"`; `"gpu"`: the first one; `"gpu:1"`: the second one, of those that
            `CUDA_VISIBLE_DEVICES` leaves, if it is set.

    Raises:
        ValueError: If there is no such name, or no such GPU in `CUDA_VISIBLE_DEVICES`. Whether the
            backend finds one is asked by `system.devices.check_gpu`.
    """
    if name == "cpu":
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        os.environ["JAX_PLATFORMS"] = "cpu"
        os.environ["KERAS_TORCH_DEVICE"] = "cpu"
        return
    match = re.fullmatch(r"gpu(?::(\d+))?", name)
    if match is None:
        raise ValueError(
            f"Expected the device to be cpu, gpu or gpu:1 (the second). Received: {name}"
        )
    index = int(match[1] or 0)
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is None:
        os.environ["CUDA_VISIBLE_DEVICES"] = str(index)
        return
    left = [each.strip() for each in visible.split(",") if each.strip()]
    if index >= len(left):
        raise ValueError(f"There is no {name}: CUDA_VISIBLE_DEVICES is {visible!r}.")
    os.environ["CUDA_VISIBLE_DEVICES"] = left[index]
