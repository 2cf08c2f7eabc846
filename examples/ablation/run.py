"""What each part of the method gives: small networks on moving figures and on real mouths.

With KERAS_BACKEND=jax and a GPU the runs of one network are performed side by side in one program,
a fraction of a second each; with TensorFlow, on CPUs, one after the other, some minutes each.
Finished runs are kept in OUTPUT/runs and not repeated; the same command started several times
shares the work. `README.md` beside this file says what is compared and what came out.

    python examples/ablation/run.py --trial --mouths FOLDER --output runs/trial
    python examples/ablation/run.py --rates runs/trial/rates.json --mouths FOLDER --output runs/all

`--videos FOLDER` adds the runs on a folder of videos for each class. On a GPU add `--processes 4`:
while one compiles or measures, another trains.

The mouths are crops with their `clips.csv`, see `lips.py`. Without a folder its part is left out.
"""

import argparse
import contextlib
import dataclasses
import functools
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

if __name__ == "__main__":  # before anything is imported
    # Several processes share the cores and the GPU.
    for library in ("OMP", "OPENBLAS", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "2")
    for threads in ("INTRAOP", "INTEROP"):
        os.environ.setdefault(f"TF_NUM_{threads}_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    # A program compiles for seconds and runs for seconds: no search for the best kernels.
    os.environ.setdefault(
        "XLA_FLAGS", "--xla_gpu_enable_triton_gemm=false --xla_gpu_autotune_level=0"
    )

from keras_acl.system.atomic_write import written_whole

import filelock
import jax
import keras
from one_group import Folders, budget_of, drawings, drawn, group_of, perform
from plan import (
    FOLDER,
    LIPS,
    LIPS_BUDGET,
    LIPS_RATE_SWEEP,
    RATE_SWEEP,
    REGIMES,
    SEEDS,
    TASKS,
    TRIED,
    VARIANTS,
    Budget,
    Run,
    plan,
    trial_plan,
)
from side_by_side import batches, convolutions_as_products

from results import write_results


def main(arguments: list[str] | None = None) -> None:
    options = read_options(arguments)
    all_runs = trial_plan() if options.trial else plan(options.seeds)
    runs = [run for run in all_runs if wanted(run, options)]
    if not runs:
        raise SystemExit("No run is left: --regimes, --variants and --tasks exclude one another.")
    for name in ("mouths", "videos"):
        if getattr(options, name) is None:
            print(f"Without --{name} the runs on real {name} are left out.")
    if options.rates is None and not options.trial:
        print("Without --rates the runs at the networks' own learning rates are left out.")
    if options.processes > 1:
        draw_all(runs, options)
        share(options.processes, sys.argv[1:] if arguments is None else arguments)
    else:
        perform_all(runs, options)
    if not options.trial:
        write_results(options.output)
    elif chosen := chosen_rates(options.output / "runs"):
        with written_whole(options.output / "rates.json") as beside:
            beside.write_text(json.dumps(chosen, indent=1) + "\n")


def perform_all(runs: list[Run], options) -> None:
    """Perform what is not done yet, program by program."""
    groups: dict[tuple, list[Run]] = {}
    for run in runs:
        groups.setdefault(group_of(run), []).append(run)
    parts = [part for group in groups.values() for part in batches(group, options.together)]
    products = options.products and keras.backend.backend() == "jax"
    with convolutions_as_products() if products else contextlib.nullcontext():
        for number, part in enumerate(parts, 1):
            started = time.monotonic()
            if count := do(part, options):
                seconds = time.monotonic() - started
                print(f"{number} of {len(parts)}: {part[0]}, {count} runs, {seconds:.0f} s")


def share(processes: int, arguments: list[str]) -> None:
    """Let several processes do the work; each takes a program that none is at."""
    command = [sys.executable, __file__, *map(str, arguments), "--processes", "1"]
    started = [subprocess.Popen(command) for _ in range(processes)]
    codes = [process.wait() for process in started]
    if any(codes):
        raise SystemExit(f"{sum(map(bool, codes))} of {processes} processes failed; see above.")


def draw_all(runs: list[Run], options) -> None:
    """Draw the clips of all runs, on all cores: on a GPU, training is faster than drawing."""
    jobs = {
        job
        for run in runs
        if run.task not in (*LIPS, FOLDER)
        for job in drawings(run, budget_of(REGIMES[run.regime], options.budget))
    }
    draw = functools.partial(drawn, cache=options.folders.cache)
    with multiprocessing.get_context("spawn").Pool() as pool:
        pool.starmap(draw, sorted(jobs, key=str), chunksize=1)


def chosen_rates(folder: Path) -> dict[str, dict[str, float]]:
    """The factor of the learning rate at which each network was best in the trial runs, by mean."""
    found: dict = {}
    for file in sorted(folder.glob("*.json")):
        result = json.loads(file.read_text())
        run, rates = result["run"], (*RATE_SWEEP, *LIPS_RATE_SWEEP)
        if run["regime"] in rates:
            kind = "lips" if run["task"] in LIPS else "figures"
            by_rate = found.setdefault(kind, {}).setdefault(run["variant"], {})
            rate = REGIMES[run["regime"]].rate
            by_rate.setdefault(rate, []).append(result["measured"]["accuracy"])
    return {
        kind: {
            variant: max(by_rate, key=lambda rate: statistics.mean(by_rate[rate]))
            for variant, by_rate in variants.items()
        }
        for kind, variants in found.items()
    }


def read_options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--cache", type=Path, help="clips; default: OUTPUT/cache")
    parser.add_argument("--mouths", type=Path, help="a folder of mouth crops with clips.csv")
    parser.add_argument("--videos", type=Path, help="a folder of real videos for each class")
    parser.add_argument("--rates", type=Path, help="the rates.json that --trial wrote")
    parser.add_argument("--trial", action="store_true", help="the runs that chose the settings")
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--variants", nargs="+", choices=[*VARIANTS, *TRIED])
    parser.add_argument("--regimes", nargs="+", choices=REGIMES)
    parser.add_argument("--tasks", nargs="+", choices=TASKS)
    parser.add_argument("--processes", type=int, default=1, help="that share the work")
    parser.add_argument(
        "--together", type=int, default=64, help="runs of a program; those that break off are lost"
    )
    parser.add_argument(
        "--products",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="convolutions as products of matrices",
    )
    for field in dataclasses.fields(Budget):
        name = "--" + field.name.replace("_", "-")
        if field.type is bool:
            parser.add_argument(name, action="store_true")
        else:
            parser.add_argument(name, type=type(field.default), default=field.default)
    options = parser.parse_args(arguments)
    options.budget = Budget(
        **{f.name: getattr(options, f.name) for f in dataclasses.fields(Budget)}
    )
    for name in ("mouths", "videos"):
        folder = getattr(options, name)
        if folder is not None and not folder.is_dir():
            parser.error(f"--{name}: there is no folder {folder}")
    if options.rates is not None and not options.rates.is_file():
        parser.error(f"--rates: there is no file {options.rates}")
    cache = options.cache or options.output / "cache"
    options.folders = Folders(cache, options.mouths, options.videos, options.rates)
    return options


def wanted(run: Run, options) -> bool:
    return (
        run.variant in (options.variants or [run.variant])
        and run.regime in (options.regimes or [run.regime])
        and run.task in (options.tasks or [run.task])
        and (options.mouths is not None or run.task not in LIPS)
        and (options.videos is not None or run.task != FOLDER)
        and (options.rates is not None or not REGIMES[run.regime].own_rate)
    )


def do(runs: list[Run], options) -> int:
    """Perform those that are not done yet, unless another process is at it; returns how many."""
    folder = options.output / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    budget = options.budget
    if runs[0].task in LIPS and budget == Budget():
        budget = LIPS_BUDGET
    try:
        with filelock.FileLock(folder / f"{runs[0]}.lock", timeout=0):
            runs = [run for run in runs if not done(folder / f"{run}.json", budget)]
            if not runs:
                return 0
            started = time.monotonic()
            results = perform(runs, budget, options.folders)
            seconds = round((time.monotonic() - started) / len(runs), 1)
            about = {"seconds": seconds, "asked": dataclasses.asdict(budget)}
            about["provenance"] = origin()
            for run, result in zip(runs, results, strict=True):
                with written_whole(folder / f"{run}.json") as beside:
                    beside.write_text(json.dumps({**result, **about}))
    except filelock.Timeout:
        return 0
    return len(runs)


def done(file: Path, budget: Budget) -> bool:
    """Whether a run is there, and of this budget."""
    if not file.exists():
        return False
    if json.loads(file.read_text())["asked"] != dataclasses.asdict(budget):
        raise SystemExit(f"{file} holds a run with another budget; give another --output.")
    return True


def origin() -> dict[str, str]:
    """Where a result comes from: commit, device, versions."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    commit = os.environ.get("KERAS_ACL_COMMIT", "")
    with contextlib.suppress(OSError, subprocess.CalledProcessError):
        commit = commit or subprocess.check_output(git, text=True, stderr=subprocess.DEVNULL)
    packages = {}
    for name in ("keras", "jax"):
        with contextlib.suppress(PackageNotFoundError):
            packages[name] = version(name)
    return {
        "commit": commit.strip(),
        "machine": machine(),
        "backend": keras.backend.backend(),
        "versions": " ".join(f"{name} {number}" for name, number in packages.items()),
    }


def machine() -> str:
    """The GPU that computes, or the kind of processor."""
    if keras.backend.backend() == "jax":
        return jax.devices()[0].device_kind
    return platform.machine()


if __name__ == "__main__":
    main()
