"""What `gpu.py` measures: contenders, cases, the plan, and the chips' peaks."""

import dataclasses
import re
from collections.abc import Iterator, Sequence

# Dense TFLOP/s of the chip's data sheet without sparsity: fp32, tf32, bf16.
PEAKS = {
    "H100 PCIe": (51.0, 378.0, 756.0),
    "H100 NVL": (60.0, 418.0, 835.0),
    "H100": (67.0, 494.0, 989.0),
    "H200": (67.0, 494.0, 989.0),
    "GH200": (67.0, 494.0, 989.0),
    "A100": (19.5, 156.0, 312.0),
    "L40S": (91.6, 183.0, 362.0),
    "L4": (30.3, 60.0, 121.0),
    "RTX 4090": (82.6, 82.6, 165.2),
}
PRECISIONS = ("fp32", "tf32", "bf16")
# Of one 224 clip by fusion, as `keras_acl.profiling.count_multiply_adds` counts them.
MULTIPLY_ADDS = {"none": 26_153_455_616, "conv": 27_638_665_216}
OUT_OF_MEMORY = "out of memory"
LARGEST_BATCH = 512


@dataclasses.dataclass(frozen=True)
class Contender:
    """One child process: a network in one framework doing one thing.

    Args:
        name: What to call it in the table.
        framework: `"jax"` or `"tensorflow"`, for Keras, or `"torch"`.
        task: `"train"`, `"infer"`, `"fit"` (`model.fit` on a batch in memory), `"reference"` and
            `"check"` (write, compare outputs).
        precision: `"fp32"`, `"tf32"` or `"bf16"`.
        batch: Clips a step.
        form: Form of the separable convolutions (Keras).
        consistency: `"none"`, `"ac"` or `"ac_scam"` (Keras).
        fusion: `"none"` or `"conv"`.
        optimized: Whether it is what `keras_acl.optimize` makes of the network (Keras, inference).
        rematerialize: Whether blocks are computed twice to save memory (Keras, with a consistency).
        compiled: Whether `torch.compile` is used.
        pytorchvideo: Whether it is PyTorchVideo's network.
        share: Part of the GPU's memory it may take.
        cpu: Whether it runs on the CPU.
        tiny: Whether the network and the clips are tiny.
        file: Outputs of the reference, or the folder of a profile.
    """

    name: str
    framework: str
    task: str
    precision: str = "bf16"
    batch: int = 32
    form: str = "auto"
    consistency: str = "none"
    fusion: str = "none"
    optimized: bool = False
    rematerialize: bool = False
    compiled: bool = False
    pytorchvideo: bool = False
    share: float = 0.9
    cpu: bool = False
    tiny: bool = False
    file: str = ""


@dataclasses.dataclass(frozen=True)
class Case:
    """Contenders that take turns.

    Args:
        name: What the results are kept, and found again, under.
        contenders: Who takes part.
        peers: Names of those the others are compared with.
        fixed: Whether the batches are; otherwise one that is too large is halved.
    """

    name: str
    contenders: tuple[Contender, ...]
    peers: tuple[str, ...] = ()
    fixed: bool = False


@dataclasses.dataclass(frozen=True)
class Choices:
    """What the command line says of the plan.

    Args:
        backend: `"jax"` or `"tensorflow"`.
        batch: Clips a step where no sweep has found a better number.
        quick: Only the most important cases.
        torch: Whether the PyTorch peer takes part.
        compiled: Whether `torch.compile` does.
        pytorchvideo: Whether PyTorchVideo's network is the peer of the one with fusion.
        cpu: A tiny network on the CPU, to try it all.
        profile: Folder for traces; none by default.
    """

    backend: str = "jax"
    batch: int = 32
    quick: bool = False
    torch: bool = True
    compiled: bool = True
    pytorchvideo: bool = False
    cpu: bool = False
    profile: str = ""


