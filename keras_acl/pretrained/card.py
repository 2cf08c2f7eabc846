"""What is said of weights: where they come from, who may use them, what was measured, and how."""

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from keras_acl.clip import ClipSpec

# What the Hub calls by the same name; any other licence is "other" there, with its name beside.
HUB_LICENCES = (
    "apache-2.0",
    "bsd-2-clause",
    "bsd-3-clause",
    "cc-by-4.0",
    "cc-by-nc-4.0",
    "cc-by-nc-sa-4.0",
    "cc-by-sa-4.0",
    "cc0-1.0",
    "gpl-3.0",
    "mit",
    "unknown",
)
BASED_ON = "Based on "
TASK = "video-classification"


@dataclasses.dataclass(frozen=True)
class Metric:
    """An accuracy or a mean average precision, with what one needs to measure it again.

    Args:
        dataset: Data set that it was measured on, e.g. `"Kinetics-400 validation"`.
        top1: Top-1 accuracy in per cent; `None` where videos may have several labels.
        protocol: Clips, crops and how they were averaged; publishing needs it.
        measured_by: A project, a paper or a command.
        top5: Top-5 accuracy in per cent, if known.
        videos: Number of videos, if known.
        mean_average_precision: Mean over the classes in per cent, where there is no top-1 accuracy.

    Raises:
        ValueError: If a value is no percentage, or there is none.
    """

    dataset: str
    top1: float | None
    protocol: str
    measured_by: str
    top5: float | None = None
    videos: int | None = None
    mean_average_precision: float | None = None

    def __post_init__(self) -> None:
        for name in ("dataset", "protocol", "measured_by"):
            _check_type(self, name, str)
        needed = "top1" if self.mean_average_precision is None else "mean_average_precision"
        for name in ("top1", "top5", "mean_average_precision"):
            value = getattr(self, name)
            if (value is not None or name == needed) and not _is_percentage(value):
                raise ValueError(f"Metric.{name} is in per cent, 0 to 100. Received: {value!r}")
        if self.videos is not None:
            _check_type(self, "videos", int)

    def __str__(self) -> str:
        return f"{self.value()} on {self.dataset}"

    def value(self) -> str:
        """The number as one says it."""
        if self.top1 is None:
            return f"{self.mean_average_precision:g} % mAP"
        top5 = "" if self.top5 is None else f" / {self.top5:g}"
        return f"{self.top1:g}{top5} %"


@dataclasses.dataclass(frozen=True)
class Card:
    """What weights are, to a person.

    Args:
        name: Name of the preset or of the folder.
        description: What the weights are, in a sentence or three.
        licence: Licence of the weights: an SPDX name such as `"CC-BY-NC-4.0"`, or `"unknown"`.
        source: Where the weights come from: an address or a command.
        datasets: Data sets that they were trained on; names of Hub data sets become links there.
        metrics: Accuracies measured with exactly these weights.
        notes: Anything else.

    Raises:
        ValueError: If a value has another type.
    """

    name: str
    description: str
    licence: str
    source: str
    datasets: tuple[str, ...] = ()
    metrics: tuple[Metric, ...] = ()
    notes: str = ""

    def __post_init__(self) -> None:
        for name in ("name", "description", "licence", "source", "notes"):
            _check_type(self, name, str)
        for name, kind in (("datasets", str), ("metrics", Metric)):
            value = getattr(self, name)
            if isinstance(value, str) or not isinstance(value, Sequence):
                raise ValueError(f"Card.{name} must be a tuple. Received: {value!r}")
            if not all(isinstance(item, kind) for item in value):
                raise ValueError(f"Card.{name} must hold {kind.__name__}s. Received: {value!r}")
            object.__setattr__(self, name, tuple(value))

    def to_dict(self) -> dict[str, Any]:
        """The card as plain values, for JSON."""
        card = dataclasses.asdict(self)
        metrics = list(card["metrics"])
        for metric in metrics:  # as 0.1.0 reads it
            if metric["mean_average_precision"] is None:
                del metric["mean_average_precision"]
        return {**card, "datasets": list(card["datasets"]), "metrics": metrics}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Card":
        """The card that `to_dict` wrote down.

        Raises:
            ValueError: If fields are missing or unknown, or a value has another type.
        """
        values = dict(_checked_fields(cls, values))
        metrics = values.get("metrics", ())
        if isinstance(metrics, str) or not isinstance(metrics, Sequence):
            raise ValueError(f"Card.metrics must be a list. Received: {metrics!r}")
        values["metrics"] = tuple(Metric(**_checked_fields(Metric, item)) for item in metrics)
        return cls(**values)

    def derived(self, name: str) -> "Card":
        """The card for weights that began as these and may have been trained since.

        A metric belongs to the weights it was measured with, so none is taken over.

        Args:
            name: Name of the new card.
        """
        if self.description.startswith(BASED_ON):
            return dataclasses.replace(self, name=name, metrics=())
        description = (
            f"{BASED_ON}{self.name}; possibly trained further, so nothing measured with "
            f"{self.name} is claimed here. {self.name}: {self.description}"
        )
        return dataclasses.replace(self, name=name, description=description, metrics=())

    def check_publishable(self) -> None:
        """Refuse a card with a number that nobody could measure again.

        Raises:
            ValueError: If a metric lacks its data set, its protocol or who measured it.
        """
        for metric in self.metrics:
            for field in ("protocol", "dataset", "measured_by"):
                if not getattr(metric, field).strip():
                    raise ValueError(
                        f"The card of {self.name} claims {metric.value()} without `{field}`. Say "
                        "how it was measured (clips, crops, averaging), on what and by whom, or "
                        "leave the metric out; then save_pretrained(model, folder, card) again."
                    )


