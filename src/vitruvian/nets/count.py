"""Size of a network: parameters and multiply-adds.

One multiply-add counts once. Convolutions, transposed convolutions (each weight once per *input*
pixel), linear layers and matrix products, attention's among them, are counted; biases,
normalisation, activations, pooling and interpolation are not. Papers differ: the "GFLOPs" of HRNet
and SimpleBaselines are multiply-adds / 2^30, the latter with transposed convolutions counted per
*output* pixel, four times too many at stride 2.
"""

from collections.abc import Callable
from copy import deepcopy

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode


def parameters(net: nn.Module) -> int:
    """Number of trained values; statistics of normalisation are not among them."""
    return sum(parameter.numel() for parameter in net.parameters())


class _Counter(TorchDispatchMode):
    """PyTorch's formulas (2 per multiply-add) without its per-module bookkeeping, 4x faster."""

    def __init__(self) -> None:
        super().__init__()
        self.formulas = FlopCounterMode(display=False).flop_registry
        self.flops = self.answered = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        out = func(*args, **kwargs)
        formula = self.formulas.get(func._overloadpacket)
        if formula is not None:
            self.flops += formula(*args, **kwargs, out_val=out)
            self.answered += out.numel() if isinstance(out, torch.Tensor) else 0
        return out


def macs(net: nn.Module, size: tuple[int, int]) -> int:
    """Multiply-adds for one input of ``size`` (H, W)."""
    return trace(net, size)[0]


def answers(net: nn.Module, size: tuple[int, int]) -> int:
    """Values that all counted operations answer for one input of ``size`` (H, W).

    A training step keeps about as many, and those of normalisation and activations beside them.
    """
    return _traced(net, size)[0].answered


def blank(build: Callable[..., nn.Module], **args: object) -> nn.Module:
    """A network without numbers, which is quick to build."""
    with torch.device("meta"):
        return build(**args)


def trace(net: nn.Module, size: tuple[int, int]) -> tuple[int, list[dict[str, tuple[int, ...]]]]:
    """Multiply-adds, and (C, h, w) of every output of every stage, for one input of ``size``."""
    counter, stages = _traced(net, size)
    shapes = [{name: tuple(x.shape[1:]) for name, x in stage.items()} for stage in stages]
    return counter.flops // 2, shapes


def _traced(
    net: nn.Module, size: tuple[int, int]
) -> tuple[_Counter, list[dict[str, torch.Tensor]]]:
    """Nothing is computed, only shapes; normalisation changes none and is left out."""
    bare = deepcopy(net).to("meta").eval()
    for module in list(bare.modules()):
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    with torch.no_grad(), _Counter() as counter:
        stages = bare(torch.empty(1, 3, *size, device="meta"))
    return counter, stages
