"""The systems that the paper compares with, as a page, and the presets as a picture.

Writes examples/tables.md and examples/pictures/presets.png. Costs are counted; accuracies are
those that others published, each with its source; none was measured here. Measured are the errors
of imported networks, on three backends, by the tests of the importers (some minutes):

    python examples/systems.py
    python examples/systems.py --measure    # writes examples/results/parity.csv anew before
"""

import argparse
import csv
import dataclasses
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from keras_acl.models import C3DClassifier
from keras_acl.pretrained import list_presets
from keras_acl.speed.architectures import ArchitectureCost, architecture_costs
from keras_acl.speed.cost import count_multiply_adds, count_parameters
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.figures import save_figure

from matplotlib.figure import Figure

HERE = Path(__file__).parent
PARITY = HERE / "results" / "parity.csv"
BACKENDS = ("tensorflow", "jax", "torch")
OWN = "the projects' own code"
ANEW = "code written anew in the tests"
OWN_AND_ANEW = "torchvision's or PyTorchVideo's own code; the others: code written anew"


@dataclasses.dataclass(frozen=True)
class System:
    """A system and what is known of it.

    Args:
        name: As the literature calls it.
        network: Class of `keras_acl.models`.
        cost: Its row of `keras-acl costs`, or "C3D".
        published: Accuracies, and whose.
        files: Checkpoints that `import_checkpoint` reads.
        parity: What the logits were compared with; "" where there is nothing to compare with.
        tests: Regular expression of the tests that compare them, without "test_".
    """

    name: str
    network: str
    cost: str
    published: str
    files: str = ""
    parity: str = ""
    tests: str = ""


