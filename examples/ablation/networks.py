"""The networks that the ablation compares, small enough for a CPU.

`network` builds a variant as a user of the package would. Variants that differ in the terms of the
loss alone are one program for `side_by_side`: `network_of_terms` has the weight of every term as a
variable, and `TERMS` says what each variant makes of them. A test holds that both compute the same.
"""

from keras_acl import ClipSpec
from keras_acl.layers import AttentionConsistency
from keras_acl.models import SlowClassifier, SlowFastClassifier, TwoStreamClassifier

import keras
from keras import ops
from plan import Budget

SUPERVISION = 0.5  # weight of each stream's own loss
# Scales of SCAM, other than 1.0 alone.
SCALES = {"slow_scam_same": (1.0, 1.0), "slow_scam_near": (1.0, 0.75)}
CONSISTENCY = {
    "ac_mean": {"temporal": "mean"},
    "ac_random": {"temporal": "random", "seed": 0},
    "ac_literal": {"normalize": None, "classes": "all"},
    "ac_literal_mean": {"normalize": None, "classes": "all", "temporal": "mean"},
    "ac_l2": {"normalize": "l2"},
    "ac_stop": {"stop_gradient": "spatial"},
    "ac_stop_temporal": {"stop_gradient": "temporal"},
}
# By variant: the weights of its terms. "consistency" 0 leaves λ out.
TERMS = {
    "fusion": {},
    "fusion_sup": {"supervision": SUPERVISION},
    "no_fusion": {"consistency": 0},
    "ac": {},
    "ac_stop": {"hold_spatial": 1},
    "ac_stop_temporal": {"hold_temporal": 1},
    "placebo": {"placebo": 1},
    "sup": {"consistency": 0, "supervision": SUPERVISION},
    "sup_ac": {"supervision": SUPERVISION},
    "sup_placebo": {"supervision": SUPERVISION, "placebo": 1},
    "sup_distill": {"consistency": 0, "supervision": SUPERVISION, "distillation": SUPERVISION},
    "ac_scam": {},
    "sup_ac_scam": {"supervision": SUPERVISION},
    "sup_w01": {"consistency": 0, "supervision": 0.1},
    "sup_w025": {"consistency": 0, "supervision": 0.25},
    "sup_w1": {"consistency": 0, "supervision": 1},
    "sup_w2": {"consistency": 0, "supervision": 2},
    "sup_dropped": {"consistency": 0, "supervision": SUPERVISION, "dropped": 1},
    "sup_sharp": {"consistency": 0, "supervision": SUPERVISION, "sharp": 1},
}


def program_of(variant: str) -> str:
    """The variant whose program computes this one."""
    if variant not in TERMS:
        return variant
    if variant.startswith("fusion"):
        return "fusion"
    return "ac_scam" if "scam" in variant else "ac"


def network_of_terms(program: str, labels, budget: Budget) -> keras.Model:
    """The network of a program, whose terms are yet to be weighed."""
    if program not in TERMS:
        return network(program, labels, budget)
    common = options(labels, budget) | {"channel_ratio": budget.channel_ratio}
    if program == "fusion":
        return FusionOfTerms(len(labels), **common)
    scales = (1.0, 0.5) if program == "ac_scam" else (1.0,)
    return StreamsOfTerms(len(labels), scales=scales, **common)


def network(variant: str, labels, budget: Budget, weight: float = 1.5) -> keras.Model:
    """The network of a variant; `weight` is λ."""
    count, common = len(labels), options(labels, budget)
    if {"distillation", "dropped", "sharp"} & {*TERMS.get(variant, ())}:
        raise ValueError(f"{variant} is a program only: the package has no such term.")
    if variant.startswith("slow"):
        scales = SCALES.get(variant, (1.0, 0.5) if "scam" in variant else (1.0,))
        return SlowClassifier(count, scales=scales, **common)
    common["channel_ratio"] = budget.channel_ratio
    terms = TERMS.get(variant, {})
    common["stream_supervision"] = terms.get("supervision", 0.0)
    if variant.startswith("fusion"):
        return SlowFastClassifier(count, **common)
    layer = Placebo if "placebo" in terms else AttentionConsistency
    return TwoStreamClassifier(
        count,
        scales=(1.0, 0.5) if "scam" in variant else (1.0,),
        consistency_weight=weight if terms.get("consistency", 1) else None,
        consistency=layer(**CONSISTENCY.get(variant, {})),
        **common,
    )


