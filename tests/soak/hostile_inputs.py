"""Files and names that were made to do harm. Each attack says what went wrong, or None.

The tests beside the readers go deeper (`tests/pretrained/importers/test_safe_pickle.py`, ...);
here is one of each kind, through the door that a user takes.
"""

import contextlib
import io
import json
import os
import pickle
import shutil
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from faults import Row, timed
from saved import CARD, edit, make_two_stream
from tiny_network import write_figures

from keras_acl import load_model, load_pretrained, predict_videos
from keras_acl.cli.terminal import PlainConsole
from keras_acl.data import read_csv
from keras_acl.evaluation import Scores
from keras_acl.pretrained import import_checkpoint
from keras_acl.pretrained.hub import parse_address
from keras_acl.pretrained.model_folder import sha256_of
from keras_acl.pretrained.save import save_pretrained

REFUSALS = (ValueError, OSError, MemoryError)
NASTY = "<img src=x onerror=alert(1)>\x1b]0;owned\x07\x1b[2J\n& 'label'"
SECRET = 7.5


class Attacks:
    """The files that attacks change, and the mark that code leaves if it is run.

    Args:
        folder: Where everything is.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = folder / "ran"
        self.model = make_two_stream(scales=(1.0,))
        self.saved = save_pretrained(self.model, folder / "saved", CARD)
        self.model.save(folder / "model.keras")
        with h5py.File(folder / "secret.h5", "w") as file:
            file["value"] = np.full(3, SECRET, "float32")
        (folder / "secret.raw").write_bytes(np.full(3, SECRET, "float32").tobytes())

    def __reduce__(self):
        """What a pickle of this runs: it leaves the mark."""
        return os.mkdir, (str(self.mark),)

    def copy(self, name: str) -> Path:
        """A fresh copy of the saved folder."""
        return shutil.copytree(self.saved, self.folder / name)

    def keras_file(self, name: str, change: Callable[[dict[str, bytes]], object]) -> Path:
        """A `.keras` file whose members were changed."""
        with zipfile.ZipFile(self.folder / "model.keras") as archive:
            members = {each: archive.read(each) for each in archive.namelist()}
        change(members)
        with zipfile.ZipFile(self.folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            for each, content in members.items():
                archive.writestr(each, content)
        return self.folder / name

    def refused(self, read: Callable[[], object]) -> str | None:
        """What is wrong unless reading is refused in one clear error, and runs nothing."""
        wrong = None
        try:
            read()
            wrong = "it was read"
        except REFUSALS as error:
            if not str(error):
                wrong = f"the error says nothing: {error!r}"
        return "code was run" if self.mark.exists() else wrong


def run(times: int, folder: Path) -> list[Row]:
    """Every attack, `times` times."""
    rows = []
    for kind, attacks in KINDS.items():
        row = Row(kind)
        with timed(row):
            for number in range(times):
                place = folder / f"{len(rows)}-{number}"
                place.mkdir()
                made = Attacks(place)
                for attack in attacks:
                    wrong = attack(made)
                    row.add(wrong and f"{attack.__name__}: {wrong}")
        row.note = "; ".join(attack.__name__.replace("_", " ") for attack in attacks)
        rows.append(row)
    return rows


def checkpoint(made: Attacks) -> str | None:
    file = made.folder / "model.pyth"
    file.write_bytes(pickle.dumps({"state": made}))
    return made.refused(lambda: import_checkpoint(file))


def zipped_checkpoint(made: Attacks) -> str | None:
    file = made.folder / "zipped.pth"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"state": made}))
        archive.writestr("archive/version", "3")
    return made.refused(lambda: import_checkpoint(file))


def scores_file(made: Attacks) -> str | None:
    file = made.folder / "scores.npz"
    np.savez(file, logits=np.array([made], dtype=object), paths=np.array([made], dtype=object))
    return made.refused(lambda: Scores.load(file))


def weights_of_a_saved_folder(made: Attacks) -> str | None:
    folder = made.copy("pickled")
    (folder / "model.weights.h5").write_bytes(pickle.dumps(made))
    _vouch(folder)
    return made.refused(lambda: load_pretrained(folder))


def external_link(made: Attacks) -> str | None:
    return _outside(made, "link", h5py.ExternalLink(str(made.folder / "secret.h5"), "value"))


def external_storage(made: Attacks) -> str | None:
    return _outside(made, "storage", None)


def external_link_in_a_keras_file(made: Attacks) -> str | None:
    def change(members):
        file = made.folder / "inside.h5"
        file.write_bytes(members["model.weights.h5"])
        _replace_dataset(file, h5py.ExternalLink(str(made.folder / "secret.h5"), "value"))
        members["model.weights.h5"] = file.read_bytes()

    return made.refused(lambda: load_model(made.keras_file("link.keras", change)))


def lambda_layer(made: Attacks) -> str | None:
    code = {"class_name": "Lambda", "module": "keras.layers", "registered_name": None}
    text = f"__import__('os').mkdir({str(made.mark)!r})"
    return _config(made, {**code, "config": {"function": text}})


def function_of_a_module(made: Attacks) -> str | None:
    arguments = {"name": str(made.mark)}
    found = {"class_name": "mkdir", "module": "os", "registered_name": None, "config": arguments}
    return _config(made, found)


def path_outside_in_a_keras_file(made: Attacks) -> str | None:
    outside = made.folder.parent / "outside.txt"

    def change(members):
        members["../outside.txt"] = members["assets/../../outside.txt"] = b"written"
        members[str(outside)] = b"written"

    with contextlib.suppress(*REFUSALS), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Keras says that it leaves the paths out
        load_model(made.keras_file("slip.keras", change))  # the model itself is whole
    return "a file outside was written" if outside.exists() else None


def other_class_in_config_json(made: Attacks) -> str | None:
    folder = made.copy("class")
    edit(folder, "config.json", lambda values: values.update({"class": "os.system"}))
    return made.refused(lambda: load_pretrained(folder))


def code_in_config_json(made: Attacks) -> str | None:
    folder = made.copy("code")
    layer = {"class_name": "Lambda", "config": {"function": "__import__('os').abort()"}}
    edit(folder, "config.json", lambda values: values["arguments"].update(consistency=layer))
    return made.refused(lambda: load_pretrained(folder))


def changed_config_json(made: Attacks) -> str | None:
    folder = made.copy("changed")
    edit(folder, "config.json", lambda values: values["arguments"].update(width=9), vouch=False)
    return made.refused(lambda: load_pretrained(folder))


def keras_bomb(made: Attacks) -> str | None:
    file = made.keras_file("bomb.keras", lambda members: members.update(more=bytes(2**28)))
    return made.refused(lambda: load_model(file))


def scores_bomb(made: Attacks) -> str | None:
    header = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 400)}
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(content, header)
    file = made.folder / "bomb.npz"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("logits.npy", content.getvalue())
        archive.writestr("probabilities.npy", content.getvalue())
    return made.refused(lambda: Scores.load(file))


def addresses_of_the_hub(made: Attacks) -> str | None:
    for address in ("hf://../../etc", "hf://a/..", "hf://a/../b", "hf://a/b@../../x", "hf://./b"):
        wrong = made.refused(lambda address=address: parse_address(address))
        if wrong:
            return f"{address}: {wrong}"
    return None


def paths_in_a_csv(made: Attacks) -> str | None:
    """What is listed is read where it is, and nothing is written there."""
    outside = os.path.relpath("/etc/passwd", made.folder)
    (made.folder / "list.csv").write_text(f"path,label\n{outside},a\n/dev/zero,b\n")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # one is no file
        videos = read_csv(made.folder / "list.csv")
    found = predict_videos(made.model, [video.path for video in videos], clips=1)
    return None if all(each.problem for each in found) else "what is no video was read"


def names_in_a_terminal(made: Attacks) -> str | None:
    shown = io.StringIO()
    PlainConsole(file=shown).print(NASTY, NASTY)
    return "control characters reach it" if set(shown.getvalue()) & set("\x1b\x07") else None


def names_in_a_notebook(made: Attacks) -> str | None:
    videos = write_figures(made.folder / "figures", 1)
    nasty = made.folder / NASTY.replace("/", "")
    shutil.copy(next(videos.rglob("*.mp4")), f"{nasty}.mp4")
    model = load_pretrained(made.saved, labels=[NASTY + str(number) for number in range(3)])
    shown = predict_videos(model, [f"{nasty}.mp4"], clips=1)._repr_html_()
    return "a tag reaches the page" if "<img src=x" in shown else None


def _outside(made: Attacks, name: str, link) -> str | None:
    folder = made.copy(name)
    _replace_dataset(folder / "model.weights.h5", link, made.folder)
    _vouch(folder)
    return made.refused(lambda: load_pretrained(folder))


def _replace_dataset(file: Path, link, folder: Path | None = None) -> None:
    """Let the first vector of three numbers come from a file outside."""
    with h5py.File(file, "r+") as content:
        names: list[str] = []
        content.visititems(
            lambda name, item: names.append(name) if getattr(item, "shape", 0) == (3,) else None
        )
        del content[names[0]]
        if link is not None:
            content[names[0]] = link
        else:
            outside = [(str(folder / "secret.raw"), 0, 12)]
            content.create_dataset(names[0], (3,), "float32", external=outside)


def _vouch(folder: Path) -> None:
    """The checksum that the author of the folder would have written."""
    digest = sha256_of(folder / "model.weights.h5")
    edit(folder, "metadata.json", lambda each: each["sha256"].update({"model.weights.h5": digest}))


def _config(made: Attacks, layer: dict) -> str | None:
    def change(members):
        config = json.loads(members["config.json"])
        config["config"]["consistency"] = layer
        members["config.json"] = json.dumps(config).encode()

    file = made.keras_file(f"{layer['class_name']}.keras", change)
    return made.refused(lambda: load_model(file))


KINDS = {
    "a file is a pickle that runs code": (
        *(checkpoint, zipped_checkpoint, scores_file, weights_of_a_saved_folder),
    ),
    "HDF5 points to a file outside": (
        *(external_link, external_storage, external_link_in_a_keras_file),
    ),
    "a `.keras` file holds code, or paths outside": (
        *(lambda_layer, function_of_a_module, path_outside_in_a_keras_file),
    ),
    "`config.json` was tampered with": (
        *(other_class_in_config_json, code_in_config_json, changed_config_json),
    ),
    "a file expands without end": (keras_bomb, scores_bomb),
    "a name leads elsewhere": (addresses_of_the_hub, paths_in_a_csv),
    "labels and names hold HTML and escapes": (names_in_a_terminal, names_in_a_notebook),
}