def plan(choices: Choices, rows: Sequence[dict]) -> Iterator[Case]:
    """Cases, the most important first; the later ones look at the rows of the earlier."""
    yield check_case(choices, "check", ("fp32",), optimized=True)
    for task in ("train", "infer"):
        yield duel(choices, task, "bf16", choices.batch)
    yield alone(choices, f"fit bf16, batch {choices.batch}", task="fit", batch=choices.batch)
    yield forms(choices, "train")
    if choices.quick:
        return
    yield _consistency(choices)
    yield _rematerialization(choices)
    yield forms(choices, "infer")
    yield _folding(choices)
    yield check_case(choices, "check of all precisions", PRECISIONS)
    for precision in ("tf32", "fp32"):
        for task in ("train", "infer"):
            yield duel(choices, task, precision, max(1, choices.batch // 2))
    yield duel(choices, "train", "bf16", choices.batch, fusion="conv")
    for task in ("train", "infer"):
        contenders = duel(choices, task, "bf16", 1).contenders
        for contender in contenders:
            yield from _sweep(choices, contender, rows)
        best = {c.name: best_batch(rows, task, c.name, choices.batch) for c in contenders}
        named = ", ".join(f"{name} {batch}" for name, batch in best.items())
        if set(best.values()) != {choices.batch}:
            case = duel(choices, task, "bf16", choices.batch)
            at_best = [dataclasses.replace(c, batch=best[c.name]) for c in case.contenders]
            name = f"{task} bf16 at the best batches: {named}"
            yield dataclasses.replace(case, name=name, contenders=tuple(at_best))
    if choices.profile:
        for contender in duel(choices, "train", "bf16", choices.batch).contenders:
            traced = dataclasses.replace(contender, file=choices.profile, share=0.9)
            yield Case(f"profile, train bf16, {contender.name}", (traced,))


def keras_name(choices: Choices) -> str:
    """What the Keras contender is called."""
    return f"keras-{choices.backend}"


def check_case(
    choices: Choices, name: str, precisions: Sequence[str], optimized: bool = False
) -> Case:
    """Outputs on the GPU against those of Keras on the CPU in fp32."""
    keras = alone(choices, "", task="check", batch=2, optimized=optimized).contenders[0]
    kinds = [keras]
    if choices.torch:
        kinds.append(dataclasses.replace(keras, name="torch", framework="torch"))
    return Case(
        name,
        tuple(
            dataclasses.replace(kind, name=f"{kind.name} {precision}", precision=precision)
            for precision in precisions
            for kind in kinds
        ),
    )


def duel(choices: Choices, task: str, precision: str, batch: int, fusion: str = "none") -> Case:
    """Keras against PyTorch, eager and compiled."""
    common = {
        "task": task,
        "precision": precision,
        "batch": batch,
        "fusion": fusion,
        "cpu": choices.cpu,
        "tiny": choices.cpu,
    }
    # PyTorch gives its memory back between turns; JAX keeps what it took.
    share = 0.53 if choices.torch else 0.9
    keras = Contender(keras_name(choices), choices.backend, share=share, **common)
    contenders = [dataclasses.replace(keras, optimized=task == "infer")]
    if choices.torch:
        theirs = choices.pytorchvideo and fusion == "conv"
        eager = Contender("torch", "torch", pytorchvideo=theirs, share=0.37, **common)
        contenders.append(eager)
        if choices.compiled:
            contenders.append(dataclasses.replace(eager, name="torch.compile", compiled=True))
    network = "" if fusion == "none" else " with fusion"
    network += " against PyTorchVideo" if contenders[-1].pytorchvideo else ""
    peers = tuple(contender.name for contender in contenders[1:])
    return Case(f"{task} {precision}{network}, batch {batch}", tuple(contenders), peers)


def alone(choices: Choices, name: str, **changes) -> Case:
    """A case of the Keras contender alone."""
    one = Contender(
        keras_name(choices), choices.backend, cpu=choices.cpu, tiny=choices.cpu, **changes
    )
    return Case(name, (one,))


def forms(choices: Choices, task: str) -> Case:
    """Separable convolutions natively and in 2D."""
    one = alone(choices, "", task=task, batch=choices.batch, share=0.45).contenders[0]
    both = [dataclasses.replace(one, name=form, form=form) for form in ("2d", "native")]
    return Case(f"forms, {task} bf16, batch {choices.batch}", tuple(both), ("native",))


def _folding(choices: Choices) -> Case:
    """What `keras_acl.optimize` gains."""
    one = alone(choices, "", task="infer", batch=choices.batch, share=0.45).contenders[0]
    both = [
        dataclasses.replace(one, name=name, optimized=name == "optimized")
        for name in ("optimized", "plain")
    ]
    return Case(f"optimize, infer bf16, batch {choices.batch}", tuple(both), ("plain",))


def _consistency(choices: Choices) -> Case:
    one = alone(choices, "", task="train", batch=max(1, choices.batch // 2), share=0.3).contenders[
        0
    ]
    variants = [
        dataclasses.replace(one, name=name, consistency=name) for name in ("none", "ac", "ac_scam")
    ]
    return Case(f"consistency, train bf16, batch {one.batch}", tuple(variants), ("none",))


def _rematerialization(choices: Choices) -> Case:
    """The memory that it saves, and its price."""
    batch = max(1, choices.batch // 2)
    one = alone(
        choices, "", task="train", batch=batch, consistency="ac_scam", share=0.45
    ).contenders[0]
    both = [
        dataclasses.replace(one, name=name, rematerialize=name == "rematerialised")
        for name in ("rematerialised", "plain")
    ]
    return Case(f"rematerialisation, train bf16, batch {batch}", tuple(both), ("plain",))


def _sweep(choices: Choices, contender: Contender, rows: Sequence[dict]) -> Iterator[Case]:
    """Double the batch until the memory is full."""
    batch, largest = 1, 2 if choices.cpu else LARGEST_BATCH
    while batch <= largest:
        name = f"sweep, {contender.task} bf16, {contender.name}, batch {batch}"
        alone_with_memory = dataclasses.replace(contender, batch=batch, share=0.9)
        yield Case(name, (alone_with_memory,), fixed=True)
        if any(row["case"] == name and "error" in row for row in rows):
            return
        batch *= 2


def best_batch(rows: Sequence[dict], task: str, contender: str, default: int) -> int:
    """Batch of a sweep with the most clips a second."""
    swept = [
        row
        for row in rows
        if row["case"].startswith(f"sweep, {task} ")
        and row["contender"] == contender
        and "clips/s" in row
    ]
    return max(swept, key=lambda row: row["clips/s"])["batch"] if swept else default


def peak_flops(device: str, given: Sequence[float] = ()) -> dict[str, float]:
    """Peak operations a second of a device by precision; empty where it is not known."""
    if given:
        return {p: 1e12 * value for p, value in zip(PRECISIONS, given, strict=True)}
    for name, peaks in PEAKS.items():
        if re.search(rf"\b{name}\b", device):
            return {p: 1e12 * value for p, value in zip(PRECISIONS, peaks, strict=True)}
    return {}


def model_flops(contender: Contender) -> int:
    """Operations of a clip: two a multiply-add, and a backward pass is two forward ones.

    Those of the plain network, whatever consistency adds; none for a tiny one.
    """
    if contender.tiny:
        return 0
    passes = 1 if contender.task == "infer" else 3
    return 2 * passes * MULTIPLY_ADDS[contender.fusion]
