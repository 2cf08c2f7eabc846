import json

import pytest
from tiny_network import LABELS, two_stream, write_figures

from keras_acl import load_model
from keras_acl.evaluation import evaluate_views, multi_label_summary
from keras_acl.evaluation.held_out import held_out_videos
from keras_acl.pretrained import load_pretrained
from keras_acl.training.runs.save_run import save_run


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Six videos, and a model of their classes."""
    folder = tmp_path_factory.mktemp("run")
    write_figures(folder / "figures", 2)
    two_stream(labels=LABELS).save(folder / "model.keras")
    return folder


@pytest.fixture
def run(files, tmp_path):
    """The folder of a run that held the first video of each class out."""
    folder = tmp_path / "first"
    folder.mkdir()
    (folder / "model.keras").write_bytes((files / "model.keras").read_bytes())
    rows = ["path,label,subset"]
    for label in LABELS:
        for video, side in zip(
            sorted((files / "figures" / label).glob("*.mp4")), ("validation", "train"), strict=True
        ):
            rows.append(f"{video},{label},{side}")
    (folder / "split.csv").write_text("\n".join(rows))
    settings = {"source": "/home/somebody/figures", "weights": "/home/somebody/k400"}
    (folder / "settings.json").write_text(json.dumps(settings))
    return folder


def evaluated(run, model):
    videos, side = held_out_videos(run, LABELS)
    return evaluate_views(model, videos, 1, 1, output=run, dataset=f"first, {side}")


def test_the_card_says_what_the_evaluation_of_the_run_measured(run, files, tmp_path):
    scores = evaluated(run, load_model(run))
    card = load_pretrained(save_run(run, tmp_path / "saved")).card
    (metric,) = card.metrics
    hits = (scores.probabilities.argmax(1) == scores.truth).mean()
    assert metric.top1 == round(100 * hits, 2)
    assert (metric.dataset, metric.videos) == ("first, validation", 3)
    assert metric.measured_by == "keras-acl evaluate first"
    card.check_publishable()
    assert card.name == "first"
    assert card.source == "keras-acl train figures --weights k400"
    assert "/home" not in (tmp_path / "saved" / "README.md").read_text()  # a card is public


def test_data_that_were_split_already_are_called_by_their_own_folder(run, files, tmp_path):
    evaluated(run, load_model(run))
    settings = {
        "source": "/home/somebody/figures/train",
        "validation": "/home/somebody/figures/val",
    }
    (run / "settings.json").write_text(json.dumps(settings))
    card = load_pretrained(save_run(run, tmp_path / "saved")).card
    assert (card.source, card.datasets) == ("keras-acl train figures", ("figures",))


def test_the_command_that_is_missing_is_named(run, tmp_path):
    with pytest.raises(FileNotFoundError, match=rf"not been evaluated: keras-acl evaluate {run}"):
        save_run(run, tmp_path / "saved")
    (run / "split.csv").unlink()
    with pytest.raises(FileNotFoundError, match="the same keras-acl train again writes it"):
        save_run(run, tmp_path / "saved")
    assert not (tmp_path / "saved").exists()


def test_scores_of_another_state_of_the_model_are_not_claimed(run, tmp_path):
    evaluated(run, two_stream(seed=1, labels=LABELS))
    with pytest.raises(ValueError, match="of another state of the model, or of other videos"):
        save_run(run, tmp_path / "saved")


def test_of_several_labels_the_card_says_the_mean_average_precision(run, tmp_path, eager):
    two_stream(labels=LABELS, multi_label=True).save(run / "model.keras")
    model = load_model(run)
    videos, side = held_out_videos(run, LABELS, multi_label=True)
    scores = evaluate_views(model, videos, 1, 1, output=run, dataset=f"first, {side}")
    (metric,) = load_pretrained(save_run(run, tmp_path / "saved")).card.metrics
    share = multi_label_summary(scores).mean_average_precision
    assert metric.mean_average_precision == round(100 * share, 2)
    assert (metric.top1, metric.top5, metric.videos) == (None, None, 3)
    assert f"| {metric.mean_average_precision:g} |" in (tmp_path / "saved/README.md").read_text()
