"""The ablation: its plan, its networks, and what is measured."""

import contextlib
import json

import keras
import networks
import numpy as np
import one_group
import plan
import pytest
import run
import side_by_side
from keras import ops

from keras_acl.layers import convolution
from keras_acl.system.devices import tensorflow

BUDGET = plan.Budget(size=32, dropout=0.0)
LABELS = ("a", "b", "c")
OF_THE_PACKAGE = ("fusion_sup", "no_fusion", "ac_stop", "placebo", "sup_ac", "ac_scam")


@pytest.mark.parametrize("variant", OF_THE_PACKAGE)
def test_a_program_computes_what_each_of_its_variants_does(variant, eager):
    """Loss in training, from the same weights; the program is the variant's own network."""
    clips = np.random.default_rng(0).integers(0, 256, (3, 8, 32, 32, 3), dtype=np.uint8)
    labels = ops.array([0, 1, 2])
    keras.utils.set_random_seed(0)
    own = networks.network(variant, LABELS, BUDGET)
    program = networks.network_of_terms(networks.program_of(variant), LABELS, BUDGET)
    for theirs, ours in zip(own.trainable_variables, program.trainable_variables, strict=True):
        ours.assign(theirs)
    terms = networks.TERMS[variant]
    for name, variable in program.terms.items():
        variable.assign(terms.get(name, 0))
    if hasattr(program, "consistency_weight"):
        program.consistency_weight.assign(1.5 * terms.get("consistency", 1))
    losses = []
    for model in (own, program):
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        losses.append(float(model.compute_loss(None, labels, model(clips, training=True))))
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


def test_runs_of_one_group_are_one_program():
    groups: dict = {}
    for one in plan.plan():
        groups.setdefault(one_group.group_of(one), []).append(one)
    for group in groups.values():
        budgets = {one_group.budget_of(plan.REGIMES[one.regime], plan.Budget()) for one in group}
        assert len(budgets) == 1
        assert len({networks.program_of(one.variant) for one in group}) == 1
    everything = [one for group in groups.values() for one in group]
    assert len({str(one) for one in everything}) == len(everything)


def test_settings_are_chosen_on_other_tasks_seeds_and_speakers():
    chosen, reported = plan.trial_plan(), plan.plan()
    figures = [one for one in chosen if one.task not in plan.LIPS]
    assert {one.task for one in figures}.isdisjoint({one.task for one in reported})
    assert {one.seed for one in figures}.isdisjoint({one.seed for one in reported})
    assert {one.fold for one in chosen if one.task in plan.LIPS} == {"trial"}


def test_nothing_is_repeated(tmp_path, run_example, monkeypatch):
    performed = []

    def perform(runs, budget, folders):
        performed.extend(map(str, runs))
        measured = {"accuracy": 0.5 + 0.1 * len(performed), "accuracy_train": 0.9}
        return [
            {"run": {**vars(one), "fold": one.fold}, "history": {}, "measured": measured}
            for one in runs
        ]

    monkeypatch.setattr("run.perform", perform)
    arguments = ["--output", tmp_path, "--seeds", "0", "--tasks", "appearance_motion"]
    arguments += ["--variants", "no_fusion", "slow", "--regimes", "rule", "large"]
    printed = run_example("run", *arguments)
    names = [f"rule-appearance_motion-{name}-0" for name in ("no_fusion", "slow")]
    names += [f"large-appearance_motion-{name}-0" for name in ("no_fusion", "slow")]
    assert sorted(performed) == sorted(names)
    assert f"1 of 4: {names[0]}, 1 runs" in printed
    assert len((tmp_path / "runs.csv").read_text().splitlines()) == 5
    record = json.loads((tmp_path / "runs" / f"{names[0]}.json").read_text())
    assert {"commit", "machine", "backend", "versions"} == set(record["provenance"])
    run_example("run", *arguments)
    assert len(performed) == 4
    with pytest.raises(SystemExit, match="another budget"):
        run_example("run", *arguments, "--epochs", "1")
    with pytest.raises(SystemExit, match="No run is left"):
        run_example("run", *arguments, "--seeds", "0", "--variants", "ac_l2", "--regimes", "large")


def test_the_best_rate_of_each_network_is_chosen(tmp_path):
    accuracies = {("slow", "rule"): (0.5, 0.9), ("slow", "double_rate"): (0.8, 0.8)}
    accuracies |= {("sup", "rule"): (0.9,), ("sup", "weak"): (1.0,)}
    for (variant, regime), values in accuracies.items():
        for seed, accuracy in enumerate(values):
            told = {"variant": variant, "regime": regime, "task": plan.TRIAL, "seed": seed}
            text = json.dumps({"run": told, "measured": {"accuracy": accuracy}})
            (tmp_path / f"{regime}-{variant}-{seed}.json").write_text(text)
    assert run.chosen_rates(tmp_path) == {"figures": {"slow": 2, "sup": 1.0}}


def test_networks_learn_and_are_measured(tmp_path, eager):
    budget = plan.Budget(size=32, clips=8, test_clips=4, epochs=1)
    runs = [plan.Run("sup_ac", "motion", "rule", seed) for seed in (0, 1)]
    results = one_group.perform(runs, budget, one_group.Folders(tmp_path))
    for asked, result in zip(runs, results, strict=True):
        assert result["run"]["seed"] == asked.seed
        assert np.isfinite([*result["measured"].values(), *result["history"]["loss"]]).all()
        assert {"accuracy_temporal", "probe_spatial", "correlation"} <= set(result["measured"])
    assert results[0]["history"] != results[1]["history"]


