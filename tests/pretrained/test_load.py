import logging

import keras
import numpy as np
import pytest
from harness import to_numpy
from hub_server import Fault
from saved import CARD, edit, logits, make_slow, make_slowfast, make_two_stream
from tiny_network import CLIP, LABELS, random_clips, two_stream

from keras_acl.clip import ClipSpec
from keras_acl.layers import AttentionConsistency
from keras_acl.pretrained.config import CONSISTENCY
from keras_acl.pretrained.load import load_pretrained
from keras_acl.pretrained.model_folder import sha256_of
from keras_acl.pretrained.save import save_pretrained
from keras_acl.speed.cost import count_parameters
from keras_acl.training.consistency_loss import ConsistencyLoss
from keras_acl.training.losses import Crossentropy

WARM_STARTS = [(), ("scam",), ("l2",), ("other classes", "scam")]


@pytest.mark.backends
def test_a_model_comes_back_compiled_with_its_clip_labels_and_card(model, saved):
    loaded = load_pretrained(saved)
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)
    assert (loaded.clip, loaded.labels, loaded.card) == (CLIP, LABELS, CARD)
    for option in CONSISTENCY:
        assert getattr(loaded.consistency, option) == getattr(model.consistency, option)
    assert isinstance(loaded.loss, Crossentropy)
    results = loaded.evaluate(random_clips(3), np.array([0, 1, 2]), verbose=0, return_dict=True)
    assert set(results) == {"loss", "accuracy", "crossentropy"}


@pytest.mark.backends
@pytest.mark.parametrize(
    ("options", "ramp"),
    list(zip(WARM_STARTS, (True, False, False, True), strict=True)),
    ids=["plain", "scam", "l2", "other classes-scam"],
)
def test_training_goes_well_although_the_temporal_rows_are_zero(options, ramp, tmp_path):
    changes = {"num_classes": 4} if "other classes" in options else {}
    scales = (1.0, 0.5) if "scam" in options else (1.0,)
    normalize = "l2" if "l2" in options else "min_max"
    start = two_stream(scales=scales, consistency=AttentionConsistency(normalize=normalize))
    model = load_pretrained(save_pretrained(start, tmp_path / "start"), **changes)
    kernel, bias = model.classifier.get_weights()
    spatial = model.spatial_stream.output_shape[-1]
    kernel[spatial:] = 0.0
    model.classifier.set_weights([kernel, bias])
    if not ramp:
        model.fit_callbacks = ()
    labels = np.arange(8) % 3
    clips = random_clips(8) // 4 + (60 * labels).astype("uint8")[:, None, None, None, None]
    loss = model.fit(clips, labels, epochs=8, batch_size=4, verbose=0).history["loss"]
    assert max(loss) < 3
    assert np.mean(loss[-2:]) < loss[0]
    assert 0 < np.abs(model.classifier.get_weights()[0][spatial:]).max() < 0.5
    assert float(model.consistency_weight.value) == model.initial_consistency_weight


@pytest.mark.backends
def test_the_term_begins_slowly_unless_the_caller_says_otherwise(saved):
    model = load_pretrained(saved)
    weights = []
    seen = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda *_: weights.append(float(model.consistency_weight.value))
    )
    clips, labels = random_clips(2), np.array([0, 2])
    model.fit(clips, labels, epochs=1, callbacks=seen, verbose=0)
    model.fit(clips, labels, epochs=2, callbacks=[seen], verbose=0)
    model.fit(clips, labels, callbacks=[seen, ConsistencyLoss(0.3)], verbose=0)
    np.testing.assert_allclose(weights, [0.0, 0.75, 1.5, 0.3])


@pytest.mark.backends
@pytest.mark.parametrize("make", [make_slowfast, make_slow])
def test_the_baselines_come_back(make, tmp_path):
    model = make()
    loaded = load_pretrained(save_pretrained(model, tmp_path / "baseline"))
    assert type(loaded) is type(model)
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)


@pytest.mark.backends
def test_other_classes_keep_the_streams_and_say_so(model, saved, caplog):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = load_pretrained(saved, num_classes=5)
    assert (loaded.num_classes, loaded.labels) == (5, None)
    [record] = caplog.records
    streams = count_parameters(model) - model.classifier.count_params()
    assert f"streams are kept ({streams:,} parameters)" in record.getMessage()
    assert "anew with 5 classes; the saved one has 3" in record.getMessage()
    features = loaded.features(random_clips(1)), model.features(random_clips(1))
    for ours, theirs in zip(*features, strict=True):
        np.testing.assert_allclose(to_numpy(ours), to_numpy(theirs), atol=1e-5)
    assert np.abs(to_numpy(loaded.classifier.kernel)).max() < 0.1  # 0.2 wide if it were kept


