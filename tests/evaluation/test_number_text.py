import math

import pytest

from keras_acl.evaluation.number_text import interval, p_value, percent, points, signed


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (percent(0.4375), "43.8\xa0%"),
        (percent(None), "–"),
        (percent(math.nan), "–"),
        (interval((0.2816, 0.6067)), "28.2 to 60.7\xa0%"),
        (points(-0.031), "−3.1"),
        (points(math.nan), "–"),
        (p_value(0.0004), "< 0.001"),
        (p_value(0.0389), "0.039"),
        (p_value(0.387), "0.39"),
    ],
)
def test_numbers_are_written_like_this(found, expected):
    assert found == expected


@pytest.mark.parametrize(
    ("value", "text"), [(3.14, "+3.1"), (-2, "−2.0"), (0.0, "0.0"), (-0.04, "0.0"), (0.04, "0.0")]
)
def test_signed(value, text):
    assert signed(value) == text
