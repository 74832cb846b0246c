"""RoIAlign: features of a box at a fixed size (He et al. 2017), from one map or a pyramid.

Levels lie in one tall map, so that boxes of all levels are sampled by one call of fixed shape, with
gradients, on any device and in an exported graph.
"""

import torch
import torch.nn.functional as F
from torch import Tensor


def roi_align(
    levels: list[Tensor],
    boxes: Tensor,
    level: Tensor,
    strides: tuple[int, ...],
    size: int,
    *,
    samples: int = 2,
    aligned: bool = False,
) -> Tensor:
    """Mean of bilinear samples in each of size x size bins of a box: B R C size size.

    A sample up to one cell outside the map reads its border, one farther out is 0.

    Args:
        levels: Maps B C h w.
        boxes: B R 4 xyxy, view pixels.
        level: B R, which map a box is read from.
        strides: View pixels per cell of each map.
        size: Bins along a side.
        samples: Samples along a side of a bin; 0 takes one per cell, rounded up.
        aligned: Cell i covers [i, i + 1) (detectron2's ``aligned``); without it, half a cell
            less, and a box has at least one cell (torchvision).
    """
    atlas, corners = _atlas(levels)
    new = boxes.new_tensor
    cells = new([list(x.shape[-2:]) for x in levels])[level]
    scale = new([1 / stride for stride in strides])[level][..., None]
    low, high = boxes[..., :2] * scale, boxes[..., 2:] * scale
    if aligned:
        low, high = low - 0.5, high - 0.5
    extent = high - low if aligned else (high - low).clamp(min=1)
    count = torch.full_like(extent, samples) if samples else (extent / size).ceil().clamp(min=1)
    most = samples or int(count.max())
    x, weight_x = _samples(low[..., 0], extent[..., 0], cells[..., 1], count[..., 0], size, most)
    y, weight_y = _samples(low[..., 1], extent[..., 1], cells[..., 0], count[..., 1], size, most)
    y = y + new(corners)[level][..., None]
    read = _read(atlas, x, y)
    read = read * (weight_y[..., None] * weight_x[..., None, :]).unsqueeze(1)
    read = read.unflatten(-1, (size, most)).unflatten(-3, (size, most)).sum(dim=(-3, -1))
    return read.transpose(1, 2)


def _atlas(levels: list[Tensor]) -> tuple[Tensor, list[int]]:
    """Levels below one another, B C h' w', and the row where each begins."""
    width = max(x.shape[-1] for x in levels)
    rows = [F.pad(x, (0, width - x.shape[-1])) for x in levels]
    corners = [sum(x.shape[-2] for x in levels[:i]) for i in range(len(levels))]
    return torch.cat(rows, dim=2), corners


def _samples(
    low: Tensor, extent: Tensor, cells: Tensor, count: Tensor, size: int, most: int
) -> tuple[Tensor, Tensor]:
    """Positions B R size*most along an axis, in cells, and the weight of each in its bin's mean."""
    low, extent, cells, count = (v[..., None, None] for v in (low, extent, cells, count))
    step = torch.arange(most, device=low.device)
    inside = (step + 0.5) / count
    position = low + extent / size * (torch.arange(size, device=low.device)[:, None] + inside)
    there = (position >= -1) & (position <= cells) & (step < count)
    position = torch.minimum(position.clamp(min=0), cells - 1)
    return position.flatten(-2), (there / count).flatten(-2)


def _read(atlas: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Bilinear values B C R Y X at the crossings of columns x, B R X, and rows y, B R Y."""
    height, width = atlas.shape[-2:]
    across = ((2 * x + 1) / width - 1)[..., None, :].expand(-1, -1, y.shape[-1], -1)
    down = ((2 * y + 1) / height - 1)[..., :, None].expand(-1, -1, -1, x.shape[-1])
    grid = torch.stack([across, down], dim=-1).flatten(1, 2)
    atlas = atlas.to(grid.dtype)
    values = F.grid_sample(atlas, grid, mode="bilinear", padding_mode="border", align_corners=False)
    return values.unflatten(2, (x.shape[1], y.shape[-1]))


def level_of(boxes: Tensor, count: int, *, size: float = 224.0, level: int = 2) -> Tensor:
    """Which of ``count`` levels, the finest first, a box is read from (Lin et al. 2017, Eq. 1).

    Args:
        boxes: B R 4.
        count: See above.
        size: A box of this root of area is read from ``level``.
        level: See ``size``.
    """
    root = (boxes[..., 2:] - boxes[..., :2]).clamp(min=0).prod(dim=-1).sqrt()
    found = torch.floor(level + torch.log2(root / size + 1e-12) + 1e-6)
    return found.clamp(0, count - 1).long()
