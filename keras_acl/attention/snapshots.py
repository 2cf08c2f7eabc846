"""Attention as training goes on (Figure 3)."""

import re
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import matplotlib.image
import numpy as np

from keras_acl.attention.maps import AttentionMaps, attention_maps, stretch
from keras_acl.attention.measures import measure
from keras_acl.attention.overlay import (
    Section,
    overlay,
    save_contact_sheet,
    save_sections,
    stream_names,
)
from keras_acl.system.atomic_write import written_whole
from keras_acl.system.distribution import is_first
from keras_acl.video.modality import to_picture

COLUMNS = 8  # most epochs in progress.png


class AttentionSnapshots(keras.callbacks.Callback):
    """Draw the attention of the same clips again and again while a model learns (Figure 3).

    Writes `epoch_0001.png`, ... to a folder, and at the end of training `progress.png`: a section
    for each clip, a column for each epoch. `epoch_0001.npz` beside each picture holds the maps
    (uint8, of 255) and the scores, so that a resumed run goes on where it stopped.

    Args:
        clips: A few clips, (B, T, H, W, C) uint8.
        folder: Folder to write to; made if missing.
        classes: Indices of the classes whose maps are drawn, (B,); the predicted ones by default.
        every: Number of epochs from one snapshot to the next.
        masks: Masks of the action, (B, T, H, W) bool: the mean of each measure is then written to
            `attention.csv`, see `measure`.
        tensorboard: Folder of TensorBoard logs that gets the pictures (and measures) too.

    Raises:
        ValueError: If the numbers of clips, classes and masks differ, or `every` is not positive.

    Example:
        >>> snapshots = AttentionSnapshots(test[0][0][:4], "runs/first/attention")
        >>> model.fit(train, epochs=20, callbacks=[snapshots])
    """

    def __init__(
        self,
        clips: np.ndarray,
        folder,
        classes: Sequence[int] | None = None,
        every: int = 1,
        masks: np.ndarray | None = None,
        tensorboard=None,
    ):
        super().__init__()
        self.clips = np.asarray(clips)
        if self.clips.ndim != 5 or not len(self.clips) or every < 1:
            raise ValueError(
                "Expected at least one clip, (B, T, H, W, C), and every >= 1. Received: "
                f"clips.shape={self.clips.shape}, every={every}"
            )
        for name, given in {"classes": classes, "masks": masks}.items():
            if given is not None and len(given) != len(self.clips):
                raise ValueError(
                    f"Expected one of `{name}` for each of {len(self.clips)} clips. "
                    f"Received: {len(given)}"
                )
        self.folder = Path(folder)
        self.classes = None if classes is None else np.asarray(classes)
        self.every = every
        self.masks = masks
        self.tensorboard = None if tensorboard is None else Path(tensorboard)
        self._writer = None
        self._last = 0

    def on_train_begin(self, logs=None):
        """Check the clips before the first epoch is spent."""
        self.model.check_clip(self.clips)
        self._last = 0

    def on_epoch_end(self, epoch, logs=None):
        """Draw, if it is this epoch's turn."""
        self._last = epoch + 1
        if self._last % self.every:
            return
        maps = attention_maps(self.model, self.clips, self.classes)  # by all processes
        if not is_first():
            return
        picture = self.folder / f"epoch_{self._last:04d}.png"
        save_contact_sheet(picture, self.clips, maps, self.model.labels)
        with written_whole(picture.with_suffix(".npz")) as beside:
            _save_packed(beside, maps, self.clips)
        measures = None
        if self.masks is not None:
            measures = {name: value.mean() for name, value in measure(maps, self.masks).items()}
            _add_line(self.folder / "attention.csv", self._last, measures)
        if self.tensorboard is not None:
            self._log(picture, measures or {})

    def on_train_end(self, logs=None):
        """Draw the whole way, and close the log."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        if is_first():
            save_progress(self.folder, self.clips, self.model.class_names, self._last)

    def _log(self, picture: Path, measures: dict[str, float]) -> None:
        # TensorBoard's own writer: the same on every backend.
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        if self._writer is None:
            self._writer = EventFileWriter(str(self.tensorboard))
        height, width = matplotlib.image.imread(picture).shape[:2]
        image = Summary.Image(
            height=height, width=width, colorspace=4, encoded_image_string=picture.read_bytes()
        )
        values = [Summary.Value(tag="attention", image=image)]
        values += [
            Summary.Value(tag=f"attention/{name}", simple_value=value)
            for name, value in measures.items()
        ]
        event = Event(wall_time=time.time(), step=self._last, summary=Summary(value=values))
        self._writer.add_event(event)
        self._writer.flush()


def save_progress(folder: Path, clips: np.ndarray, labels, last: int) -> None:
    """Draw `progress.png` of the snapshots in a folder: a section per clip, a column per epoch.

    Shown is the middle frame of each clip under the map of the whole clip (of the temporal stream
    the mean over the frames, Eq. 2), at no more than COLUMNS epochs. Nothing is drawn without a
    snapshot.

    Args:
        folder: Folder with `epoch_0001.npz`, ...; those of other clips are passed over.
        clips: (B, T, H, W, 3) uint8.
        labels: Class names.
        last: Last epoch that counts; later ones belong to another run.
    """
    saved = [one for one in _saved(folder, clips) if one[0] <= last]
    if not saved:
        return
    places = np.unique(np.linspace(0, len(saved) - 1, min(COLUMNS, len(saved))).astype(int))
    shown = [(saved[place][0], _loaded(saved[place][1])) for place in places]
    sections = []
    for index, clip in enumerate(to_picture(clips)):
        frame = clip[len(clip) // 2]
        streams = len(shown[0][1]["maps"])
        rows: dict[str, Sequence[np.ndarray]] = {
            name: [overlay(frame, one["maps"][stream, index] / 255) for _, one in shown]
            for stream, name in enumerate(stream_names(streams))
        }
        columns = []
        for epoch, one in shown:
            chosen = int(one["classes"][index])
            columns.append(f"epoch {epoch}\n{labels[chosen]} {one['scores'][index, chosen]:.0%}")
        sections.append(Section(f"clip {index + 1}", columns, rows))
    save_sections(folder / "progress.png", sections)


def _save_packed(file: Path, maps: AttentionMaps, clips: np.ndarray) -> None:
    """Write what `save_progress` needs of an epoch: one map per stream, averaged over frames."""
    kept = [maps.spatial]
    if maps.temporal is not None:
        kept.append(stretch(maps.temporal.mean(axis=1)))  # Eq. 2
    np.savez_compressed(
        file,
        maps=np.round(np.stack(kept) * 255).astype(np.uint8),  # (streams, B, H, W)
        classes=maps.classes,
        scores=maps.scores,
        clips=_fingerprint(clips),
    )


def _loaded(file: Path) -> dict[str, np.ndarray]:
    with np.load(file) as arrays:
        return dict(arrays)


def _fingerprint(clips: np.ndarray) -> np.ndarray:
    return clips[:, ::4, ::8, ::8].copy()


def _saved(folder: Path, clips: np.ndarray) -> list[tuple[int, Path]]:
    """Epochs and files of the snapshots of these clips, in order."""
    found = []
    for file in sorted(folder.glob("epoch_*.npz")):
        if match := re.fullmatch(r"epoch_(\d+)\.npz", file.name):
            with np.load(file) as one:
                if np.array_equal(one["clips"], _fingerprint(clips)):
                    found.append((int(match[1]), file))
    return sorted(found)


def _add_line(file: Path, epoch: int, measures: dict[str, float]) -> None:
    """Write the line of an epoch; lines of this epoch and later ones belong to an older run."""
    header = ",".join(["epoch", *measures])
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    kept = [line for line in lines[1:] if int(line.split(",")[0]) < epoch]
    if lines[:1] != [header]:
        kept = []
    kept.append(",".join([str(epoch), *(f"{value:.6f}" for value in measures.values())]))
    with written_whole(file) as beside:
        beside.write_text("\n".join([header, *kept]) + "\n", encoding="utf-8")
