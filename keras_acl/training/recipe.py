"""A recipe: everything `compile` and `fit` need, flat and typed."""

import dataclasses
import importlib.util
from pathlib import Path

import keras

from keras_acl.engines.class_names import (
    check_label_kind,
    check_same_classes,
    names_of,
    several_labels,
)
from keras_acl.models import SlowFastClassifier
from keras_acl.models.supervised_streams import SupervisedStreams, check_supervision
from keras_acl.system.distribution import is_first, process, replicas
from keras_acl.training.checkpoint import ResumableCheckpoint
from keras_acl.training.consistency_loss import ConsistencyLoss
from keras_acl.training.fine_tuning import (
    FREEZABLE,
    balanced_weights,
    check_balance,
    freeze_streams,
)
from keras_acl.training.gradient_norm import GradientNorm
from keras_acl.training.history import HistoryFile
from keras_acl.training.losses import (
    Crossentropy,
    MeanCrossentropy,
    TopAccuracy,
    monitored_metric,
)
from keras_acl.training.optimizers import CoupledSGD, WarmupCosine
from keras_acl.training.precise_batch_norm import PreciseBatchNorm
from keras_acl.training.stop_at_nan import StopAtNaN

REFERENCE_BATCH = 64  # the batch that learning rates are quoted for
HEAD = "(^|/)classifier/"  # in the paths of the dense layer's variables


