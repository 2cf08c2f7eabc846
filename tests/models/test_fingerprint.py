import pytest
from tiny_network import randomize, two_stream

from keras_acl.models.fingerprint import fingerprint


def network(seed=0, **options):
    return randomize(two_stream(consistency_weight=None, **options), seed)


def test_it_is_that_of_weights_and_circumstances():
    assert fingerprint(network(), "a", [1]) == fingerprint(network(), "a", [1])
    found = {
        fingerprint(network(), "a", [1]),
        fingerprint(network(), "a", [2]),
        fingerprint(network(), "b", [1]),
        fingerprint(network(seed=1), "a", [1]),
    }
    assert len(found) == 4


def test_one_weight_counts():
    model = network()
    before = fingerprint(model)
    bias = model.classifier.bias
    bias.assign(bias + 1e-3)
    assert fingerprint(model) != before


@pytest.mark.parametrize("same", [{"form": "2d"}, {"dropout": 0.1}, {"name": "other"}])
def test_what_changes_no_score_does_not_count(same):
    assert fingerprint(network(**same)) == fingerprint(network())


@pytest.mark.parametrize(
    "other", [{"mean": 0.4}, {"frame_indices": "stride"}, {"multi_label": True}]
)
def test_what_the_model_does_with_a_clip_counts(other):
    assert fingerprint(network(**other)) != fingerprint(network())