def test_every_network_has_been_tried_that_is_to_have_its_own_rate(tmp_path):
    tried = {(one.task in plan.LIPS, one.variant) for one in plan.trial_plan()}
    own = [one for one in plan.plan() if plan.REGIMES[one.regime].own_rate]
    assert {(one.task in plan.LIPS, one.variant) for one in own} <= tried
    rates = tmp_path / "rates.json"
    rates.write_text(json.dumps({"figures": {"sup": 4.0}}))
    assert one_group.rate_of(plan.Run("sup", "motion", "own_rate", 0), rates) == 4
    assert one_group.rate_of(plan.Run("sup", "motion", "double_rate", 0), None) == 2
    for variant, task in (("ac", "motion"), ("sup", "words")):
        with pytest.raises(ValueError, match="was not tried"):
            one_group.rate_of(plan.Run(variant, task, "own_rate", 0), rates)


def test_clips_are_drawn_for_figures_alone(tmp_path, monkeypatch):
    options = run.read_options(["--output", str(tmp_path), "--clips", "2", "--test-clips", "2"])
    monkeypatch.setattr("run.multiprocessing.get_context", lambda kind: OneProcess)
    runs = [
        plan.Run("sup", "motion", "alone", 0),
        plan.Run("sup", "words", "lips", 0),
        plan.Run("sup", plan.FOLDER, "folder", 0),
    ]
    run.draw_all(runs, options)
    assert len(list((tmp_path / "cache").iterdir())) == 3  # to train, to test, another crowd


class OneProcess:
    """A pool of processes that is this one."""

    @staticmethod
    def Pool():  # noqa: N802, as multiprocessing has it
        """The pool."""
        return contextlib.nullcontext(OneProcess)

    @staticmethod
    def starmap(function, jobs, chunksize):
        """Do the jobs."""
        return [function(*job) for job in jobs]


def test_parts_are_alike_in_size():
    assert [len(part) for part in side_by_side.batches(list(range(10)), 4)] == [4, 4, 2]
    assert [len(part) for part in side_by_side.batches(list(range(12)), 7)] == [6, 6]


@pytest.mark.skipif(tensorflow() is None, reason="compares JAX with TensorFlow")
@pytest.mark.parametrize(
    ("kernel", "strides"),
    [((5, 7, 7), (1, 2, 2)), ((1, 7, 7), (1, 2, 2)), ((3, 3), (2, 2)), ((5, 1), (4, 1))],
)
def test_convolutions_as_products(kernel, strides):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(*(2, 8, 9, 10)[: len(kernel) + 1], 3)).astype("float32")
    weights = rng.normal(size=(*kernel, 3, 4)).astype("float32")
    expected = ops.convert_to_numpy(convolution._padded_conv(x, weights, strides))
    found = side_by_side.convolution_as_product(x, weights, strides)
    np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-4, atol=1e-4)


def test_a_context_tells_the_class_in_its_share_of_the_clips():
    labels = np.arange(400) % 4
    side = one_group.Clips(np.zeros((400, 2, 20, 20, 3), np.uint8), labels)
    clips = one_group.with_context(side, 4, 1.0, seed=0).clips
    colours = [
        {tuple(clip.reshape(-1, 3).max(axis=0)) for clip in clips[labels == k]} for k in range(4)
    ]
    assert [len(seen) for seen in colours] == [1, 1, 1, 1]
    clips = one_group.with_context(side, 4, 0.0, seed=0).clips
    assert len({tuple(clip.reshape(-1, 3).max(axis=0)) for clip in clips[labels == 0]}) == 4


def test_centred_clips_show_what_moves():
    rng = np.random.default_rng(0)
    still = rng.integers(0, 256, (2, 1, 6, 8, 1))
    moving = rng.normal(size=(2, 4, 6, 8, 1))
    clips = [
        one_group.centred(np.clip(still + factor * moving, 0, 255).astype(np.uint8))
        for factor in (0, 10)
    ]
    assert (clips[0] == 128).all()
    assert abs(clips[1].mean() - 128) < 1
    assert 25 < clips[1].std() < 45


def test_a_linear_probe_finds_what_can_be_told_apart():
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    told = np.eye(3)[labels] + 0.1 * rng.normal(size=(90, 3))
    noise = rng.normal(size=(90, 5))
    assert one_group.linear_probe(told[:60], labels[:60], told[60:], labels[60:]) == 1
    assert one_group.linear_probe(noise[:60], labels[:60], noise[60:], labels[60:]) < 0.7


def test_maps_are_enlarged_as_everywhere():
    maps = np.random.default_rng(0).normal(size=(2, 3, 4, 5)).astype("float32")
    large = ops.image.resize(
        maps.reshape(6, 4, 5, 1), (8, 10), "bilinear", data_format="channels_last"
    )
    expected = ops.convert_to_numpy(large).reshape(2, 3, 8, 10)
    found = one_group.upsampled(maps, (8, 10), over_clip=False)
    mean = expected.mean(axis=1)
    low, high = mean.min(axis=(1, 2), keepdims=True), mean.max(axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(found, (mean - low) / (high - low), atol=1e-5)
