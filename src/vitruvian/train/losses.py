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


def associative(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Tags alike within people and apart between them, mean over the batch.

    Newell et al. 2017, Eq. 1, as HigherHRNet computes it: the variance of the tags of each person's
    keypoints, mean over people, plus half of exp(-d^2) of the people's mean tags, mean over pairs.

    Args:
        output: B K h w tags.
        target: Whose keypoint is at a cell, see :class:`~vitruvian.codecs.tags.Tags`.
        weight: Cells with 0 are left out.
    """
    whose = (target * (weight > 0)).flatten(1).long()
    whose = torch.stack([whose % 128, whose // 128 % 128, whose // 128**2])
    images, most = len(output), int(whose.max())
    if not most:
        return output.sum() * 0
    digit, rows, cells = whose.nonzero(as_tuple=True)
    tags, person = output.flatten(1)[rows, cells], whose[digit, rows, cells] - 1
    slot = rows * most + person
    total, count = tags.new_zeros(2, images * most).unbind()
    count = count.index_add(0, slot, torch.ones_like(tags))
    mean = total.index_add(0, slot, tags) / count.clamp(min=1)
    spread = torch.zeros_like(count).index_add(0, slot, (tags - mean[slot]).square())
    people = (count > 0).view(images, most)
    number = people.sum(dim=1)
    pull = (spread / count.clamp(min=1)).view(images, most).sum(dim=1) / number.clamp(min=1)
    mean = mean.view(images, most)
    alike = (-(mean[:, :, None] - mean[:, None]).square()).exp()
    both = people[:, :, None] & people[:, None]
    pairs = number * (number - 1)
    push = 0.5 * ((alike * both).sum(dim=(1, 2)) - number) / pairs.clamp(min=1)
    return (pull + push).mean()


def coordinates_l2(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Squared distance of coordinates B K 2 1, mean over labelled keypoints (DeepPose)."""
    return ((output - target).square() * weight).sum() / weight.sum().clamp(min=1)


def disk_logistic(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Logistic loss per pixel and keypoint (Papandreou et al. 2017), weighted mean."""
    loss = F.binary_cross_entropy_with_logits(output, target, reduction="none") * weight
    return loss.sum() / (weight.expand_as(loss)).sum().clamp(min=1)


def paf_l2(output: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Half the squared error, sum over cells and channels, mean over the batch (OpenPose)."""
    return 0.5 * ((output - target) * weight).square().sum() / len(output)


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


def focal_l2(
    output: Tensor,
    target: Tensor,
    weight: Tensor,
    *,
    alpha: float = 0.0,
    beta: float = 0.0,
    gamma: float = 1.0,
    floor: float = 0.01,
) -> Tensor:
    """Squared error that counts less where it is small, sum per sample (Li et al. 2020, Eq. 4-6).

    A coarser output is compared with the target's mean over its cells. The factor of a cell is
    ``|1 - s|^gamma``; where the target is at least ``floor``, s is the output less ``alpha``,
    elsewhere 1 less the output less ``beta``. The paper has 0.1, 0.02 and 2, the authors' program
    the values that are set here.
    """
    size = output.shape[-2:]
    if target.shape[-2:] != size:
        weight = weight.expand(-1, -1, *target.shape[-2:])
        weight = F.interpolate(weight, size=size, mode="bilinear")
        weight = weight * (weight >= 0.5)
        target = F.adaptive_avg_pool2d(target, size)
    sure = torch.where(target >= floor, output - alpha, 1 - output - beta)
    loss = (output - target).square() * (1 - sure).abs().pow(gamma) * weight
    return loss.sum() / len(output)


def pifpaf_cif(output: Tensor, target: Tensor, weight: Tensor, *, spread: float = 10.0) -> Tensor:
    """Confidence, place and scale of keypoints, sum over cells, mean over the batch (PifPaf).

    Channels per keypoint, of the target too: log spread (target: least spread), confidence, x, y,
    scale; see :class:`~vitruvian.codecs.composite.Composite`. Kreiss et al. 2021, Sec. III, as
    openpifpaf 0.13 computes it.

    Args:
        output: B 5K h w.
        target: B 5K h w.
        weight: B 5K h w; a scale without weight is unknown, and the predicted one measures places.
        spread: Scales that differ by this share of the true one cost 1; the authors' command has
            10, their default is 1.
    """
    return _composite(output, target, weight, 1, spread)


def pifpaf_caf(output: Tensor, target: Tensor, weight: Tensor, *, spread: float = 10.0) -> Tensor:
    """The same of limbs: log spread, confidence, x, y, x, y of both ends, their scales."""
    return _composite(output, target, weight, 2, spread)


def _composite(output: Tensor, target: Tensor, weight: Tensor, ends: int, spread: float) -> Tensor:
    """Sum of the three terms of :func:`pifpaf_cif` for cells that point at one end or at two."""
    channels = 2 + 3 * ends
    output, target, weight = (
        x.unflatten(1, (-1, channels)).transpose(1, 2) for x in (output, target, weight)
    )
    log_spread = 3 * (output[:, 0] / 3).tanh()
    loss = (_confidence(output[:, 1], target[:, 1], log_spread) * weight[:, 1]).sum()
    width = 0.5 * log_spread + 0.69314  # log 2
    for end in range(ends):
        place, size = slice(2 + 2 * end, 4 + 2 * end), 2 + 2 * ends + end
        scale, known = F.softplus(output[:, size]), weight[:, size]
        gap = (output[:, place] - target[:, place]).square().sum(dim=1) + target[:, 0].square()
        there = weight[:, place].amin(dim=1) > 0
        gap = torch.where(there, gap, torch.ones_like(gap)).sqrt()
        unit = 0.5 * torch.where(known > 0, target[:, size], scale)
        laplace = _soft_clamp(gap / unit) * (-width).exp() + width
        loss = loss + (laplace * there).sum()
        gap = (scale - target[:, size]).abs() / (spread * (0.1 + target[:, size]))
        gap = _soft_clamp(gap)
        loss = loss + (F.smooth_l1_loss(gap, torch.zeros_like(gap), reduction="none") * known).sum()
    return loss / len(output)


def _confidence(logit: Tensor, target: Tensor, log_spread: Tensor) -> Tensor:
    """Focal cross-entropy (alpha 0.5, gamma 1) as a step towards a better logit.

    Cells of people may state a spread, which makes them count less and costs as much.
    """
    sign = torch.where(target > 0, 1.0, -1.0)
    right = F.logsigmoid(sign * logit).detach()
    wrong = 1 - right.exp()
    step = sign * wrong * 0.5 * (wrong - right.exp() * right)
    loss = F.smooth_l1_loss(logit, (logit + step).detach(), reduction="none")
    loss = loss.where((target > 0) | (logit >= -15), torch.zeros_like(loss))
    loss = _soft_clamp(loss)
    return torch.where(target > 0, 0.5 * loss * (-log_spread).exp() + 0.5 * log_spread, loss)


def _soft_clamp(loss: Tensor, limit: float = 5.0) -> Tensor:
    """Beyond the limit only the logarithm grows."""
    return torch.where(loss > limit, limit + (loss - limit).clamp(min=0).log1p(), loss)


def offset_l1(output: Tensor, target: Tensor, weight: Tensor, *, radius: float = 32.0) -> Tensor:
    """Distance on each axis over the disk's radius, mean over weighted entries (PersonLab)."""
    loss = (output - target).abs() / radius * weight
    return loss.sum() / weight.expand_as(loss).sum().clamp(min=1)