def model_card(
    card: Card,
    *,
    architecture: str,
    clip: ClipSpec,
    labels: Sequence[str] | None,
    parameters: int,
    multiply_adds: int,
) -> str:
    """The text of a README.md: front matter that the Hub reads, then the card for people.

    Args:
        card: What to say.
        architecture: Name of the network's class.
        clip: Clips that the model takes.
        labels: Class names, if known.
        parameters: Counted, see `keras_acl.profiling`.
        multiply_adds: Counted, for one clip at the clip's test size.
    """
    size = clip.test_size
    parts = [
        _front_matter(card),
        f"# {card.name}\n\n{card.description}",
        '```python\nimport keras_acl\n\nmodel = keras_acl.load_pretrained("FOLDER, or '
        'hf://USER/REPO")\nmodel.clip, model.labels, model.card\n```',
        f"* Network: `{architecture}`, {parameters:,} parameters, {multiply_adds / 1e9:.4g} billion"
        f" multiply-adds for one clip of {clip.frames} frames at {size}x{size}\n"
        f"* Input: {clip.modality_name} clips (batch, {clip.frames}, height, width, "
        f"{clip.channels}), values 0-255: "
        f"{_frames_text(clip)}\n"
        f"* Output: {'logits of ' + _label_text(labels) if labels else 'logits; no class names'}\n"
        f"* Trained on: {', '.join(card.datasets) or 'not said'}\n"
        f"* Licence of the weights: {card.licence}\n"
        f"* Source: {card.source}",
        "## Accuracy\n\n" + _metric_table(card),
        card.notes and f"## Notes\n\n{card.notes}",
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _front_matter(card: Card) -> str:
    """YAML between two lines of dashes; each value is JSON, which is YAML too."""
    licence = card.licence.lower()
    known = licence in HUB_LICENCES
    fields: dict[str, Any] = {
        "library_name": "keras",
        "pipeline_tag": TASK,
        "license": licence if known else "other",
    }
    if not known:
        fields["license_name"] = card.licence
    # Only what could be a repository's name is one; the Hub refuses the rest.
    datasets = [name for name in card.datasets if re.fullmatch(r"[\w.-]+(/[\w.-]+)?", name)]
    if datasets:
        fields["datasets"] = datasets
    fields["tags"] = ["keras-acl", TASK, "action-recognition"]
    if card.metrics:
        results = [_result(metric) for metric in card.metrics]
        fields["model-index"] = [{"name": card.name, "results": results}]
    lines = [f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in fields.items()]
    return "\n".join(["---", *lines, "---"])


def _result(metric: Metric) -> dict[str, Any]:
    """One entry of the Hub's model index."""
    how = f"{metric.protocol}; measured by {metric.measured_by}"
    values = (
        ("accuracy", "top-1 accuracy", metric.top1),
        ("accuracy", "top-5 accuracy", metric.top5),
        ("mean_average_precision", "mean average precision", metric.mean_average_precision),
    )
    metrics = [
        {"type": kind, "name": f"{name} ({how})", "value": value}
        for kind, name, value in values
        if value is not None
    ]
    slug = re.sub(r"[^a-z0-9]+", "-", metric.dataset.lower()).strip("-")
    return {
        "task": {"type": TASK},
        "dataset": {"name": metric.dataset, "type": slug or "unknown"},
        "metrics": metrics,
    }


def _metric_table(card: Card) -> str:
    if not card.metrics:
        return "Nothing has been measured with these weights."
    columns = {"top-1 %": "top1", "top-5 %": "top5", "mAP %": "mean_average_precision"}
    if all(metric.mean_average_precision is None for metric in card.metrics):
        del columns["mAP %"]
    rows = [("data set", *columns, "protocol", "measured by")]
    for metric in card.metrics:
        videos = "" if metric.videos is None else f", {metric.videos:,} videos"
        values = (getattr(metric, name) for name in columns.values())
        shown = ("–" if value is None else f"{value:g}" for value in values)
        rows.append((f"{metric.dataset}{videos}", *shown, metric.protocol, metric.measured_by))
    lines = ["| " + " | ".join(map(_cell, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _frames_text(clip: ClipSpec) -> str:
    if clip.segments:
        return f"a frame of each of {clip.frames} equal parts of the video"
    return f"{clip.frames} frames spread over {clip.span} frames of video at {clip.fps:g} a second"


def _label_text(labels: Sequence[str]) -> str:
    shown = ", ".join(labels[:8])
    return f"{len(labels)} classes ({shown}{', …' if len(labels) > 8 else ''})"


def _checked_fields(cls, values) -> Mapping[str, Any]:
    """The values, if they are fields of the dataclass `cls` and none that it needs is missing."""
    if not isinstance(values, Mapping):
        raise ValueError(f"Expected the fields of a {cls.__name__}. Received: {values!r}")
    fields = dataclasses.fields(cls)
    needed = {field.name for field in fields if field.default is dataclasses.MISSING}
    missing, unknown = needed - set(values), set(values) - {field.name for field in fields}
    if missing or unknown:
        problems = [f"missing: {', '.join(sorted(missing))}"] if missing else []
        problems += [f"unknown: {', '.join(sorted(map(str, unknown)))}"] if unknown else []
        raise ValueError(f"These are not the fields of a {cls.__name__}: {'; '.join(problems)}")
    return values


def _check_type(record, name: str, kind: type) -> None:
    value = getattr(record, name)
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(
            f"{type(record).__name__}.{name} must be of type {kind.__name__}. Received: {value!r}"
        )


def _is_percentage(value) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and 0 <= value <= 100  # False for NaN
