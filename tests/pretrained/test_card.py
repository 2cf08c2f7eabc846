import dataclasses
import json
import math

import pytest
from huggingface_hub import ModelCard

from keras_acl.clip import ClipSpec
from keras_acl.pretrained.card import Card, Metric, model_card

METRIC = Metric(
    dataset="Kinetics-400 validation",
    top1=72.4,
    protocol="10 clips x 3 crops of 256, softmax averaged",
    measured_by="PyTorchVideo",
    top5=90.18,
    videos=19_000,
)
CARD = Card(
    name="slow",
    description='Slow 4x16: "plain", with a colon.',
    licence="CC-BY-NC-4.0",
    source="https://example.org/slow.pyth",
    datasets=("kinetics400", "a plain name"),
    metrics=(METRIC,),
    notes="Nothing else.",
)


def readme(card: Card = CARD, labels=("jump", "run")) -> str:
    return model_card(
        card,
        architecture="SlowClassifier",
        clip=ClipSpec(),
        labels=labels,
        parameters=32_454_096,
        multiply_adds=27_260_000_000,
    )


def test_a_card_survives_json():
    assert Card.from_dict(json.loads(json.dumps(CARD.to_dict()))) == CARD
    bare = Card("a", "b", "c", "d")
    assert Card.from_dict(json.loads(json.dumps(bare.to_dict()))) == bare


def test_the_hub_reads_the_front_matter():
    data = ModelCard(readme()).data
    assert data.library_name == "keras"
    assert data.pipeline_tag == "video-classification"
    assert data.license == "cc-by-nc-4.0"
    assert data.datasets == ["kinetics400"]  # the other name cannot be a repository's
    assert "keras-acl" in data.tags
    top1, top5 = data.eval_results
    assert (top1.metric_value, top5.metric_value) == (72.4, 90.18)
    assert top1.dataset_name == "Kinetics-400 validation"
    assert "10 clips x 3 crops" in top1.metric_name
    assert "PyTorchVideo" in top1.metric_name


def test_without_metrics_there_is_no_index_and_the_card_says_so():
    card = dataclasses.replace(CARD, metrics=(), licence="Research only")
    data = ModelCard(readme(card)).data
    assert data.eval_results is None
    assert (data.license, data.to_dict()["license_name"]) == ("other", "Research only")
    assert "Nothing has been measured" in readme(card)


def test_people_read_what_the_weights_are():
    text = readme()
    for expected in (
        'Slow 4x16: "plain", with a colon.',
        "32,454,096 parameters, 27.26 billion multiply-adds for one clip of 32 frames at 256x256",
        "32 frames spread over 64 frames of video at 30 a second",
        "2 classes (jump, run)",
        "| Kinetics-400 validation, 19,000 videos | 72.4 | 90.18 | 10 clips x 3 crops of 256,",
        "Source: https://example.org/slow.pyth",
        "## Notes",
    ):
        assert expected in text
    assert "no class names" in readme(labels=None)


def test_text_cannot_break_the_table_or_the_front_matter():
    metric = dataclasses.replace(METRIC, protocol="one | clip\n---\nlicense: mit", top5=None)
    text = readme(dataclasses.replace(CARD, metrics=(metric,)))
    assert ModelCard(text).data.license == "cc-by-nc-4.0"
    assert "| one \\| clip --- license: mit |" in text


def test_other_weights_keep_the_origin_but_not_the_numbers():
    derived = CARD.derived("mine")
    assert derived.metrics == ()
    assert derived.name == "mine"
    assert derived.description.startswith("Based on slow; possibly trained further")
    assert derived.licence == CARD.licence
    assert derived.derived("mine") == derived  # saved again and again, it does not grow


def test_a_metric_needs_protocol_data_and_author_to_be_published():
    CARD.check_publishable()
    for field in ("protocol", "dataset", "measured_by"):
        metric = dataclasses.replace(METRIC, **{field: " "})
        card = dataclasses.replace(CARD, metrics=(METRIC, metric))
        with pytest.raises(ValueError, match=f"slow claims 72.4 / 90.18 % without `{field}`"):
            card.check_publishable()


def test_of_several_labels_there_is_a_mean_average_precision():
    metric = dataclasses.replace(METRIC, top1=None, top5=None, mean_average_precision=36.5)
    card = dataclasses.replace(CARD, metrics=(metric,))
    assert str(metric) == "36.5 % mAP on Kinetics-400 validation"
    assert Card.from_dict(card.to_dict()) == card
    (result,) = ModelCard(readme(card)).data.eval_results
    assert (result.metric_type, result.metric_value) == ("mean_average_precision", 36.5)
    both = readme(dataclasses.replace(CARD, metrics=(METRIC, metric)))
    assert "| data set | top-1 % | top-5 % | mAP % | protocol | measured by |" in both
    assert "19,000 videos | 72.4 | 90.18 | – | 10 clips" in both
    assert "19,000 videos | – | – | 36.5 | 10 clips" in both
    with pytest.raises(ValueError, match="top1 is in per cent"):
        dataclasses.replace(METRIC, top1=None)
    with pytest.raises(ValueError, match="mean_average_precision is in per cent"):
        dataclasses.replace(metric, mean_average_precision=101)


@pytest.mark.parametrize("value", [-1, 100.1, math.nan, "75", True])
def test_an_accuracy_is_a_percentage(value):
    with pytest.raises(ValueError, match="top1 is in per cent"):
        dataclasses.replace(METRIC, top1=value)
    with pytest.raises(ValueError, match="top5 is in per cent"):
        dataclasses.replace(METRIC, top5=value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": 3}, r"Card\.name must be of type str"),
        ({"colour": "red"}, "unknown: colour"),
        ({"datasets": "kinetics400"}, r"Card\.datasets must be a tuple"),
        ({"datasets": [1]}, r"Card\.datasets must hold strs"),
        ({"metrics": "none"}, r"Card\.metrics must be a list"),
        ({"metrics": [{"top1": 3}]}, "fields of a Metric: missing: dataset, measured_by, protocol"),
        ({"metrics": [3]}, "Expected the fields of a Metric"),
    ],
)
def test_what_is_no_card_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        Card.from_dict({**CARD.to_dict(), **changes})
    with pytest.raises(ValueError, match="missing: description, licence, source"):
        Card.from_dict({"name": "a"})


def test_a_metric_prints_its_numbers():
    assert str(METRIC) == "72.4 / 90.18 % on Kinetics-400 validation"
