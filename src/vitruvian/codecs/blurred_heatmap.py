"""One map per keypoint, a blurred cell, in several widths (Chen et al. 2018, CPN; Li et al. 2019).

The cell that a keypoint lies in is blurred by OpenCV's Gaussian of some odd width, mirrored at the
border, and scaled to ``peak``. The last width is that of the field; the others are for outputs that
are supervised and never decoded: ``coarse_3`` is three widths coarser than the last and asks for
nothing where a keypoint is hidden, ``fine_1`` is one coarser and asks for hidden keypoints too.

Decoding blurs the map and goes a quarter cell from its highest cell towards the second highest.
Cell c covers the view from c to c + 1 times the stride, in the frame of the authors' crops.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.kernels.peaks import gaussian_taps, highest, smoothed

_BORDER = 10
"""Cells of nothing that are added around a map before it is blurred."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlurredHeatmap:
    """Blurred cells at the keypoints of one person.

    Attributes:
        skeleton: Keypoints, one channel each.
        stride: View pixels per cell.
        kernels: Odd widths of the blur in cells, widest first.
        coarse: How many widths coarser than the last the targets ``coarse_N`` are.
        fine: How many widths coarser than the last the targets ``fine_N`` are.
        peak: Highest value of every target.
        blur_kernel: Odd width in cells of the blur before decoding.
    """

    skeleton: Skeleton
    stride: int = 4
    kernels: tuple[int, ...] = (15, 11, 9, 7)
    coarse: tuple[int, ...] = ()
    fine: tuple[int, ...] = ()
    peak: float = 255.0
    blur_kernel: int = 21

    def __post_init__(self) -> None:
        widths = (*self.kernels, self.blur_kernel)
        if not self.kernels or any(width % 2 != 1 for width in widths):
            raise ConfigError(f"blur widths {widths}; give odd numbers of cells, at least one")
        if any(not 0 <= steps < len(self.kernels) for steps in (*self.coarse, *self.fine)):
            raise ConfigError(
                f"coarse {self.coarse} and fine {self.fine} count back from the last of "
                f"{len(self.kernels)} kernels; 0 to {len(self.kernels) - 1} are possible"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """The one that is decoded."""
        return (Field(name="heatmap", channels=len(self.skeleton), stride=self.stride),)

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Target maps in [0, ``peak``]; beside the field those of ``coarse`` and ``fine``.

        A keypoint outside the view counts as not labelled.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled, 1 hidden, 2 seen.
            size: (H, W) of the view in pixels.
        """
        h, w = self.fields[0].cells(size)
        cell = np.trunc(np.nan_to_num(xy.astype(np.float64), nan=-1) / self.stride)
        inside = ((xy >= 0) & (cell < (w, h))).all(axis=1) & (visible > 0)
        cell = np.where(inside[:, None], cell, 0).astype(int)
        maps = [
            _bumps(cell[:, 1], h, kernel)[:, :, None] * _bumps(cell[:, 0], w, kernel)[:, None, :]
            for kernel in self.kernels
        ]
        maps = [(self.peak * inside[:, None, None] * m).astype(np.float32) for m in maps[::-1]]
        weight = inside.astype(np.float32)[:, None, None]
        seen = (visible > 1).astype(np.float32)[:, None, None]
        everywhere = np.ones_like(weight)
        targets = {"heatmap": Target(value=maps[0], weight=weight)}
        for steps in self.coarse:
            targets[f"coarse_{steps}"] = Target(value=maps[steps] * seen, weight=everywhere)
        for steps in self.fine:
            targets[f"fine_{steps}"] = Target(value=maps[steps], weight=weight)
        return targets

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """One person per view (N = B); a map without a positive cell gives NaN and score 0.

        Args:
            fields: Maps B K h w; the keypoint's score is the value there over ``peak``, in [0, 1].
            size: (H, W) of the view in pixels.
        """
        maps = fields["heatmap"]
        batch, keypoints, h, w = maps.shape
        maps = maps.reshape(-1, h, w)
        border = ((0, 0), (_BORDER, _BORDER), (_BORDER, _BORDER))
        blurred = smoothed(np.pad(maps, border), gaussian_taps(self.blur_kernel))
        top, _ = highest(blurred)
        cell = top - _BORDER + _towards_second(blurred, top)
        cell = np.clip(cell, 0, (w - 1, h - 1))
        column, row = np.rint(cell).astype(int).T
        value = maps[np.arange(len(maps)), row, column]
        found = maps.max(axis=(1, 2), initial=0) > 0
        xy = np.where(found[:, None], (cell + 0.5) * self.stride, np.nan).astype(np.float32)
        scores = np.where(found, np.clip(value / self.peak, 0, 1), 0).astype(np.float32)
        scores = scores.reshape(batch, keypoints)
        return Keypoints(
            xy=xy.reshape(batch, keypoints, 2), scores=scores, score=scores.mean(axis=1)
        )

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Maps B K h w of mirrored views in the frame of the originals."""
        return {"heatmap": fields["heatmap"][:, self.skeleton.flip_index, :, ::-1]}


def _bumps(cell: np.ndarray, cells: int, kernel: int) -> np.ndarray:
    """K ``cells``: a cell each, blurred with what a mirror at the border adds; highest value 1."""
    reach = kernel // 2
    mirrored = np.pad(np.eye(cells), ((0, 0), (reach, reach)), mode="reflect")
    taps = gaussian_taps(kernel)
    blurred = np.array([np.convolve(row, taps, mode="valid") for row in mirrored])
    bumps: np.ndarray = (blurred / blurred.max(axis=1, keepdims=True))[cell]
    return bumps


def _towards_second(maps: np.ndarray, top: np.ndarray) -> np.ndarray:
    """P 2: a quarter cell from the highest cell of each map towards the second highest."""
    rest = maps.copy()
    rest[np.arange(len(maps)), top[:, 1], top[:, 0]] = 0
    second, _ = highest(rest)
    way = (second - top).astype(np.float64)
    length = np.linalg.norm(way, axis=1, keepdims=True)
    return np.asarray(0.25 * way / np.maximum(length, 1))
