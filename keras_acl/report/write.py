"""A report of one run or of the difference of two: one HTML page that needs nothing else."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2

from keras_acl.engines.class_names import check_same_classes
from keras_acl.engines.inference_model import is_exported
from keras_acl.evaluation.class_groups import check_groups, known_groups, read_groups
from keras_acl.evaluation.number_text import area, interval, p_value, percent, points
from keras_acl.evaluation.resume import LABELS
from keras_acl.pretrained.any_file import load_exported
from keras_acl.pretrained.load import load_any
from keras_acl.report.attention_strips import attention_strip
from keras_acl.report.one_run import HardVideo, Strips, hardest_videos, run_context
from keras_acl.report.run import Run, read_run
from keras_acl.report.several_labels import labels_context
from keras_acl.report.two_runs import comparison_context, display_names
from keras_acl.system import html
from keras_acl.system.atomic_write import written_whole
from keras_acl.video.video import DecodingError

TEMPLATE = "page.html.j2"
HARDEST = 8


@dataclasses.dataclass(frozen=True)
class Report:
    """A page that was written. A notebook shows it.

    Args:
        file: The page.
    """

    file: Path

    def _repr_html_(self) -> str:
        if not self.file.is_file():
            return html.lines([f"{self.file} is not there any more."])
        return html.page(self.file.read_text(encoding="utf-8"))


def write_report(
    run: str | Path,
    file: str | Path,
    other: str | Path | None = None,
    groups: str | Path | Mapping[str, Sequence[str]] | None = None,
    model: str | Path | None = None,
    hardest: int = HARDEST,
    progress: Callable[[int, int], object] | None = None,
) -> Report:
    """Write a page of metrics, charts, and the hardest videos with where the model looked.

    Styles, charts and pictures are inside; nothing is loaded from anywhere, and there is no script.
    Of videos that may have several labels it says how well each label is found, and shows none.

    Args:
        run: A folder that `evaluate_views` wrote.
        file: The page, `.html`.
        other: A second run on the same videos: what is compared with the first, the baseline.
        groups: Named groups of classes, or a CSV of them (`read_groups`); by default the paper's,
            as far as there are such classes.
        model: What to load `run`'s model from, for the attention; by default what
            `keras-acl evaluate` noted, or the run's own. Without one the page says that there is
            none.
        hardest: Hardest videos shown.
        progress: Called as `progress(done, total)` after each of them.

    Returns:
        The `Report`.

    Raises:
        FileNotFoundError: If there are no scores, or no such model or groups.
        ValueError: If scores are broken, no video has a label and scores, two runs are of several
            labels a video, the runs or the model have other classes, or `hardest` is negative.

    Example:
        >>> write_report("runs/test", "report.html")
    """
    if hardest < 0:
        raise ValueError(f"The number of hardest videos is 0 or more. Received: {hardest}")
    runs = _read_runs(run, other)
    if runs[0].scores.multi_label:
        context = labels_context(runs[0], "run1")
        return _write_page(file, [context], (runs[0].name,), None)
    labels = runs[0].scores.labels
    groups = _groups(groups, labels)
    names, difference = (runs[0].name,), None
    if other is not None:  # before the strips take their time: it may be an error
        names = display_names(runs[0], runs[1])
        difference = comparison_context(runs[0], runs[1], groups, names)
    hard = [hardest_videos(one.scores, hardest) for one in runs]
    count = _Counter(sum(map(len, hard)), progress)
    strips = [
        _strips(one, videos, given, count)
        for one, videos, given in zip(runs, hard, (model, None), strict=False)
    ]
    contexts = [
        run_context(one, groups, videos, shown, f"run{number}")
        for number, (one, videos, shown) in enumerate(zip(runs, hard, strips, strict=True), 1)
    ]
    return _write_page(file, contexts, names, difference)


def _read_runs(run: str | Path, other: str | Path | None) -> list[Run]:
    runs = [read_run(path) for path in (run, other) if path is not None]
    if other is not None and any(one.scores.multi_label for one in runs):
        raise ValueError(
            "Runs are compared by which class each video is taken for, and these videos may "
            f"have several labels: write a report of each, or see the {LABELS} of both."
        )
    return runs


def _write_page(
    file: str | Path,
    contexts: Sequence[dict[str, Any]],
    names: Sequence[str],
    difference: dict[str, Any] | None,
) -> Report:
    with written_whole(file) as beside:
        page = render(contexts, names, difference)
        beside.write_text(page, encoding="utf-8", errors="backslashreplace")
    return Report(Path(file))


def _groups(
    groups: str | Path | Mapping[str, Sequence[str]] | None, labels: Sequence[str]
) -> Mapping[str, Sequence[str]]:
    if groups is None:
        groups = known_groups(labels)
    elif not isinstance(groups, Mapping):
        groups = read_groups(groups, labels)
    check_groups(groups, labels)
    return groups


def render(
    contexts: Sequence[dict[str, Any]], names: Sequence[str], difference: dict[str, Any] | None
) -> str:
    """The page.

    Args:
        contexts: Contexts of one run or two, see `run_context`.
        names: Names of the runs.
        difference: Context of the difference of two runs, see `comparison_context`.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # class names and file names are anybody's
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "area": area,
        "interval": interval,
        "points": points,
        "p": p_value,
    }
    template = environment.get_template(TEMPLATE)
    return template.render(runs=contexts, names=names, difference=difference)


class _Counter:
    """Counts strips of all runs for one progress bar."""

    def __init__(self, total: int, progress: Callable[[int, int], object] | None):
        self.done, self.total, self.progress = 0, total, progress

    def add(self, count: int = 1) -> None:
        self.done += count
        if self.progress is not None and count:
            self.progress(self.done, self.total)


def _loaded(name: str):
    """A model whose maps of any class can be had.

    Raises:
        ValueError: If an exported model has none; or as `load_any`.
    """
    if not is_exported(name):
        return load_any(name)
    model = load_exported(name)
    model.output_shape("spatial_maps")
    return model


def _strips(
    run: Run, videos: Sequence[HardVideo], given: str | Path | None, count: _Counter
) -> Strips:
    """Attention for the hardest videos of a run, or a sentence on why there is none."""
    if not videos:
        return Strips()
    found = run.model if given is None else str(given)
    if found is None:
        count.add(len(videos))
        return Strips(
            note="No attention is shown: it is not known which model was evaluated. "
            "keras-acl report with --model MODEL shows it."
        )
    try:
        model = _loaded(found)
        owner = f"the scores of {run.folder}"
        check_same_classes(run.scores.labels, model.labels, model.num_classes, owner)
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        if given is not None:
            raise
        count.add(len(videos))
        reason = str(error).rstrip(".")
        return Strips(note=f"No attention is shown, because the model is not available: {reason}.")
    rows, notes = {}, {}
    labels = run.scores.labels
    for video in videos:
        said = f"for the predicted class: {labels[video.predicted]}"
        true = f"for the true class: {labels[video.truth]}"
        try:
            classes = (video.predicted, video.truth)
            record = run.scores.video(video.index)
            rows[video.index] = attention_strip(model, record, classes, (said, true))
        except DecodingError as error:
            notes[video.index] = f"No attention is shown: the video cannot be read: {error.reason}."
        count.add()
    return Strips(rows, notes)
