"""Many runs of one network at once, side by side on one device (JAX).

Small networks leave a GPU idle: most of a step is the launching of kernels. The runs of a variant
differ in data, seed, rate and λ, but compute the same, so one compiled step is a step of all of
them (`jax.vmap` over `keras.Model.train_step`), and one program does many steps.
"""

import contextlib
import functools
import itertools
import time
from collections.abc import Callable, Iterator

from keras_acl.layers import convolution
from keras_acl.system.keras_internals import all_layers
from keras_acl.training.consistency_loss import weight_at_epoch

import jax
import jax.numpy as jnp
import keras
import numpy as np
from program import PRECISE_BATCHES, Program

MEASURED = 8  # clips of a run measured at once


class SideBySide:
    """Networks of one architecture, trained together.

    Args:
        program: The networks and what they are trained on.
        chunk: Steps of one compiled call, if it divides the steps of an epoch.
    """

    def __init__(self, program: Program, chunk: int = 50):
        recipe, members, batch_size = program.recipe, program.members, program.batch_size
        self.recipe, self.members = recipe, members
        self.batch_size, self.augment = batch_size, program.augment
        states: dict[int, tuple] = {}
        for seed in {member.seed for member in members}:
            keras.utils.set_random_seed(seed)
            self.model = program.build()
            recipe.compile(self.model)  # at a rate that is a variable: here each step's is given
            self.model.optimizer.build(self.model.trainable_variables)
            states[seed] = jax.tree.map(np.array, self._variables())
        started = [states[member.seed] for member in members]
        self.state = jax.tree.map(lambda *values: jnp.asarray(np.stack(values)), *started)
        for name, variable in getattr(self.model, "terms", {}).items():
            self._set(variable, [member.terms.get(name, 0.0) for member in members])
        self.clips, self.which = self._pooled([member.clips for member in members])
        self.labels = jnp.asarray(np.stack([member.labels for member in members]))
        self.steps = self.clips.shape[1] // batch_size  # of an epoch; what is left over waits
        self.chunk = chunk if self.steps % chunk == 0 else self.steps
        self._train = jax.jit(self._train_chunk, donate_argnums=0)
        self._statistics = jax.jit(self._precise_statistics)

    def _variables(self) -> tuple[list, ...]:
        model = self.model
        return (
            [v.value for v in model.trainable_variables],
            [v.value for v in model.non_trainable_variables],
            [v.value for v in model.optimizer.variables],
        )

    def fit(self, epochs: int) -> dict[str, np.ndarray]:
        """Train all; returns loss and accuracy by member and epoch."""
        schedule = self.recipe.schedule(self.steps, self.batch_size)
        rates = np.asarray(schedule(np.arange(epochs * self.steps, dtype="float32")))
        factors = np.array([m.learning_rate / self.recipe.learning_rate for m in self.members])
        orders = [np.random.default_rng(member.seed) for member in self.members]
        keys = jax.random.split(jax.random.key(0), epochs * self.steps)
        history: dict[str, list] = {}
        for epoch in range(epochs):
            started = time.monotonic()
            self._set_weight(epoch)
            order = np.stack([self._order(rng) for rng in orders], axis=1)  # (steps, S, batch)
            parts = []
            for first in range(0, self.steps, self.chunk):
                now = slice(epoch * self.steps + first, epoch * self.steps + first + self.chunk)
                inputs = (
                    jnp.asarray(order[first : first + self.chunk]),
                    jnp.asarray(rates[now, None] * factors, "float32"),
                    keys[now],
                )
                self.state, logs = self._train(self.state, self.clips, self.labels, inputs)
                parts.append(logs)
            for name in parts[0]:
                values = np.mean([np.asarray(logs[name]) for logs in parts], axis=0)
                history.setdefault(name, []).append(values)
            if len(getattr(self.model, "scales", (1.0,))) > 1 or epoch == epochs - 1:
                self.state = self._statistics(self.state, self.clips)
            seconds, loss = time.monotonic() - started, np.mean(history["loss"][-1])
            print(f"epoch {epoch + 1} of {epochs}: loss {loss:.3f}, {seconds:.1f} s", flush=True)
        return {name: np.stack(values, axis=1) for name, values in history.items()}

    def _order(self, rng) -> np.ndarray:
        count = self.steps * self.batch_size
        chosen = rng.permutation(self.clips.shape[1])[:count]
        return chosen.reshape(self.steps, self.batch_size)

    def _set_weight(self, epoch: int) -> None:
        """λ of an epoch."""
        if getattr(self.model, "initial_consistency_weight", None) is None:
            return
        values = [weight_at_epoch(epoch, each.weight, each.ramp) for each in self.members]
        self._set(self.model.consistency_weight, values)

    def _set(self, variable, values) -> None:
        """Give a variable that is not trained a value for each member."""
        place = self._place(self.model.non_trainable_variables, variable)
        self.state[1][place] = jnp.asarray(values, "float32")

    @staticmethod
    def _pooled(arrays: list[np.ndarray]):
        """Arrays on the device, each once, and which of them each member has."""
        pool = {id(array): array for array in arrays}
        places = {name: place for place, name in enumerate(pool)}
        which = [places[id(array)] for array in arrays]
        return jnp.asarray(np.stack(list(pool.values()))), jnp.asarray(which)

    @staticmethod
    def _place(variables, wanted) -> int:
        return next(index for index, variable in enumerate(variables) if variable is wanted)

    def _train_chunk(self, state, clips, labels, inputs):
        rate_at = self._place(self.model.optimizer.variables, self.model.optimizer._learning_rate)

        def one(state, which, labels, chosen, rate, key):
            trained, others, optimizer = state
            optimizer = [rate if i == rate_at else v for i, v in enumerate(optimizer)]
            x = clips[which, chosen]
            x = x if self.augment is None else self.augment(key, x)
            logs, others, gradients = self._gradients(trained, others, colour(x), labels[chosen])
            trained, optimizer = self.model.optimizer.stateless_apply(optimizer, gradients, trained)
            return (trained, others, optimizer), logs

        def step(state, inputs):
            order, rates, key = inputs
            keys = jax.random.split(key, len(self.members))
            return jax.vmap(one)(state, self.which, labels, order, rates, keys)

        state, logs = jax.lax.scan(step, state, inputs)
        return state, {name: jnp.mean(values, axis=0) for name, values in logs.items()}

    def _gradients(self, trained, others, x, y):
        model = self.model
        metrics = [v.value for v in model.metrics_variables]

        def loss_of(trained, others):
            loss, (_, outputs, others, _) = model.compute_loss_and_updates(
                trained, others, metrics, x, y, None, training=True, optimizer_variables=[]
            )
            return loss, (outputs, others)

        (loss, (outputs, others)), gradients = jax.value_and_grad(loss_of, has_aux=True)(
            trained, others
        )
        logits = outputs["logits"] if isinstance(outputs, dict) else outputs
        logs = {"loss": loss, "accuracy": jnp.mean(logits.argmax(axis=-1) == y)}
        if isinstance(outputs, dict) and "disagreement" in outputs:
            logs["consistency"] = model.consistency_loss(y, outputs["disagreement"])
        return logs, others, gradients

    def _precise_statistics(self, state, clips):
        """As `PreciseBatchNorm` does it: means over the batch statistics of many batches."""
        variables = self.model.non_trainable_variables
        momentum = {
            id(variable): layer.momentum
            for layer in all_layers(self.model)
            if isinstance(layer, keras.layers.BatchNormalization)
            for variable in (layer.moving_mean, layer.moving_variance)
        }
        places = {i: momentum[id(v)] for i, v in enumerate(variables) if id(v) in momentum}
        count = min(PRECISE_BATCHES, self.steps)

        def one(trained, others, which):
            start = [jnp.zeros_like(v) if i in places else v for i, v in enumerate(others)]

            def forward(sums, index):
                x = clips[which, index * self.batch_size + jnp.arange(self.batch_size)]
                _, moved = self.model.stateless_call(trained, start, colour(x), training=True)
                shares = [moved[i] / (1 - m) / count for i, m in places.items()]
                return jax.tree.map(jnp.add, sums, shares), None

            sums, _ = jax.lax.scan(forward, [others[i] for i in places], jnp.arange(count))
            sums = [total - others[i] for i, total in zip(places, sums, strict=True)]
            means = dict(zip(places, sums, strict=True))
            return [means.get(i, v) for i, v in enumerate(others)]

        others = jax.vmap(one)(state[0], state[1], self.which)
        return (state[0], others, state[2])

    def outputs(self, function: Callable, clips: list, labels: list) -> list[dict]:
        """What a function of the model, clips (B, ...) and labels (B,) gives for each member.

        Args:
            function: Its results are tensors (B, ...), by name.
            clips: Of each member, (N, T, H, W, C).
            labels: Of each member, (N,).
        """
        count = len(labels[0])
        order = np.arange(-(-count // MEASURED) * MEASURED) % count  # the last one is filled up
        pool, which = self._pooled(clips)
        given = (pool, which, jnp.asarray(np.stack(labels)), order.reshape(-1, MEASURED))
        values = jax.tree.map(np.asarray, self._compiled(function)(self.state[:2], *given))
        return [
            {
                name: value[:, index].reshape(-1, *value.shape[3:])[:count]
                for name, value in values.items()
            }
            for index in range(len(self.members))
        ]

    @functools.cache  # noqa: B019, a handful of objects that live as long as the process
    def _compiled(self, function: Callable):
        variables = (self.model.trainable_variables, self.model.non_trainable_variables)

        def every(state, pool, which, labels, order):
            def one(state, which, labels, now):
                mapping = [
                    pair
                    for owned, values in zip(variables, state, strict=True)
                    for pair in zip(owned, values, strict=True)
                ]
                with keras.StatelessScope(state_mapping=mapping):
                    return function(self.model, colour(pool[which, now]), labels[now])

            def batch(now):  # (S, B, ...) by name
                return jax.vmap(one, in_axes=(0, 0, 0, None))(state, which, labels, now)

            return jax.lax.map(batch, order)

        return jax.jit(every)


def colour(clips):
    """Grey clips with three channels; others as they are."""
    return jnp.repeat(clips, 3, axis=-1) if clips.shape[-1] == 1 else clips


@contextlib.contextmanager
def convolutions_as_products() -> Iterator[None]:
    """Compute convolutions as products of matrices.

    Side by side, each network has its own kernels; what XLA makes of that, grouped convolutions,
    is slow on a GPU, while batched products of matrices are fast.
    """
    before = convolution._padded_conv
    convolution._padded_conv = convolution_as_product
    try:
        yield
    finally:
        convolution._padded_conv = before


def convolution_as_product(x, kernel, strides: tuple[int, ...]):
    """`convolution._padded_conv`: windows as channels, times the kernel."""
    sizes = kernel.shape[: len(strides)]
    if len(sizes) == 3 and sizes[0] > 1 and strides[0] == 1:
        return _shifted_sum(x, kernel, strides)
    for axis, (size, stride) in enumerate(zip(sizes, strides, strict=True), start=1):
        pad = [(0, 0)] * x.ndim
        pad[axis] = (size // 2, size // 2)
        x = jnp.pad(x, pad) if size > 1 else x
        count = (x.shape[axis] - size) // stride + 1
        stop = (count - 1) * stride + 1
        shifted = [
            jax.lax.slice_in_dim(x, tap, tap + stop, stride, axis=axis) for tap in range(size)
        ]
        x = jnp.concatenate(shifted, axis=-1) if size > 1 else shifted[0]
    # Channels are now (last axis's tap, ..., first axis's tap, channel).
    dims = len(strides)
    order = (*reversed(range(dims)), dims, dims + 1)
    kernel = jnp.transpose(jnp.asarray(kernel), order)
    return x @ jnp.reshape(kernel, (-1, kernel.shape[-1]))


def _shifted_sum(x, kernel, strides):
    """A kernel over time and space: every frame by each of its slices, added up over time."""
    taps, *_, filters = kernel.shape
    slices = jnp.moveaxis(jnp.asarray(kernel), 0, -2)  # (kh, kw, C, taps, filters)
    slices = jnp.reshape(slices, (1, *slices.shape[:3], taps * filters))
    parts = convolution_as_product(x, slices, (1, *strides[1:]))
    parts = jnp.reshape(parts, (*parts.shape[:-1], taps, filters))
    frames, half = x.shape[1], taps // 2
    parts = jnp.pad(parts, ((0, 0), (half, half), *[(0, 0)] * 4))
    return sum(parts[:, tap : tap + frames, ..., tap, :] for tap in range(taps))


def batches(values: list, most: int) -> Iterator[list]:
    """Parts of a list, as few as can be and alike in size: a size is a program to compile."""
    parts = -(-len(values) // most)
    rest = iter(values)
    while part := list(itertools.islice(rest, -(-len(values) // parts))):
        yield part
