import re

import pytest

import keras_acl.data


@pytest.mark.parametrize("name", keras_acl.data.__all__)
def test_every_public_name_is_there_and_documented(name):
    assert getattr(keras_acl.data, name).__doc__


def test_the_public_names_are_shown_and_nothing_else():
    assert dir(keras_acl.data) == sorted(keras_acl.data.__all__)
    assert "VideoDataset" in dir(keras_acl.data)


def test_the_table_of_contents_lists_every_name():
    listed = set(re.findall(r"\w+", keras_acl.data.__doc__))
    assert set(keras_acl.data.__all__) <= listed


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'keras_acl\.data' has no attribute 'from_zip'"):
        keras_acl.data.from_zip  # noqa: B018
