"""Heads taught on frozen features, and how good the poses are that they find."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from features import Views
from torch import Tensor, nn

from vitruvian.metrics.oks_fraction import above_thresholds, oks_of_pairs
from vitruvian.systems.spec import System
from vitruvian.train.feed import Batch
from vitruvian.train.loop import build, total_loss
from vitruvian.train.optim import Average, clip_gradients, learning_rate, make_optimizer, set_rate


class Given(nn.Module):
    """Stands in for the features' network: gives what was computed before."""

    def forward(self, x: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Features, features."""
        return x


@dataclass(frozen=True, slots=True, kw_only=True)
class Taught:
    """A head and how it came about.

    Attributes:
        net: The network; its ``trunk`` is :class:`Given`.
        losses: Mean training loss of each epoch.
        seconds: Processor time.
    """

    net: nn.Module
    losses: list[float]
    seconds: float


def teach(
    system: System,
    views: Views,
    *,
    rows: np.ndarray | None = None,
    prepare: Callable[[nn.Module], None] = lambda _: None,
) -> Taught:
    """Train the head of a system by its recipe, on views that do not change from epoch to epoch.

    Args:
        system: Its network has a ``trunk`` of ``nets/small.py``.
        views: What to learn from.
        rows: Only these of them; an epoch is still ``samples_per_epoch`` draws, or all rows.
        prepare: Called with the network before training.
    """
    began, recipe = time.process_time(), system.recipe
    net = _headed(system)
    prepare(net)
    optimizer, average = make_optimizer(net, recipe), Average(net, recipe.ema)
    rows = np.arange(len(views)) if rows is None else rows
    steps = max(1, len(rows) // recipe.batch)
    losses: list[float] = []
    for epoch in range(recipe.epochs):
        order, total = np.random.default_rng([recipe.seed, epoch]).permutation(rows), 0.0
        for step in range(steps):
            batch = order[step * recipe.batch : (step + 1) * recipe.batch]
            set_rate(optimizer, learning_rate(recipe, epoch * steps + step, steps))
            loss, _ = total_loss(
                net(_features(views, batch)), _targets(system, views, batch), recipe
            )
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            clip_gradients(net.parameters(), recipe.clip_norm)
            optimizer.step()
            average.update(net)
            total += float(loss.detach())
        losses.append(total / steps)
    net.load_state_dict(average.values)
    return Taught(net=net.eval(), losses=losses, seconds=time.process_time() - began)


def _headed(system: System) -> nn.Module:
    net = build(system)
    net.trunk = Given()
    return net.train().to(memory_format=torch.channels_last)


def _features(views: Views, rows: np.ndarray) -> tuple[Tensor, Tensor]:
    fine, deep = (torch.from_numpy(x[rows].astype(np.float32)) for x in (views.fine, views.deep))
    return tuple(x.to(memory_format=torch.channels_last) for x in (fine, deep))


def _targets(system: System, views: Views, rows: np.ndarray) -> Batch:
    size = system.input.size
    found = [system.codec.encode(views.xy[i], views.visible[i], size) for i in rows]
    return Batch(
        images=np.zeros(0),
        values={n: np.stack([t[n].value for t in found]) for n in found[0]},
        weights={n: np.stack([t[n].weight for t in found]) for n in found[0]},
        rows=rows,
    )


@torch.inference_mode()
def answers(net: nn.Module, views: Views, *, stage: int = -1) -> dict[str, np.ndarray]:
    """Outputs of one stage for all views, by field name."""
    found: list[dict[str, Tensor]] = []
    for start in range(0, len(views), 32):
        rows = np.arange(start, min(start + 32, len(views)))
        found.append(net.eval()(_features(views, rows))[stage])
    return {name: torch.cat([f[name] for f in found]).numpy() for name in found[0]}


def similarity(system: System, fields: dict[str, np.ndarray], views: Views) -> np.ndarray:
    """N: OKS of the decoded poses with the labels; NaN for nobody labelled."""
    found = system.codec.decode(fields, system.input.size)
    truth = np.where(views.visible[..., None] > 0, views.xy, np.nan)
    return oks_of_pairs(found.xy, truth, views.area, system.skeleton.oks_sigmas)


def passed(oks: np.ndarray) -> np.ndarray:
    """N 2: thresholds .50:.05:.95 that each person's OKS exceeds, and how many there are."""
    counted = np.where(np.isnan(oks), 0, 10)
    return np.stack([above_thresholds(np.nan_to_num(oks)).sum(1), counted], 1)