def test_other_names_start_the_dense_layer_anew(saved, caplog):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = load_pretrained(saved, labels=["a", "b", "c"])
    assert loaded.labels == ("a", "b", "c")
    assert np.abs(to_numpy(loaded.classifier.kernel)).max() < 0.1
    assert len(caplog.records) == 1


@pytest.mark.backends
def test_the_other_kind_of_labels_starts_the_dense_layer_anew(saved, caplog, tmp_path):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = load_pretrained(saved, multi_label=True)
    assert (loaded.multi_label, loaded.labels) == (True, LABELS)
    assert np.abs(to_numpy(loaded.classifier.kernel)).max() < 0.1
    assert len(caplog.records) == 1
    assert isinstance(loaded.loss, keras.losses.BinaryCrossentropy)
    again = load_pretrained(save_pretrained(loaded, tmp_path / "again"), multi_label=True)
    np.testing.assert_allclose(logits(again), logits(loaded), atol=1e-6)
    assert len(caplog.records) == 1


def test_the_same_classes_keep_everything(model, saved, caplog):
    with caplog.at_level(logging.WARNING, "keras_acl"):
        loaded = load_pretrained(saved, num_classes=3, labels=list(LABELS))
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)
    assert not caplog.records


def test_classes_without_names_can_be_named(tmp_path):
    model = make_slow()
    loaded = load_pretrained(save_pretrained(model, tmp_path / "slow"), labels=LABELS)
    assert loaded.labels == LABELS
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)


@pytest.mark.backends
def test_what_a_user_changes_is_changed(model, saved):
    clip = ClipSpec(frames=16, span=32, size=64)
    loaded = load_pretrained(
        saved, clip=clip, dropout=0.2, dtype="mixed_bfloat16", consistency_weight=0.25
    )
    assert loaded.clip == clip
    assert loaded.dropout.rate == 0.2
    assert loaded.dtype_policy.name == "mixed_bfloat16"
    assert float(loaded.consistency_weight) == 0.25
    assert loaded.get_config()["consistency_weight"] == 0.25
    for ours, theirs in zip(loaded.weights, model.weights, strict=True):
        if ours.name != "consistency_weight":
            np.testing.assert_array_equal(to_numpy(ours), to_numpy(theirs))


@pytest.mark.backends
def test_the_consistency_term_can_be_left_out_and_put_in(model, saved, tmp_path):
    without = load_pretrained(saved, consistency_weight=None)
    assert not hasattr(without, "consistency_weight")
    np.testing.assert_allclose(logits(without), logits(model), atol=1e-6)
    again = load_pretrained(save_pretrained(without, tmp_path / "no"), consistency_weight=0.5)
    assert float(again.consistency_weight) == 0.5
    np.testing.assert_allclose(logits(again), logits(model), atol=1e-6)


@pytest.mark.parametrize("make", [make_two_stream, make_slowfast])
def test_supervised_streams_stay_supervised(make, tmp_path):
    model = make()
    model.stream_supervision = 0.5  # as a recipe sets it
    folder = save_pretrained(model, tmp_path / "folder")
    assert load_pretrained(folder).stream_supervision == 0.5
    other = load_pretrained(folder, num_classes=4)
    assert other.stream_supervision == 0.5
    outputs = other(random_clips(), training=True)
    assert {"spatial_logits", "temporal_logits"} <= set(outputs)


def test_a_network_without_the_term_takes_no_weight(tmp_path):
    folder = save_pretrained(make_slow(), tmp_path / "slow")
    with pytest.raises(ValueError, match="SlowClassifier has no consistency term"):
        load_pretrained(folder, consistency_weight=1.0)


def test_lambda_is_the_argument_and_not_what_a_warm_up_left(tmp_path):
    model = make_two_stream()
    model.consistency_weight.assign(0.1)
    loaded = load_pretrained(save_pretrained(model, tmp_path / "warm"))
    assert float(loaded.consistency_weight) == 1.5