SYSTEMS = (
    System(
        "AC + SCAM (the paper's)",
        "TwoStreamClassifier",
        "AC + SCAM 4x16 R50 (the paper's)",
        "K400 75.7, UCF101 95.7 (the paper)",
        "started from SlowFast's and Slow's",
        OWN,
        r"warm_start_.*",
    ),
    System(
        "SlowFast 4x16 R50",
        "SlowFastClassifier",
        "SlowFast 4x16 R50",
        "K400 75.6, UCF101 95.0 (the paper); 75.34 (PyTorchVideo)",
        "PyTorchVideo, PySlowFast, MMAction2",
        OWN,
        r"outputs_.*slowfast.*",
    ),
    System(
        "SlowFast without fusion",
        "SlowFastClassifier",
        "SlowFast 4x16 R50 without fusion",
        "K400 73.5 (the paper)",
    ),
    System(
        "Slow 4x16 R50",
        "SlowClassifier",
        "Slow 4x16 R50",
        "K400 73.1 (the paper); 72.40 (PyTorchVideo)",
        "PyTorchVideo, PySlowFast, MMAction2",
        OWN,
        r"outputs_.*ptv_slow\.pyth.*",
    ),
    System(
        "I3D, RGB",
        "I3DClassifier",
        "I3D Inception, 64 frames",
        "K400 71.1 on the test set (kinetics-i3d); UCF101 94.8, split 1 (MMAction)",
        "kinetics-i3d, pytorch-i3d",
        ANEW,
        r"logits_are_those_of_(i3d.*|pytorch_i3d\[3\])",
    ),
    System(
        "I3D, flow",
        "I3DClassifier",
        "I3D Inception of flow, 64 frames",
        "K400 63.4 on the test set (kinetics-i3d)",
        "kinetics-i3d, pytorch-i3d",
        ANEW,
        r"(two_checkpoints_.*|logits_.*_pytorch_i3d\[2\])",
    ),
    System(
        "I3D, two-stream",
        "LateFusionClassifier",
        "Two-stream I3D, 64 frames",
        "K400 74.2 on the test set (kinetics-i3d); UCF101 97.8 (its paper)",
        "both of kinetics-i3d, pytorch-i3d",
        ANEW,
        r"two_checkpoints_.*",
    ),
    System(
        "I3D on ResNet-50",
        "InflatedResNetClassifier",
        "I3D 8x8 R50",
        "K400 73.27 (PyTorchVideo)",
        "PyTorchVideo, MMAction2",
        OWN_AND_ANEW,
        r"logits_.*\[(i3d_r50|c2d_r50|i3d)\]",
    ),
    System(
        "R(2+1)D-34",
        "R2Plus1DClassifier",
        "R(2+1)D-34, 32 frames",
        "K400 72.0, two streams 73.9 (its paper); 80.0 from IG-65M (VMZ)",
        "torchvision (18), ig65m, VMZ, MMAction2",
        OWN_AND_ANEW,
        r"logits_.*\[(r2plus1d_18|ig65m|r2plus1d|R\(2\+1\)D-34)\]",
    ),
    System(
        "R(2+1)D on ResNet-50",
        "BottleneckR2Plus1DClassifier",
        "R(2+1)D R50 16x4",
        "K400 76.01 (PyTorchVideo)",
        "PyTorchVideo",
        OWN,
        r"logits_.*\[r2plus1d_r50\]",
    ),
    System(
        "S3D",
        "S3DClassifier",
        "S3D, 64 frames",
        "K400 68.37 (torchvision); 72.08 (kylemin)",
        "torchvision, kylemin",
        OWN_AND_ANEW,
        r"logits_.*(\[s3d\]|kylemins_s3d)",
    ),
    System(
        "C3D",
        "C3DClassifier",
        "C3D",
        "UCF101 82.26 (MMAction), 83.08 (MMAction2)",
        "MMAction2, DavideA, VMZ",
        ANEW,
        r"logits_are_those_of_c3d.*",
    ),
    System(
        "TSN, BN-Inception",
        "TSNClassifier",
        "TSN BN-Inception, 25 frames",
        "UCF101 86.4, flow 87.7 (MMAction)",
        "tsn-pytorch, MMAction, of colours and of flow",
        ANEW,
        r"logits_(are_theirs\[tsn\]|of_flow_.*)",
    ),
    System(
        "TSN, ResNet-50",
        "TSNClassifier",
        "TSN R50, 25 frames",
        "K400 72.83 (MMAction2)",
        "MMAction2",
        ANEW,
        r"logits_are_theirs\[mmaction2\]",
    ),
    System(
        "ECO Lite",
        "ECOLiteClassifier",
        "ECO Lite, 16 frames",
        "",
        "ECO-pytorch",
        ANEW,
        r"logits_are_theirs\[eco_lite\]",
    ),
    System(
        "ECO",
        "ECOClassifier",
        "ECO, 16 frames",
        "an ensemble of networks K400 70.0, UCF101 94.8 (its paper)",
        "ECO-pytorch",
        ANEW,
        r"logits_are_theirs\[eco\]",
    ),
    System(
        "3D ResNeXt-101",
        "ResNeXt3DClassifier",
        "ResNeXt-101, 64 frames",
        "UCF101 94.5, 64 frames (its paper)",
        "3D-ResNets-PyTorch",
        ANEW,
        r"logits_are_those_of_3d_resnext",
    ),
    System(
        "ARTNet-18",
        "ARTNetClassifier",
        "ARTNet-18, 16 frames",
        "K400 69.2, with TSN 70.7; UCF101 93.5, with TSN 94.3 (its repository)",
    ),
    System(
        "T3D",
        "T3DClassifier",
        "T3D-121, 32 frames",
        "UCF101 91.7 (its paper)",
    ),
    System(
        "STC-ResNeXt-101",
        "STCClassifier",
        "STC-ResNeXt-101, 16 frames",
        "K400 68.7 (its paper)",
    ),
    System(
        "ir-CSN-152",
        "CSNClassifier",
        "ir-CSN R152, 32 frames",
        "K400 82.87 from IG-65M, 76.53 from scratch (MMAction2)",
        "PyTorchVideo (R101), VMZ, MMAction2",
        OWN_AND_ANEW,
        r"(logits|torch_files)_.*(csn_r50|ircsn|ipcsn|i[rp]-CSN-50)\]",
    ),
    System(
        "X3D-M",
        "X3DClassifier",
        "X3D-M",
        "K400 75.94 (PyTorchVideo)",
        "PyTorchVideo",
        OWN,
        r"logits_.*\[x3d_m\]",
    ),
)
HEAD = (
    "# The systems that the paper compares with\n\n"
    "Those of its Tables 3 and 4, and some more. Multiply-adds are counted on the network that the "
    "class builds, for one view at the size that it is tested at, with 400 classes (`keras-acl "
    "costs`). Accuracies were published by others, in per cent, under protocols of their own; "
    "**none was measured here**. *Files* are the checkpoints that `import_checkpoint` reads; "
    "*logits as* says what they were compared with, with random weights; where it is empty there "
    "is no code or file to compare with, and the class is built from the paper or its "
    "description. *Error* is the largest difference that was measured on TensorFlow, JAX and torch "
    "on a CPU, in parts of the largest logit, of the networks in the "
    "[tests](../tests/README.md), most of which are narrow; 1e-4 is allowed.\n\n"
    "| system | class | GMACs | parameters | published | files | logits as | error |\n"
    "|---|---|---|---|---|---|---|---|\n"
)
FOOT = (
    "\n![Accuracy against multiply-adds of the presets](pictures/presets.png)\n\n"
    "The presets for Kinetics-400 whose accuracy somebody measured; multiply-adds of one view "
    "(`keras-acl presets --task kinetics400`).\n\n"
    "Written by `python examples/systems.py`; the errors, of [each test](results/parity.csv), by "
    "`python examples/systems.py --measure`.\n"
)


