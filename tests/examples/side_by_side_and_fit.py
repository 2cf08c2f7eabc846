"""Compares two runs of `SideBySide` with `fit`; run by test_side_by_side.py with JAX."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "ablation"))

import keras
import networks
import numpy as np
import plan
import program
import side_by_side

from keras_acl import recipes

BUDGET = plan.Budget(size=32, dropout=0.0)
LABELS = ("a", "b", "c")
EPOCHS, CLIPS, BATCH = 2, 8, 4  # an epoch with λ = 0, one with all of it
RECIPE = recipes.finetune(
    epochs=EPOCHS,
    learning_rate=0.4,
    warmup_epochs=1,
    consistency_warmup_epochs=1,
    precise_batches=0,
)


def members() -> list[program.Member]:
    rng = np.random.default_rng(0)
    return [
        program.Member(
            clips=rng.integers(0, 256, (CLIPS, 8, 32, 32, 3), dtype=np.uint8),
            labels=rng.integers(0, 3, CLIPS),
            seed=seed,
            learning_rate=0.4 * (seed + 1),
            weight=1.5,
            ramp=1,
            terms=networks.TERMS["sup_ac"],
        )
        for seed in (0, 1)
    ]


def fitted(member: program.Member) -> tuple[list[np.ndarray], list[float]]:
    """Trained weights and losses of the variant's own network under Keras' `fit`."""
    keras.utils.set_random_seed(member.seed)
    model = networks.network("sup_ac", LABELS, BUDGET)
    callbacks = RECIPE.compile(model)
    schedule = RECIPE.schedule(CLIPS // BATCH, BATCH)
    factor = member.learning_rate / RECIPE.learning_rate
    callbacks.append(Rates(lambda step: factor * float(schedule(np.float32(step)))))
    rng, losses = np.random.default_rng(member.seed), []
    for epoch in range(EPOCHS):
        order = rng.permutation(CLIPS)
        history = model.fit(
            member.clips[order],
            member.labels[order],
            batch_size=BATCH,
            initial_epoch=epoch,
            epochs=epoch + 1,
            shuffle=False,
            callbacks=callbacks,
            verbose=0,
        )
        losses.append(history.history["loss"][0])
    return [np.asarray(v) for v in model.trainable_variables], losses


class Rates(keras.callbacks.Callback):
    """Set the learning rate of every step."""

    def __init__(self, schedule):
        super().__init__()
        self.schedule, self.step = schedule, 0

    def on_train_batch_begin(self, batch, logs=None):
        """Set it."""
        self.model.optimizer.learning_rate = self.schedule(self.step)
        self.step += 1


def main() -> None:
    with side_by_side.convolutions_as_products():
        both = members()
        together = side_by_side.SideBySide(
            program.Program(
                lambda: networks.network_of_terms("ac", LABELS, BUDGET), RECIPE, both, BATCH
            )
        )
        history = together.fit(EPOCHS)
    for index, member in enumerate(both):
        weights, losses = fitted(member)
        np.testing.assert_allclose(history["loss"][index], losses, rtol=1e-4)
        for ours, theirs in zip(together.state[0], weights, strict=True):
            np.testing.assert_allclose(ours[index], theirs, rtol=1e-3, atol=1e-4)
    print("equal")


if __name__ == "__main__":
    main()
