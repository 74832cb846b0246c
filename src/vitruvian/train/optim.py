"""Optimisers, learning-rate schedules and the average of the weights."""

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn

from vitruvian.systems.spec import Recipe


def make_optimizer(net: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser; AdamW decays matrices and kernels, never gains and biases."""
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(_adamw_groups(net, recipe), lr=recipe.lr, fused=True)
    parameters = [p for p in net.parameters() if p.requires_grad]
    if recipe.optimizer == "sgd":
        return torch.optim.SGD(
            parameters, lr=recipe.lr, momentum=recipe.momentum, weight_decay=recipe.weight_decay
        )
    kind = {"adam": torch.optim.Adam, "rmsprop": torch.optim.RMSprop}[recipe.optimizer]
    return kind(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay)


def _adamw_groups(net: nn.Module, recipe: Recipe) -> list[dict]:
    """Those that decay before those that do not; a group's rate is ``scale`` times the rate."""
    found: dict[tuple[bool, float], list[Tensor]] = {}
    for name, parameter in net.named_parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and not name.endswith("pos_embed")
            above = net.layers_above(name) if recipe.layer_decay != 1 else 0
            key = (decays, recipe.layer_decay**above)
            found.setdefault(key, []).append(parameter)
    return [
        {"params": found[key], "weight_decay": recipe.weight_decay * key[0], "scale": key[1]}
        for key in sorted(found, reverse=True)
    ]


def learning_rate(recipe: Recipe, step: int, steps_per_epoch: int) -> float:
    """Rate of optimiser step ``step``, counted from 0 over all epochs."""
    if step < recipe.warmup:
        return recipe.lr * (step + 1) / recipe.warmup
    if recipe.schedule == "step":
        return recipe.lr * recipe.gamma ** sum(
            step >= m * steps_per_epoch for m in recipe.milestones
        )
    start = max(recipe.warmup, recipe.hold * steps_per_epoch)
    total = max(1, recipe.epochs * steps_per_epoch - start)
    progress = min(1.0, max(0.0, (step - start) / total))
    left = 1 - progress if recipe.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * progress))
    return recipe.lr * (recipe.floor + (1 - recipe.floor) * left)


def set_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Give every group its share of the rate."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group.get("scale", 1.0)


class Average:
    """Exponential moving average of parameters and buffers (Polyak & Juditsky 1992).

    The decay rises as (1 + n) / (10 + n) towards its value, so that early averages are not stuck at
    the initial weights.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.values: dict[str, Tensor] = {
            k: v.detach().clone() for k, v in net.state_dict().items()
        }

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Move towards the present weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        state = net.state_dict()
        floats = [k for k, v in self.values.items() if v.is_floating_point()]
        torch._foreach_lerp_(
            [self.values[k] for k in floats], [state[k] for k in floats], 1 - decay
        )
        for key in self.values.keys() - set(floats):
            self.values[key].copy_(state[key])


def clip_gradients(parameters: Iterable[Tensor], limit: float) -> float:
    """Scale gradients to a norm of at most ``limit`` (0: leave them); the norm before."""
    return float(nn.utils.clip_grad_norm_(parameters, limit or math.inf))
