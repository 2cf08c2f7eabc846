from keras_acl.system.dotted_names import dotted_names


def test_levels_become_dots():
    nested = {"clip": {"size": 112, "crop": {"top": None}}, "seed": 0, "none": {}}
    assert dotted_names(nested) == {"clip.size": 112, "clip.crop.top": None, "seed": 0, "none": {}}
