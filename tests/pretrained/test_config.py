import inspect

from keras_acl.layers import AttentionConsistency
from keras_acl.pretrained import config


def test_every_option_of_the_term_is_written():
    """Or else a saved folder would train on with another term than the model had."""
    options = set(inspect.signature(AttentionConsistency.__init__).parameters)
    assert options - {"self", "dtype", "kwargs"} == set(config.CONSISTENCY)