def c3d_cost() -> ArchitectureCost:
    """Counted on the network: its fc6 sees a whole map of 112, which no table by strides tells."""
    model, size = C3DClassifier(400), 112
    return ArchitectureCost("C3D", count_multiply_adds(model, size), count_parameters(model), size)


def measure() -> None:
    """Run the tests of the importers on each backend, and write their errors."""
    rows: dict[tuple[str, str], float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for backend in BACKENDS:
            file = Path(folder) / f"{backend}.csv"
            options = {"KERAS_BACKEND": backend, "PARITY_ERRORS": str(file)}
            tests = HERE.parent / "tests" / "pretrained" / "importers"
            subprocess.run(
                [sys.executable, "-m", "pytest", str(tests), "-m", "backends and not slow"],
                env=os.environ | options,
                cwd=HERE.parent,
                check=True,
            )
            with open(file, encoding="utf-8", newline="") as stream:
                for test, on, error in csv.reader(stream):
                    rows[test, on] = max(rows.get((test, on), 0.0), float(error))
    with written_whole(PARITY) as beside, open(beside, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["test", "backend", "error"])
        writer.writerows([test, on, f"{error:.1e}"] for (test, on), error in sorted(rows.items()))


def errors() -> dict[tuple[str, str], float]:
    """What was measured, by test and backend."""
    with open(PARITY, encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {(row["test"], row["backend"]): float(row["error"]) for row in rows}


def largest_error(system: System) -> float:
    """Of all backends and tests of a system."""
    return max(
        error for (test, _), error in errors().items() if re.fullmatch(f"test_{system.tests}", test)
    )


def page() -> str:
    """The page."""
    costs = {row.name: row for row in [*architecture_costs(), c3d_cost()]}
    lines = []
    for one in SYSTEMS:
        cost = costs[one.cost]
        cells = (
            one.name,
            f"`{one.network}`",
            f"{cost.multiply_adds / 1e9:.1f} @{cost.size}",
            f"{cost.parameters / 1e6:.2f} M",
            one.published,
            one.files,
            one.parity,
            f"{largest_error(one):.0e}" if one.tests else "",
        )
        lines.append("| " + " | ".join(cell or "–" for cell in cells) + " |\n")
    return HEAD + "".join(lines) + FOOT


def picture(file: Path) -> None:
    """Accuracy against multiply-adds of the presets, each under its own protocol."""
    rows = list_presets("kinetics-400", min_top1=0)
    figure = Figure(figsize=(9, 7), layout="constrained")
    axes = figure.subplots()
    for source in dict.fromkeys(row.measured_by for row in rows):
        own = [row for row in rows if row.measured_by == source]
        sizes = [4 * row.parameters / 1e6 for row in own]
        axes.scatter(
            [row.multiply_adds / 1e9 for row in own],
            [row.top1 for row in own],
            sizes,
            alpha=0.6,
            label=f"measured by {source}",
        )
    places = [(row.multiply_adds / 1e9, row.top1 or 0.0) for row in rows]
    for row, (adds, top1) in zip(rows, places, strict=True):
        # To the right, but where another point is close by on that side.
        left = any(1 < x / adds < 1.5 and abs(y - top1) < 0.5 for x, y in places)
        axes.annotate(
            row.name.removesuffix("_k400"),
            (adds, top1),
            xytext=(-10 if left else 10, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=7,
        )
    axes.set_xscale("log")
    axes.set_xlabel("multiply-adds of one view, in billions (areas: parameters)")
    axes.set_ylabel("top-1 on Kinetics-400 in %")
    axes.margins(0.2, 0.08)
    axes.legend(loc="lower left", fontsize=8)
    axes.grid(alpha=0.3)
    save_figure(figure, file)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=HERE, help="folder for both")
    parser.add_argument("--measure", action="store_true", help="compare imported networks before")
    options = parser.parse_args()
    output = options.output
    if options.measure:
        measure()
    (output / "pictures").mkdir(parents=True, exist_ok=True)
    (output / "tables.md").write_text(page(), encoding="utf-8")
    picture(output / "pictures" / "presets.png")
    print(f"Written: {output / 'tables.md'} {output / 'pictures' / 'presets.png'}")


if __name__ == "__main__":
    main()
