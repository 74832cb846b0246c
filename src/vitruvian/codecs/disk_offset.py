"""A disc around each keypoint and, inside it, the vector to the keypoint (G-RMI).

Papandreou et al., Towards accurate multi-person pose estimation in the wild, CVPR 2017, section 3.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import Align, cell_to_view
from vitruvian.kernels.peaks import highest
from vitruvian.kernels.votes import centroid, collect, support

_FLOOR = 1e-3
"""Probability below which a cell has no say; most cells of a view are below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskOffset:
    """Disc heat maps (logits) and offsets of the keypoints of one person.

    The offset field holds F(x) / radius = (l - x) / radius, so that its targets lie in [-1, 1];
    channels 2k and 2k + 1 are x and y of keypoint k. Any grid that covers the view can be decoded,
    so a network may upsample its outputs beyond ``stride``, as the paper does up to one cell per
    pixel.

    Attributes:
        skeleton: Keypoints.
        stride: View pixels per cell.
        radius: R of the discs in view pixels.
        align: Where the centre of a cell lies in the view.
        decoding: The cell of the highest probability, that cell moved by its ``offset``, or
            ``hough``: the place that most votes of all cells agree on.
        kernel: Half the width of the bilinear kernel G of the votes, in view pixels. The paper's is
            1, with one vote per pixel; fewer votes need a wider one.
    """

    skeleton: Skeleton
    stride: int = 8
    radius: float = 25.0
    align: Align = "centre"
    decoding: Literal["heatmap", "offset", "hough"] = "hough"
    kernel: float = 4.0

    @property
    def fields(self) -> tuple[Field, ...]:
        """``heatmap``, K logits, and ``offset``, 2 K in radii."""
        count = len(self.skeleton)
        return (
            Field(name="heatmap", channels=count, stride=self.stride),
            Field(name="offset", channels=2 * count, stride=self.stride),
        )

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Discs of ones, and offsets with weight only inside the discs.

        A keypoint that is not labelled has weight 0 everywhere. One that lies outside the view is a
        map of zeros with weight 1 where its disc does not reach in.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled.
            size: (H, W) of the view in pixels.
        """
        labelled = (visible > 0) & np.isfinite(xy).all(axis=1)
        points = np.where(labelled[:, None], xy, np.inf).astype(np.float64)
        columns, rows = _centres(size, self.fields[0].cells(size), self.align)
        dx = ((points[:, :1] - columns) / self.radius).astype(np.float32)
        dy = ((points[:, 1:] - rows) / self.radius).astype(np.float32)
        disc = dx[:, None, :] ** 2 + dy[:, :, None] ** 2 <= 1
        offset = np.stack([np.where(disc, dx[:, None, :], 0), np.where(disc, dy[:, :, None], 0)], 1)
        weight = labelled.astype(np.float32)[:, None, None]
        return {
            "heatmap": Target(value=disc.astype(np.float32), weight=weight),
            "offset": Target(
                value=offset.reshape(-1, *disc.shape[1:]),
                weight=np.repeat(disc.astype(np.float32), 2, axis=0),
            ),
        }

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """One person per view (N = B).

        A keypoint's score is the highest probability, or for ``hough`` f(x) at the peak; it is NaN
        with score 0 where no cell has a probability above 0.001. The person's score is the mean
        (section 3.2).

        Args:
            fields: ``heatmap`` B K h w logits and ``offset`` B 2K h w radii.
            size: (H, W) of the view in pixels.
        """
        logits = fields["heatmap"]
        batch, keypoints, h, w = logits.shape
        probability = _sigmoid(logits.reshape(-1, h, w))
        offset = self.radius * fields["offset"].reshape(-1, 2, h, w)
        if self.decoding == "hough":
            xy, scores = self._vote(probability, offset, size)
        else:
            xy, scores = self._pick(probability, offset, size)
        found = scores > 0
        scores = scores.clip(0, 1).astype(np.float32).reshape(batch, keypoints)
        return Keypoints(
            xy=np.where(found[:, None], xy, np.nan).astype(np.float32).reshape(batch, keypoints, 2),
            scores=scores,
            score=scores.mean(axis=1),
        )

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Outputs of mirrored views in the frame of the originals; x offsets change sign."""
        heatmap = fields["heatmap"][:, self.skeleton.flip_index, :, ::-1]
        batch, channels, h, w = fields["offset"].shape
        offset = fields["offset"].reshape(batch, channels // 2, 2, h, w)
        offset = offset[:, self.skeleton.flip_index, :, :, ::-1]
        sign = np.array([-1, 1], offset.dtype)[:, None, None]
        return {"heatmap": heatmap, "offset": (offset * sign).reshape(batch, channels, h, w)}

    def _pick(
        self, probability: np.ndarray, offset: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """P 2 view pixels and P scores: the highest cell, moved by its offset or not."""
        cell, value = highest(probability)
        xy = cell_to_view(cell.astype(np.float64), size, probability.shape[1:], self.align)
        if self.decoding == "offset":
            xy = xy + offset[np.arange(len(cell)), :, cell[:, 1], cell[:, 0]]
        return xy, np.where(value > _FLOOR, value, 0)

    def _vote(
        self, probability: np.ndarray, offset: np.ndarray, size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """P 2 view pixels and P scores: Hough voting, Eq. 1.

        f(x) = sum_j 1 / (pi R^2) G(x_j + F(x_j) - x) h(x_j) is a sum over pixels; here each cell
        casts as many votes as it covers pixels. The bins reach one beyond the view on every side.
        """
        owner, row, column = np.nonzero(probability > _FLOOR)
        columns, rows = _centres(size, probability.shape[1:], self.align)
        place = np.stack([columns[column], rows[row]], axis=1) + offset[owner, :, row, column]
        pixels = (columns[1] - columns[0]) * (rows[1] - rows[0])
        votes = probability[owner, row, column] * pixels / (np.pi * self.radius**2)

        bins = [int(np.ceil((n - 1) / self.kernel)) + 3 for n in size]
        place = place / self.kernel + 1
        grid = collect(owner, place, votes, (len(probability), bins[0], bins[1]))
        peak = centroid(grid, highest(grid)[0])
        return (peak - 1) * self.kernel, support(owner, place, votes, peak)


def _centres(
    size: tuple[int, int], cells: tuple[int, int], align: Align
) -> tuple[np.ndarray, np.ndarray]:
    """View x of the w columns and view y of the h rows of a grid."""
    steps = np.arange(max(cells), dtype=np.float64)
    xy = cell_to_view(np.stack([steps, steps], axis=1), size, cells, align)
    return xy[: cells[1], 0], xy[: cells[0], 1]


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    """Logistic function, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * logits)))
