import pytest

from keras_acl.cli.options import output_names


def test_outputs_have_names_of_their_own(tmp_path):
    paths = [tmp_path / "a" / "x" / "0.mp4", tmp_path / "b" / "x" / "0.mp4", tmp_path / "1.mp4"]
    assert output_names(paths[2:]) == ["1"]
    assert output_names(paths[:2]) == ["a_x_0", "b_x_0"]
    assert len(set(output_names(paths))) == 3
    with pytest.raises(ValueError, match=r"0\.mp4, .*0\.avi"):
        output_names([paths[0], paths[0].with_suffix(".avi")])
