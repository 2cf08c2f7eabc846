import pytest

from keras_acl.cli import attention, predict
from keras_acl.cli.options import load_for_inference, output_names


def test_a_model_is_loaded_in_the_precision_that_is_asked_for():
    assert load_for_inference("demo", engine="keras").compute_dtype == "float32"
    assert load_for_inference("demo", "bfloat16", "keras").compute_dtype == "bfloat16"


def test_outputs_have_names_of_their_own(tmp_path):
    paths = [tmp_path / "a" / "x" / "0.mp4", tmp_path / "b" / "x" / "0.mp4", tmp_path / "1.mp4"]
    assert output_names(paths[2:]) == ["1"]
    assert output_names(paths[:2]) == ["a_x_0", "b_x_0"]
    assert len(set(output_names(paths))) == 3
    assert output_names(["/v.mp4", "/x/v.mp4"]) == ["v", "x_v"]  # no path of its own
    with pytest.raises(ValueError, match=r"0\.mp4, .*0\.avi"):
        output_names([paths[0], paths[0].with_suffix(".avi")])


@pytest.mark.parametrize("verb", ["predict", "features", "explain", "attention"])
def test_every_verb_that_takes_a_precision_uses_it(
    call, monkeypatch, numbered_video, tmp_path, verb
):
    asked = []

    def load(name, precision, engine):
        asked.append(precision)
        raise ValueError("enough")

    monkeypatch.setattr(predict, "load_for_inference", load)
    monkeypatch.setattr(attention, "load_for_inference", load)
    output = () if verb != "features" else ("--output", tmp_path / "features.npz")
    code, _, err = call(verb, "demo", numbered_video, *output, "--precision", "bfloat16")
    assert (code, err) == (1, "Error: enough\n")
    assert asked == ["bfloat16"]
