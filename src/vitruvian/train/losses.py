"""Losses by name. ``loss(output, target, weight) -> scalar`` for one field of one stage.

``output`` and ``target`` are B C h w; ``weight`` broadcasts to them, 0 where nothing is known.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def joints_mse(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Half the squared error, mean over pixels, batch and keypoints (Xiao et al. 2018, HRNet)."""
    return 0.5 * F.mse_loss(output * weight, target * weight)


def joints_ohkm(output: Tensor, target: Tensor, weight: Tensor, *, hardest: int = 8) -> Tensor:
    """Squared error of each sample's ``hardest`` keypoints (Chen et al. 2018, CPN)."""
    loss = 0.5 * (output * weight - target * weight).square().mean(dim=(2, 3))
    return loss.topk(min(hardest, loss.shape[1]), dim=1).values.mean()


def spatial_ce(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Divergence of the map's softmax from the target distribution, weighted mean over keypoints.

    Kullback-Leibler rather than cross-entropy: the same gradient, and 0 for the exact answer.
    """
    log_chance = output.flatten(2).log_softmax(dim=2)
    target = target.flatten(2)
    divergence = (torch.special.xlogy(target, target) - target * log_chance).sum(dim=2)
    weight = weight.flatten(1)
    return (divergence * weight).sum() / weight.sum().clamp(min=1)


def integral_ce(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of the map, and distance of its mean from the target's in cells, per axis.

    Means over batch and keypoints, those without weight among them (Moon et al. 2019, PoseFix).
    """
    log_chance, truth = output.flatten(2).log_softmax(dim=2), target.flatten(2)
    entropy = -(truth * log_chance).sum(dim=2) * weight.flatten(1)
    chance = log_chance.exp().view_as(output)
    apart = (_mean_cell(chance) - _mean_cell(target)).abs() * weight.flatten(1)[..., None]
    return entropy.mean() + apart.mean()


def _mean_cell(chance: Tensor) -> Tensor:
    """B C 2: expectation (x, y) of each map, in cells."""
    y, x = (torch.arange(side).to(chance) for side in chance.shape[2:])
    return torch.stack([chance.sum(2) @ x, chance.sum(3) @ y], dim=2)


def disk_logistic(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Logistic loss per pixel and keypoint (Papandreou et al. 2017), weighted mean."""
    loss = F.binary_cross_entropy_with_logits(output, target, reduction="none") * weight
    return loss.sum() / (weight.expand_as(loss)).sum().clamp(min=1)


def huber(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Huber loss with threshold 1, mean over the weighted entries (G-RMI's offsets)."""
    loss = F.huber_loss(output, target, reduction="none") * weight
    return loss.sum() / (weight.expand_as(loss)).sum().clamp(min=1)


def centre_focal(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of logits against Gaussian centres, per centre (Zhou et al. 2019, Eq. 1)."""
    chance = output.sigmoid()
    centre = (target == 1).float()
    positive = F.logsigmoid(output) * (1 - chance).square() * centre
    negative = F.logsigmoid(-output) * chance.square() * (1 - target).pow(4) * (1 - centre)
    return -((positive + negative) * weight).sum() / centre.sum().clamp(min=1)


def box_giou(output: Tensor, target: Tensor, weight: Tensor, *, stride: float = 8.0) -> Tensor:
    """1 - GIoU (Rezatofighi et al. 2019) of boxes given by side distances from a shared cell.

    ``output`` is log(distance / stride), ``target`` the distance in pixels.
    """
    sides = stride * output.clamp(-4, 6).exp()
    area = (sides[:, 0] + sides[:, 2]) * (sides[:, 1] + sides[:, 3])
    truth = (target[:, 0] + target[:, 2]) * (target[:, 1] + target[:, 3])
    small, large = torch.minimum(sides, target), torch.maximum(sides, target)
    overlap = (small[:, 0] + small[:, 2]) * (small[:, 1] + small[:, 3])
    hull = (large[:, 0] + large[:, 2]) * (large[:, 1] + large[:, 3])
    union = (area + truth - overlap).clamp(min=1e-6)
    giou = overlap / union - (hull - union) / hull.clamp(min=1e-6)
    weight = weight[:, 0]
    return ((1 - giou) * weight).sum() / weight.sum().clamp(min=1)


def quality_focal(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Focal loss of logits against soft labels (Li et al. 2020, Eq. 5, beta 2), per unit of label.

    Every cell of a Gaussian teaches, not its peak alone, so short trainings get further than with
    :func:`centre_focal`.
    """
    gap = (target - output.sigmoid()).square()
    loss = F.binary_cross_entropy_with_logits(output, target, reduction="none") * gap
    return (loss * weight).sum() / target.sum().clamp(min=1)


def _bin_divergence(output: Tensor, target: Tensor) -> Tensor:
    """B K bins: target x (log target - log softmax of the output), a bin's share of KL."""
    log_chance = output.flatten(2).log_softmax(dim=2)
    target = target.flatten(2)
    return torch.special.xlogy(target, target) - target * log_chance


def simcc_kl(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Divergence of a classification from its target, mean over bins, batch, keypoints (SimCC)."""
    return (_bin_divergence(output, target).mean(dim=2) * weight.flatten(1)).mean()


def simcc_kl_sum(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """The same as a sum over bins and keypoints, mean over the batch (SimCC's first version)."""
    return (_bin_divergence(output, target).sum(dim=2) * weight.flatten(1)).sum(dim=1).mean()


def rtmpose_kl(output: Tensor, target: Tensor, weight: Tensor, *, beta: float = 10.0) -> Tensor:
    """Divergence of softmax(beta output) from softmax(beta target), mean over bins and keypoints.

    A sum over the batch, as in RTMPose (Jiang et al. 2023): a larger batch has a larger loss.
    """
    target = (beta * target.flatten(2)).softmax(dim=2)
    loss = _bin_divergence(beta * output, target).mean(dim=2) * weight.flatten(1)
    return loss.mean(dim=1).sum()