@pytest.mark.parametrize("name", ["config.json", "metadata.json", "model.weights.h5"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(FileNotFoundError, match=rf"no {name} "):
        load_pretrained(folder)


@pytest.mark.parametrize("name", ["config.json", "model.weights.h5"])
def test_a_cut_file_is_found_by_its_digest(folder, name):
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=rf"{name} is not the file that was saved.*incomplete"):
        load_pretrained(folder)


def test_no_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no folder .*nowhere"):
        load_pretrained(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no JSON, is it whole"),
        ("\0\xff", "is no JSON"),
        ("[" * 100_000, "is no JSON"),
        ("[]", "must hold a JSON object"),
        ("{}", "was not written by save_pretrained"),
        ('{"format": 2}', "has format 2, this version of keras-acl reads 1. Update"),
        ('{"format": 1}', "labels is missing"),
    ],
)
def test_broken_metadata_is_one_clear_error(folder, text, message):
    (folder / "metadata.json").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": "up"}, "labels must be names"),
        ({"labels": ["a", "b"]}, "names 2 classes, the network of config.json has 3"),
        ({"sha256": {}}, "config.json is missing"),
        ({"sha256": {"config.json": 1, "model.weights.h5": 2}}, "sha256 must hold digests"),
        ({"card": {"name": "a"}}, "fields of a Card: missing"),
        ({"clip": {"frames": -1}}, "frames must be positive"),
        ({"parameters": "many"}, "parameters must be a whole number"),
    ],
)
def test_wrong_metadata_is_one_clear_error(folder, change, message):
    edit(folder, "metadata.json", lambda values: values.update(change))
    with pytest.raises(ValueError, match=message):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"class": "os.system"}, "names a class that cannot be loaded: 'os.system'. Expected one"),
        ({"class": ["a"]}, "names a class that cannot be loaded"),
        ({"arguments": 3}, "has no arguments for TwoStreamClassifier"),
        ({"arguments": {}}, "num_classes is missing"),
        ({"class": "SlowClassifier"}, "SlowClassifier does not take: channel_ratio, consistency"),
    ],
)
def test_a_config_builds_nothing_but_the_networks(folder, change, message):
    edit(folder, "config.json", lambda values: values.update(change))
    with pytest.raises(ValueError, match=message):
        load_pretrained(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": ["a", "b", "c"]}, "does not take: labels"),
        ({"num_classes": "3"}, "num_classes must be a whole number"),
        ({"dtype": {"class_name": "Policy"}}, "dtype must be one of"),
        ({"clip": {"colour": 3}}, "unexpected keyword argument 'colour'"),
        ({"consistency": {"class_name": "Lambda"}}, "consistency takes temporal"),
        ({"consistency": {"temporal": "never"}}, "Expected `temporal` to be one of"),
        ({"depth": 12}, "make no network: .*12"),
        (
            {"width": 2**20},
            r"config\.json is broken: .* of 3 classes and width 1,048,576",
        ),
        ({"num_classes": 10**9}, "network of 1,000,000,000 classes .* holds"),
        ({"width": 16}, r"model\.weights\.h5 does not fit the network of config\.json"),
    ],
)
def test_wrong_arguments_are_one_clear_error(folder, change, message):
    edit(folder, "config.json", lambda values: values["arguments"].update(change))
    with pytest.raises(ValueError, match=message):
        load_pretrained(folder)


def test_labels_and_number_of_classes_must_agree(saved):
    with pytest.raises(ValueError, match="Received: num_classes=4 and 2 labels"):
        load_pretrained(saved, num_classes=4, labels=["a", "b"])


def test_the_hub_gives_a_model_that_is_ready(hub, model, saved, caplog):
    hub.add("someone/tiny", saved, tag="v1")
    loaded = load_pretrained("hf://someone/tiny@v1")
    np.testing.assert_allclose(logits(loaded), logits(model), atol=1e-6)
    assert (loaded.labels, loaded.card) == (LABELS, CARD)
    with caplog.at_level(logging.WARNING, "keras_acl"):
        other = load_pretrained("hf://someone/tiny", num_classes=5)
    assert other.num_classes == 5
    assert caplog.records[-1].getMessage().startswith("tiny: the weights of the streams are kept")


TOGETHER = """
import sys
from keras_acl.pretrained.config import CONSISTENCY
from keras_acl.pretrained.load import load_pretrained
from keras_acl.pretrained.model_folder import sha256_of
print(load_pretrained(sys.argv[1]).labels)
"""


@pytest.mark.slow
def test_two_processes_load_from_the_hub_at_once(server, run_two_at_once, saved):
    server.add("someone/tiny", saved)
    server.faults.append(Fault("/lfs/", "cut", times=1))  # and one of them is cut
    assert run_two_at_once(TOGETHER, "hf://someone/tiny") == [str(LABELS)] * 2
    agents = {headers["user-agent"] for _, _, headers in server.requests}
    assert all("agent/" not in agent and "torch" not in agent for agent in agents)


@pytest.mark.backends
def test_weights_that_are_not_finite_are_named(model, folder):
    spoiled = model.copy_with()
    kernel = to_numpy(spoiled.classifier.kernel).copy()
    kernel[3, 1] = np.inf
    spoiled.classifier.kernel.assign(kernel)
    keras.saving.save_weights(spoiled, folder / "model.weights.h5", overwrite=True)
    edit(
        folder,
        "metadata.json",
        lambda values: values["sha256"].update(
            {"model.weights.h5": sha256_of(folder / "model.weights.h5")}
        ),
    )
    with pytest.raises(ValueError, match=r"h5 holds NaN or infinity in .*classifier/kernel"):
        load_pretrained(folder)
