"""TensorFlow-Slim checkpoints: the variables of a network under our names, in PyTorch's layout."""

from collections.abc import Callable, Mapping

from torch import Tensor

_LEAVES = {
    "weights": "weight",
    "biases": "bias",
    "gamma": "weight",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def from_slim(
    state: Mapping[str, Tensor], place: Callable[[str], tuple[str, str]]
) -> dict[str, Tensor]:
    """Tensors by our names; a variable that has no place keeps its own.

    Args:
        state: Variables by their names, ``scope/weights``, ``scope/BatchNorm/gamma``, …
        place: Our names of the convolution and of the normalisation of a scope; "" for none.
    """
    ours = {}
    for key, value in state.items():
        scope, _, leaf = key.rpartition("/")
        conv, norm = place(scope.removesuffix("/BatchNorm"))
        name = norm if scope.endswith("/BatchNorm") else conv
        value = value.permute(3, 2, 0, 1) if value.ndim == 4 else value
        ours[f"{name}.{_LEAVES[leaf]}" if name and leaf in _LEAVES else key] = value
    return ours


def resnet_place(scope: str) -> tuple[str, str]:
    """Our names of a scope of ``resnet_v1_…``, a ``trunk``."""
    match scope.split("/"):
        case [net, "conv1"] if net.startswith("resnet_v1"):
            return "trunk.conv1", "trunk.bn1"
        case [net, block, unit, "bottleneck_v1", part] if net.startswith("resnet_v1"):
            return bottleneck_place(f"trunk.layer{block[-1]}.{int(unit[5:]) - 1}", part)
    return "", ""


def bottleneck_place(block: str, part: str) -> tuple[str, str]:
    """Our names of one part, ``conv1`` … ``conv3`` or ``shortcut``, of a bottleneck."""
    if part == "shortcut":
        return f"{block}.downsample.0", f"{block}.downsample.1"
    return f"{block}.{part}", f"{block}.bn{part[-1]}"
