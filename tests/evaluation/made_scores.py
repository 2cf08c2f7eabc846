"""Scores as an evaluation would leave them, without a model; and a page taken apart."""

from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from keras_acl.evaluation.scores import Protocol, Scores

LABELS = ("archery", "bartending", "capoeira", "eating", "juggling", "running", "walking")
VOID = {"meta", "link", "br", "img"}


def made_scores(seed: int = 0, labels=LABELS, count: int = 60, skill: float = 1.5) -> Scores:
    """Random scores of `count` videos; the more skill, the more often right."""
    rng = np.random.default_rng(seed)
    truth = np.arange(count) % len(labels)
    logits = rng.normal(size=(count, len(labels)))
    logits[np.arange(count), truth] += skill
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return Scores(
        paths=tuple(f"/videos/{index % len(labels)}/{index:04d}.mp4" for index in range(count)),
        truth=truth.astype(np.int32),
        probabilities=probabilities.astype(np.float32),
        problems=(None,) * count,
        labels=tuple(labels),
        protocol=Protocol(10, 3, 256),
        model="some_net",
        dataset="moves",
    )


def save_run(folder: Path, scores: Scores) -> Path:
    scores.save(folder / "scores.npz")
    return folder


class Page(HTMLParser):
    """Tables by the label of their box, ids, addresses and text; fails where tags do not match."""

    def __init__(self, file: Path):
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self.ids: list[str] = []
        self.addresses: list[str] = []
        self.elements: list[str] = []
        self.headings: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self.source = file.read_text(encoding="utf-8")
        self.feed(self.source)
        assert not self._open, self._open

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.elements.append(tag)
        self.ids += [given["id"]] if "id" in given else []
        self.addresses += [
            given[name] or "" for name in ("src", "href", "xlink:href", "srcset") if name in given
        ]
        if given.get("class") == "scroll":
            self._rows = self.tables[given["aria-label"] or ""] = []
        if tag == "tr":
            self._rows.append([])
        if tag in ("td", "th"):
            self._rows[-1].append("")
        if tag in ("h1", "h2", "h3"):
            self.headings.append(f"{tag} ")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.text += data
        if {"td", "th"} & set(self._open):
            self._rows[-1][-1] += data
        if self._open and self._open[-1] in ("h1", "h2", "h3"):
            self.headings[-1] += data
