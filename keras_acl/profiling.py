"""Parameters and multiply-adds; the code is in `keras_acl.speed`."""

from keras_acl.speed.architectures import ArchitectureCost, architecture_costs
from keras_acl.speed.cost import LayerCost, count_multiply_adds, count_parameters, layer_costs

__all__ = [
    "ArchitectureCost",
    "LayerCost",
    "architecture_costs",
    "count_multiply_adds",
    "count_parameters",
    "layer_costs",
]