@dataclasses.dataclass(frozen=True)
class Recipe:
    """How to train: `kinetics400()` and `finetune()` fill it in, `dataclasses.replace` changes it.

    Args:
        epochs: Length of the training; the cosine ends there.
        learning_rate: Peak, for 64 clips per batch; scaled linearly with the batch size.
        warmup_epochs: Length of the linear warm-up.
        warmup_start: Learning rate of the first step, for 64 clips.
        momentum: Nesterov momentum.
        weight_decay: Coupled L2 on convolution and dense weights and the dense bias, none on
            batch normalisation.
        consistency_weight: λ; `None` for the model's own. Ignored by models without the term.
        consistency_warmup_epochs: Epochs over which λ grows from 0.
        stream_supervision: Weight of each stream's own classification loss; `None` for the
            model's own. Ignored by models without two streams.
        precise_batches: Batches for the running statistics before each validation; 0 for none.
        batch_norm_clips: Clips that share batch statistics, where the batch size is known when the
            graph is built: JAX and torch. TensorFlow knows it for arrays only; there the batch of
            one replica is one group, so give each replica this many clips.
        label_smoothing: Off in the published recipes.
        freeze: What is not trained: `"streams"` (all but the dense layer), `"spatial"`,
            `"temporal"` or `"none"`; `None` leaves every layer's `trainable` as it is. Batch
            normalisation of what is frozen keeps its running statistics.
        head_rate: How many times faster the dense layer learns than the streams, which learn at
            the learning rate divided by this.
        balance: Whether the loss weighs the clips of each class so that all classes weigh the
            same: by n / (L · n_c), n_c of n training videos being of the class. In validation,
            too.
        ema: Momentum of the moving average of the weights over steps, as Keras' `ema_momentum`:
            validation and the trained model use that average. `None` for none. It takes the place
            of averaging the weights of the last epochs.
        patience: Epochs without a better validation accuracy (of a multi-label model, mean average
            precision) after which training stops; `None` trains them all.
        restart: Epochs trained already when the schedule begins, in a run that is extended.
        seed: Seed of dropout; the data set has its own.
    """

    epochs: int
    learning_rate: float
    warmup_epochs: float = 0
    warmup_start: float = 0.01
    momentum: float = 0.9
    weight_decay: float = 1e-4
    consistency_weight: float | None = None
    consistency_warmup_epochs: int = 0
    stream_supervision: float | None = None
    precise_batches: int = 0
    batch_norm_clips: int | None = None
    label_smoothing: float = 0.0
    freeze: str | None = None
    head_rate: float = 1.0
    balance: bool = False
    ema: float | None = None
    patience: int | None = None
    restart: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        # NaN is not above 0 either.
        if self.epochs < 1 or not (self.learning_rate > 0 and self.head_rate > 0):
            raise ValueError(
                "Expected epochs >= 1, learning_rate > 0 and head_rate > 0. Received: "
                f"epochs={self.epochs}, learning_rate={self.learning_rate}, "
                f"head_rate={self.head_rate}"
            )
        if self.ema is not None and not 0 < self.ema < 1:
            raise ValueError(f"Expected 0 < ema < 1, such as 0.99. Received: ema={self.ema}")
        if self.patience is not None and self.patience < 1:
            raise ValueError(f"Expected patience >= 1. Received: patience={self.patience}")
        check_supervision(self.stream_supervision or 0.0)
        if self.freeze not in (None, *FREEZABLE):
            raise ValueError(
                f"Expected freeze to be one of {', '.join(FREEZABLE)}. Received: {self.freeze}"
            )

    def schedule(self, steps_per_epoch: int, batch_size: int) -> WarmupCosine:
        """Learning rate of every step, scaled to the batch."""
        factor = batch_size / REFERENCE_BATCH
        # Short runs of a long recipe warm up for their first half at most.
        epochs = self.epochs - self.restart
        warmup = min(self.warmup_epochs, epochs / 2)
        return WarmupCosine(
            peak=self.learning_rate * factor,
            total_steps=epochs * steps_per_epoch,
            warmup_steps=round(warmup * steps_per_epoch),
            warmup_start=self.warmup_start * factor,
            first_step=self.restart * steps_per_epoch,
        )

    def compile(
        self,
        model: keras.Model,
        data=None,
        run_folder=None,
        *,
        gradient_accumulation_steps: int = 1,
        rematerialize: bool = False,
    ) -> list:
        """Compile the model and return the callbacks for `fit`.

        Args:
            model: A classifier of this package.
            data: The training data: something with `len` (batches per epoch) and `batch_size`, as
                a `VideoDataset`. Without it the learning rate is constant, the peak for 8 clips.
            run_folder: Where checkpoints, `history.csv` and, if it is installed, TensorBoard logs
                go; without it nothing is written.
            gradient_accumulation_steps: Batches whose gradients are averaged before a step, for
                larger batches than the memory holds; the learning rate is scaled to all their
                clips. Batch statistics stay those of each batch.
            rematerialize: Compute the inside of every block twice instead of keeping it: less
                memory for more time. Not for `SlowFastClassifier`.

        Returns:
            Callbacks, in the order in which they must run.

        Raises:
            ValueError: If the data have other classes than the model, in another order, or another
                number of labels a video, or the model cannot be rematerialised or has no such
                stream to freeze, or there are no batches to accumulate, no labels to balance, or
                batches that several devices cannot share evenly.

        Example:
            >>> recipe = keras_acl.recipes.finetune(epochs=10)
            >>> callbacks = recipe.compile(model, train, run_folder="runs/first")
            >>> model.fit(train, validation_data=test, epochs=recipe.epochs, callbacks=callbacks)
        """
        check_same_classes(names_of(data), model.labels, model.num_classes)
        check_label_kind(several_labels(data), model.multi_label)
        if gradient_accumulation_steps < 1:
            raise ValueError(
                "Expected gradient_accumulation_steps >= 1. "
                f"Received: {gradient_accumulation_steps}"
            )
        if rematerialize and isinstance(model, SlowFastClassifier):
            raise ValueError(
                f"A {type(model).__name__} cannot be rematerialised: its pathways are one graph. "
                "Leave rematerialize out, or use a smaller batch and gradient_accumulation_steps."
            )
        check_replicas(model, data)
        self._set_up(model)
        model.rematerialize = rematerialize
        model.compile(
            optimizer=self._optimizer(data, gradient_accumulation_steps),
            loss=self._loss(model, data),
            metrics=self._metrics(model),
        )
        # Or else TensorFlow traces the first step twice, which takes longer than the step itself.
        model.optimizer.build(model.trainable_variables)
        return self._callbacks(model, data, run_folder)

    def _set_up(self, model) -> None:
        """What the model itself computes otherwise in training."""
        freeze_streams(model, self.freeze)
        model.clips_per_group = self.batch_norm_clips
        if self.stream_supervision is not None and isinstance(model, SupervisedStreams):
            model.stream_supervision = self.stream_supervision

    def _optimizer(self, data, accumulated: int) -> CoupledSGD:
        rate = (
            self.learning_rate * 8 * accumulated / REFERENCE_BATCH
            if data is None
            else self.schedule(len(data), clips_per_batch(data) * accumulated)
        )
        ema = self.ema or 0.0
        return CoupledSGD(
            rate,
            momentum=self.momentum,
            coupled_weight_decay=self.weight_decay,
            rate_factors=None if self.head_rate == 1 else {HEAD: 1.0, "": 1 / self.head_rate},
            gradient_accumulation_steps=accumulated if accumulated > 1 else None,
            use_ema=self.ema is not None,
            ema_momentum=ema ** (1 / accumulated),  # Keras averages after every batch
        )

    def _loss(self, model, data) -> keras.losses.Loss:
        check_balance(self.balance, model.multi_label)
        if model.multi_label:
            return keras.losses.BinaryCrossentropy(
                from_logits=True, label_smoothing=self.label_smoothing
            )
        weights = balanced_weights(data, model.num_classes) if self.balance else None
        return Crossentropy(self.label_smoothing, weights)

    def _metrics(self, model) -> list:
        return classification_metrics(model.num_classes, self.label_smoothing, model.multi_label)

    def _callbacks(self, model, data, run_folder) -> list:
        metric = monitored_metric(model.num_classes, model.multi_label)
        callbacks: list = [StopAtNaN()]
        if hasattr(model, "consistency_weight"):
            weight = self.consistency_weight
            weight = model.initial_consistency_weight if weight is None else weight
            callbacks.append(ConsistencyLoss(weight, self.consistency_warmup_epochs))
        if self.ema is not None:
            callbacks.append(keras.callbacks.SwapEMAWeights())
        if self.precise_batches and data is not None:
            callbacks.append(PreciseBatchNorm(data, self.precise_batches))
        callbacks.append(GradientNorm())
        if run_folder is not None:
            folder = Path(run_folder)
            folder.mkdir(parents=True, exist_ok=True)
            if is_first():
                callbacks.append(HistoryFile(folder / "history.csv"))
            # Without it the callback fails in mid-training.
            if is_first() and importlib.util.find_spec("tensorboard"):
                logs = str(folder / "tensorboard")
                callbacks.append(keras.callbacks.TensorBoard(logs, write_graph=False))
            # Last: a state that exists has its line in the log.
            about = {
                "seed": self.seed,
                "monitor": f"val_{metric.name}",
                "patience": self.patience,
                "restart": self.restart,
            }
            callbacks.append(ResumableCheckpoint(folder / "checkpoint", data, **about))
        elif self.patience is not None:
            callbacks.append(
                keras.callbacks.EarlyStopping(
                    f"val_{metric.name}", mode="max", patience=self.patience
                )
            )
        return callbacks


