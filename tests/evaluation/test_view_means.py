import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_acl.evaluation.view_means import ViewMeans
from keras_acl.video.views import ViewGrid


@settings(deadline=None)
@given(st.data())
def test_the_order_of_views_changes_nothing(data):
    clips, crops, videos, classes = (data.draw(st.integers(1, 4)) for _ in range(4))
    share = st.floats(0, 1, width=32)
    grid = ViewGrid(clips, crops)
    scores = np.array(
        [data.draw(share) for _ in range(videos * len(grid) * classes)], np.float32
    ).reshape(videos, len(grid), classes)
    pairs = [(video, view) for video in range(videos) for view in range(len(grid))]
    results = []
    for order in (pairs, data.draw(st.permutations(pairs))):
        means = ViewMeans(grid)
        added = [(video, means.add(video, scores[video, view])) for video, view in order]
        finished = {video: mean for video, mean in added if mean is not None}
        assert len(finished) == videos
        results.append(np.stack([finished[video] for video in range(videos)]))
    np.testing.assert_array_equal(*results)
    np.testing.assert_allclose(results[0], scores.mean(axis=1, dtype=np.float64), rtol=1e-6)


def test_not_even_the_last_bit_of_a_mean_depends_on_the_order():
    # 1 + 2^-24 lies between two numbers of float32, and adding the rest after 1 loses it.
    scores = np.array([1, 2**-24, *[2**-54] * 6], np.float32)[:, None]
    means = ViewMeans(ViewGrid(8, 1)), ViewMeans(ViewGrid(8, 1))
    first = [means[0].add(0, score) for score in scores][-1]
    second = [means[1].add(0, score) for score in scores[::-1]][-1]
    np.testing.assert_array_equal(first, second)


def test_a_mean_is_given_once_and_forgotten():
    means = ViewMeans(ViewGrid(1, 2))
    assert means.add(7, np.array([1.0, 0.0], np.float32)) is None
    mean = means.add(7, np.array([0.0, 0.5], np.float32))
    assert mean.dtype == np.float32
    np.testing.assert_array_equal(mean, [0.5, 0.25])
    assert means.drop(7) == 0
    means.add(7, np.array([1.0, 0.0], np.float32))
    assert means.drop(7) == 1
    assert means.add(7, np.array([0.0, 1.0], np.float32)) is None
