"""Runs the cases of `gpu.py`: contenders take turns, their answers become rows."""

import random
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import measuring
from gpu_cases import OUT_OF_MEMORY, Case, Contender, model_flops, peak_flops
from gpu_process import Child, ChildError, started

TOLERANCE = 1e-3  # of outputs in fp32, relative to the largest


@dataclass(frozen=True)
class Limits:
    """How often and how long.

    Args:
        repeats: Turns of each contender that count.
        block_seconds: Length of a turn.
        answer_seconds: Longest wait for a contender.
        ends: `time.monotonic()` after which none is waited for.
    """

    repeats: int = 5
    block_seconds: float = 1.5
    answer_seconds: float = 300.0
    ends: float = float("inf")

    def left(self) -> float:
        """Seconds to wait for an answer now."""
        return min(self.answer_seconds, self.ends - time.monotonic())


class Runner:
    """Runs cases and makes rows of them.

    Args:
        limits: How often and how long.
        reference: File for the CPU's outputs; written when first needed.
        peaks: TFLOP/s of the chip in fp32, tf32, bf16, where its name does not tell.
        start: Starts a contender.
    """

    def __init__(
        self,
        limits: Limits,
        reference: Path,
        peaks: Sequence[float] = (),
        start: Callable[[Contender], AbstractContextManager[Child]] = started,
    ):
        self._limits, self._reference, self._peaks, self._start = limits, reference, peaks, start

    def run(self, case: Case) -> list[dict]:
        """Rows of a case, one a contender; one that fails has an "error"."""
        if all(contender.task == "check" for contender in case.contenders):
            return [self._check(case, contender) for contender in case.contenders]
        with ExitStack() as stack:
            rows, children = {}, {}
            for contender in case.contenders:
                row, child = self._prepare(case, contender, stack)
                rows[contender.name] = row
                if child is not None:
                    children[contender.name] = child
            times = self._take_turns(rows, children)
        for contender in case.contenders:
            if contender.name in times:
                self._conclude(rows[contender.name], contender, times, case.peers)
        return list(rows.values())

    def _check(self, case: Case, contender: Contender) -> dict:
        row = first_columns(case, contender)
        try:
            if not self._reference.exists():
                keras = case.contenders[0]
                options = {
                    "task": "reference",
                    "precision": "fp32",
                    "optimized": False,
                    "cpu": True,
                }
                self._ask(replace(keras, file=str(self._reference), **options))
            row |= self._ask(replace(contender, file=str(self._reference)))
        except ChildError as error:
            return row | {"error": str(error)}
        if contender.precision == "fp32":
            row["correct"] = row["difference"] <= TOLERANCE
        return row

    def _ask(self, contender: Contender) -> dict:
        with self._start(contender) as child:
            return child.answer(self._limits.left())

    def _prepare(self, case: Case, contender: Contender, stack) -> tuple[dict, Child | None]:
        """Start a contender; where the memory does not do, again with half the batch."""
        while True:
            row = first_columns(case, contender)
            attempt = ExitStack()
            child = attempt.enter_context(self._start(contender))
            try:
                row |= child.answer(self._limits.left())
            except ChildError as error:
                attempt.close()
                halve = str(error) == OUT_OF_MEMORY and contender.batch > 1 and not case.fixed
                if not halve:
                    return row | {"error": str(error)}, None
                contender = replace(contender, batch=contender.batch // 2)
            else:
                stack.push(attempt)
                return row, child

    def _take_turns(self, rows: dict, children: dict[str, Child]) -> dict[str, list[float]]:
        """Seconds a clip of each contender in each turn; the first turn finds out how many steps.

        A contender that fails loses its turns, and says so in its row.
        """
        steps = dict.fromkeys(children, 2)
        times: dict[str, list[float]] = {name: [] for name in children}
        order = random.Random(0)  # what ran before leaves its trace
        for turn in range(-1, self._limits.repeats):
            for name in order.sample(list(times), len(times)):
                try:
                    answer = children[name].run(steps[name], self._limits.left())
                except ChildError as error:
                    rows[name]["error"] = str(error)
                    del times[name]
                    continue
                a_step = answer.pop("seconds") / steps[name]
                rows[name] |= answer
                if turn < 0:
                    steps[name] = max(1, min(1000, round(self._limits.block_seconds / a_step)))
                else:
                    times[name].append(a_step / rows[name]["batch"])
        return times

    def _conclude(self, row: dict, contender: Contender, times: dict, peers) -> None:
        name, flops = contender.name, model_flops(contender)
        a_clip = statistics.median(times[name])
        row["clips/s"] = 1 / a_clip
        row["step ms"] = 1e3 * a_clip * row["batch"]
        peak = peak_flops(row["device"], self._peaks).get(contender.precision)
        if peak and flops:
            row["MFU"] = flops / a_clip / peak
        row["times as fast as"] = {
            peer: measuring.ratio(times, name, peer)
            for peer in peers
            if peer in times and peer != name
        }
        row["seconds a clip"] = times[name]


def first_columns(case: Case, contender: Contender) -> dict:
    """What a row says of its contender, before anything is measured."""
    return {
        "case": case.name,
        "contender": contender.name,
        "precision": contender.precision,
        "batch": contender.batch,
    }