def clips_per_batch(data) -> int:
    """Clips of a batch of all processes that train together."""
    return getattr(data, "local_batch_size", data.batch_size) * process()[1]


def check_replicas(model, data) -> None:
    """Refuse batches that replicas cannot share evenly: Keras would weigh their clips unequally."""
    count = replicas(model) // process()[1]
    batch_size = getattr(data, "local_batch_size", getattr(data, "batch_size", None))
    size = getattr(data, "pass_size", None)
    if count == 1 or not batch_size or not size:
        return
    if batch_size % count or size % batch_size:
        raise ValueError(
            f"{count} replicas need batches of one size, a multiple of {count}. Received: "
            f"batch_size={batch_size} for {size} clips. Use such a batch size and "
            "LoadingOptions(drop_remainder=True), or one device."
        )


def classification_metrics(
    num_classes: int, label_smoothing: float = 0.0, multi_label: bool = False
) -> list:
    """Top-1 as `accuracy`, top-5 where there are more than five classes, and `crossentropy`.

    Of a multi-label model `mean_average_precision` and the binary `crossentropy`.
    """
    if multi_label:
        binary = keras.metrics.BinaryCrossentropy(
            name="crossentropy", from_logits=True, label_smoothing=label_smoothing
        )
        return [monitored_metric(num_classes, multi_label), binary]
    top5 = [TopAccuracy(5, name="top5")] if num_classes > 5 else []
    return [TopAccuracy(1), *top5, MeanCrossentropy(label_smoothing)]
