"""What each part of the method gives: Table 5 of the paper with small networks on moving figures.

A run takes one to three minutes on a CPU core, all of them some hours. Finished runs are kept in
OUTPUT/runs and not repeated; the same command started twice shares the work. `README.md` beside
this file says what is compared and what came out.

    python examples/ablation/run.py --output examples/ablation --videos FOLDER

FOLDER holds a folder of real videos for each class; without it that part is left out.
"""

import argparse
import dataclasses
import json
import os
import time
from pathlib import Path

if __name__ == "__main__":  # before Keras is imported: a process a core is faster than two threads
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
    os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_acl.system.atomic_write import written_whole

import filelock
import keras
from one_run import perform
from plan import REGIMES, TASKS, VARIANTS, Budget, Run, plan

from results import write_results


def main(arguments: list[str] | None = None) -> None:
    options = read_options(arguments)
    runs = [run for run in plan(options.seeds) if wanted(run, options)]
    if not runs:
        raise SystemExit("No run is left: --regimes, --variants and --tasks exclude one another.")
    if options.videos is None:
        print("Without --videos the runs on real videos are left out.")
    for number, run in enumerate(runs, 1):
        started = time.monotonic()
        if do(run, options):
            seconds = time.monotonic() - started
            print(f"{number} of {len(runs)}: {run}, {seconds:.0f} s", flush=True)
    write_results(options.output)


def read_options(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--cache", type=Path, help="drawn clips; default: OUTPUT/cache")
    parser.add_argument("--videos", type=Path, help="a folder of real videos for each class")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--regimes", nargs="+", choices=REGIMES, default=list(REGIMES))
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    for field in dataclasses.fields(Budget):
        name = "--" + field.name.replace("_", "-")
        parser.add_argument(name, type=type(field.default), default=field.default)
    options = parser.parse_args(arguments)
    options.budget = Budget(
        **{f.name: getattr(options, f.name) for f in dataclasses.fields(Budget)}
    )
    if options.videos is not None and not options.videos.is_dir():
        parser.error(f"--videos: there is no folder {options.videos}")
    options.cache = options.cache or options.output / "cache"
    return options


def wanted(run: Run, options) -> bool:
    return (
        run.variant in options.variants
        and run.regime in options.regimes
        and run.task in options.tasks
        and (options.videos is not None or not REGIMES[run.regime].folder)
    )


def do(run: Run, options) -> bool:
    """Perform a run, unless it is done or another process is at it."""
    file = options.output / "runs" / f"{run}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.exists():
        check_budget(file, run, options.budget)
        return False
    lock = filelock.FileLock(f"{file}.lock", timeout=0)
    try:
        with lock:
            if file.exists():
                return False
            keras.backend.clear_session()
            started = time.monotonic()
            result = perform(run, options.budget, options.cache, options.videos)
            result["seconds"] = round(time.monotonic() - started, 1)
            with written_whole(file) as beside:
                beside.write_text(
                    json.dumps({**result, "asked": dataclasses.asdict(options.budget)})
                )
    except filelock.Timeout:
        return False
    return True


def check_budget(file: Path, run: Run, budget: Budget) -> None:
    found = json.loads(file.read_text())["asked"]
    if found != dataclasses.asdict(budget):
        raise SystemExit(f"{file} holds a run with another budget; give another --output.")


if __name__ == "__main__":
    main()
