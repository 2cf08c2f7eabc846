import pytest

from keras_acl.data.cursor import Cursor


class Asked:
    """Notes what is read, and returns it as the batch."""

    def __init__(self):
        self.read = []

    def __call__(self, epoch, index, in_order):
        self.read.append((epoch, index, in_order))
        return epoch, index


@pytest.fixture
def asked() -> Asked:
    return Asked()


def one_pass(cursor, asked, indices=(3, 1, 0, 2)):
    cursor.begin()
    batches = [cursor.batch(index, asked) for index in indices]
    cursor.end()
    return batches


def test_passes_follow_each_other_in_order_whatever_is_asked_for(asked):
    cursor = Cursor(4)
    for epoch in range(3):
        assert cursor.epoch == epoch
        assert one_pass(cursor, asked) == [(epoch, index) for index in range(4)]
    assert asked.read == [(epoch, index, True) for epoch in range(3) for index in range(4)]


@pytest.mark.parametrize("length", [1, 2, 4])
def test_a_glance_by_index_belongs_to_the_coming_pass(asked, length):
    cursor = Cursor(length)
    glance = range(min(length, 2))
    assert [cursor.batch(index, asked) for index in glance] == [(0, index) for index in glance]
    assert one_pass(cursor, asked, range(length)) == [(0, index) for index in range(length)]
    assert asked.read == [(0, index, True) for index in range(length)]  # each once
    assert cursor.epoch == 1


@pytest.mark.parametrize("glance", [(), (3,), (3, 2)])
def test_a_pass_that_ends_after_a_glance_is_begun_again(asked, glance):
    cursor = Cursor(4)
    for _ in range(2):
        assert one_pass(cursor, asked, glance) == [(0, index) for index in range(len(glance))]
        assert cursor.epoch == 0
    assert one_pass(cursor, asked) == [(0, index) for index in range(4)]
    assert asked.read == [(0, index, True) for index in range(4)]


@pytest.mark.parametrize(("length", "taken"), [(4, 3), (1, 1), (2, 2)])
def test_a_pass_of_more_than_a_glance_or_of_all_batches_counts(asked, length, taken):
    cursor = Cursor(length)
    one_pass(cursor, asked, range(taken))
    assert cursor.epoch == 1
    assert one_pass(cursor, asked, [0]) == [(1, 0)]


def test_between_passes_a_batch_is_what_was_asked_for(asked):
    cursor = Cursor(4)
    assert [cursor.batch(index, asked) for index in (3, 1, 0, 1)] == [
        (0, 3),
        (0, 1),
        (0, 0),
        (0, 1),
    ]
    assert asked.read == [(0, 3, False), (0, 1, False), (0, 0, True), (0, 1, True)]
    cursor.begin()
    for _ in range(4):
        cursor.batch(0, asked)
    assert cursor.batch(2, asked) == (0, 2)  # beyond the end of the pass
    assert asked.read[-1] == (0, 2, False)


def test_moving_goes_to_any_pass_and_forgets_the_glance(asked):
    cursor = Cursor(4)
    cursor.batch(0, asked)
    cursor.move(7)
    assert one_pass(cursor, asked) == [(7, index) for index in range(4)]
    cursor.batch(0, asked)
    cursor.move(8)  # where it is already
    assert one_pass(cursor, asked) == [(8, index) for index in range(4)]
    assert asked.read.count((8, 0, True)) == 1


def test_a_batch_that_failed_can_be_asked_for_again(asked):
    def fails(epoch, index, in_order):
        raise OSError("the disk is gone")

    cursor = Cursor(4)
    with pytest.raises(OSError, match="disk"):
        cursor.batch(0, fails)
    assert cursor.batch(0, asked) == (0, 0)
