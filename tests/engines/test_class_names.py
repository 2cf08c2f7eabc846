import types

import pytest
from tiny_network import slow

from keras_acl.engines.class_names import check_labels, check_same_classes, names_of


@pytest.mark.parametrize("known", [None, (), ["a", "b"], ("a", "b")])
@pytest.mark.parametrize("labels", [(), ("a", "b")])
def test_the_same_classes_or_unknown_ones_pass(labels, known):
    check_same_classes(labels, known, 2)


@pytest.mark.parametrize(
    ("labels", "known", "received"),
    [
        ("ab", None, r"2 classes \(a, b\) for a model of 3 classes without names"),
        ("abcd", "abc", r"4 classes \(a, b, c, \.\.\.\) for a model of 3 classes \(a, b, c\)"),
        (
            "acb",
            "abc",
            r"3 classes \(a, c, b\) for a model of 3 classes \(a, b, c\); class 1 is 'c' in the "
            "data and 'b' in the model",
        ),
    ],
)
def test_other_classes_than_the_models_are_refused(labels, known, received):
    with pytest.raises(ValueError, match=f"^Scores must have .* Received: {received}$"):
        check_same_classes(labels, known, 3, "Scores")


def test_another_model_is_advised_where_names_differ():
    for labels, another in (("cba", False), ("abx", True)):
        with pytest.raises(ValueError, match=r"pass labels=model\.labels") as caught:
            check_same_classes(labels, "abc", 3)
        assert ("labels=data.labels" in str(caught.value)) is another


@pytest.mark.parametrize("labels", [None, "ab", [0, 1], len])
def test_what_is_no_list_of_names_is_none(labels):
    assert names_of(types.SimpleNamespace(labels=labels)) == ()
    assert names_of(types.SimpleNamespace(labels=["a"])) == ("a",)
    assert names_of(None) == ()


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["a", "b"], "each class: 3. Received: 2 labels"),
        (["a", "b", "a"], "every label once. Received twice: a"),
    ],
)
def test_labels_are_checked(labels, message):
    with pytest.raises(ValueError, match=message):
        slow(labels=labels)
    with pytest.raises(ValueError, match=message):
        check_labels(labels, 3)