def options(labels, budget: Budget) -> dict:
    """What all networks are built with."""
    return {
        "clip": ClipSpec(frames=budget.frames, span=max(budget.frames, 32), size=budget.size),
        "labels": labels,
        "depth": 11,
        "width": 16,
        "form": "2d",  # the faster one for few channels
        "speed_ratio": budget.speed_ratio,
        "dropout": budget.dropout,
    }


@keras.saving.register_keras_serializable(package="ablation")
class Placebo(AttentionConsistency):
    """The term with each clip's temporal map beside another clip's spatial map.

    What it gains, too, is not agreement about a place.
    """

    def call(self, inputs):
        """Compare with the map of the clip before in the batch."""
        S, features, kernel = inputs
        return super().call((ops.roll(S, 1, axis=0), features, kernel))


class WeighedTerms:
    """A classifier of two streams with the weights of its terms as variables."""

    names = ("supervision",)

    def build(self, input_shape):
        """Create the weights, all 0."""
        self.terms = {name: self.add_term(name) for name in self.names}
        super().build(input_shape)

    def add_term(self, name: str):
        """A variable of this name."""
        return self.add_weight(
            name=name, shape=(), initializer="zeros", trainable=False, autocast=False
        )

    @property
    def stream_supervision(self):
        """Weight of each stream's own loss."""
        return self.terms["supervision"]

    @stream_supervision.setter
    def stream_supervision(self, value):
        """Nothing: a run sets the variable."""

    @property
    def metrics(self) -> list:
        """Those of every Keras model: whether streams are supervised is not known here."""
        return keras.Model.metrics.fget(self)

    def shows_streams(self, training) -> bool:
        """Always in training."""
        return bool(training)


class FusionOfTerms(WeighedTerms, SlowFastClassifier):
    """The baseline with lateral fusion."""


class StreamsOfTerms(WeighedTerms, TwoStreamClassifier):
    """The network without fusion: the term, its placebo, supervised streams and ways of these."""

    names = (
        "supervision",
        "placebo",
        "hold_spatial",
        "hold_temporal",
        "distillation",
        "dropped",
        "sharp",
    )

    def __init__(self, num_classes: int, **kwargs):
        super().__init__(num_classes, consistency=ConsistencyOfTerms(), **kwargs)
        self.consistency.terms = self.terms

    def logits_alone(self, pooled, spatial_map=None):
        """With features dropped out, or doubled logits, where a run asks for that."""
        plain = super().logits_alone(pooled, spatial_map)
        if spatial_map is None:  # inference
            return plain
        dropped = super().logits_alone(self.dropout(pooled, training=True))
        drops, sharp = self.terms["dropped"] > 0, self.terms["sharp"]
        logits = {name: ops.where(drops, dropped[name], plain[name]) for name in plain}
        bias = self.classifier.bias
        return {name: value + sharp * (value - bias) for name, value in logits.items()}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Let each stream learn from the other's softmax as well (Zhang et al., CVPR 2018)."""
        loss = super().compute_loss(x, y, y_pred, sample_weight, training)
        if not training:
            return loss
        for learner, teacher in (("spatial", "temporal"), ("temporal", "spatial")):
            told = ops.stop_gradient(ops.softmax(y_pred[f"{teacher}_logits"]))
            # Cross-entropy with the teacher: its divergence and a constant.
            soft = ops.categorical_crossentropy(told, y_pred[f"{learner}_logits"], from_logits=True)
            loss = loss + self.terms["distillation"] * ops.mean(soft)
        return loss


class ConsistencyOfTerms(AttentionConsistency):
    """The term with its placebo, and with one stream held, where a run asks for that."""

    def call(self, inputs):
        """Replace the spatial map by another clip's, or stop a gradient."""
        S, features, kernel = inputs
        terms = self.terms
        S = ops.where(terms["placebo"] > 0, ops.roll(S, 1, axis=0), S)
        S = ops.where(terms["hold_spatial"] > 0, ops.stop_gradient(S), S)
        held = terms["hold_temporal"] > 0
        features = ops.where(held, ops.stop_gradient(features), features)
        kernel = ops.where(held, ops.stop_gradient(ops.convert_to_tensor(kernel)), kernel)
        return super().call((S, features, kernel))
