"""One map per keypoint with a Gaussian at the keypoint (Tompson et al. 2014; Xiao et al. 2018).

Encodings: ``quantised`` to the nearest cell and cut off some cells from it (Hourglass to HRNet);
sub-pixel and ``windowed``, cut off at the same place (UDP); ``subpixel`` over the whole map (DARK).

Decodings: the highest cell, ``argmax``; a ``quarter`` cell from there towards the higher neighbours
(Newell et al. 2016); a Newton step on the logarithm of the blurred map as in ``dark`` (Zhang et
al. 2020) or ``udp`` (Huang et al. 2020).

Two deliberate differences from the authors' programs. Where a map has no positive cell they answer
cell (0, 0), we answer NaN with score 0. Where a Newton step is longer than two cells, which is
beyond the cells it was fitted to, they take it, we stay at the highest cell.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import Align, View, cell_to_view, view_to_cell
from vitruvian.kernels.peaks import dark_step, highest, quarter_step, smoothed, udp_step


@dataclass(frozen=True, slots=True, kw_only=True)
class Heatmap:
    """Gaussian heat maps of the keypoints of one person.

    Attributes:
        skeleton: Keypoints, one channel each.
        stride: View pixels per cell.
        sigma: Standard deviation of the Gaussian, in cells.
        align: Where the centre of a cell lies in the view.
        encoding: How the Gaussian is drawn; see the module.
        cutoff: Sigmas from the nearest cell to the last cell that is drawn; not for ``subpixel``.
        decoding: How the peak is found; see the module.
        blur_kernel: Odd width in cells of the Gaussian blur that comes before ``dark`` and ``udp``.
        smooth: Sigma in cells of a blur before the search for the highest cell; 0 for none.
        background: Has one more map, the last: 1 - the highest of the others (CPM).
        centred: Also ask, under the name ``centred``, for the person in the middle of a view that
            is so many times the pose's extent (RMPE's parallel network); 0 does not.
        name: Name of the field.
    """

    skeleton: Skeleton
    stride: int = 4
    sigma: float = 2.0
    align: Align = "centre"
    encoding: Literal["quantised", "windowed", "subpixel"] = "subpixel"
    cutoff: float = 3.0
    decoding: Literal["argmax", "quarter", "dark", "udp"] = "udp"
    blur_kernel: int = 11
    smooth: float = 0.0
    background: bool = False
    centred: float = 0.0
    name: str = "heatmap"

    def __post_init__(self) -> None:
        positive = min(self.sigma, self.cutoff) > 0
        if self.stride < 1 or not positive or self.blur_kernel % 2 != 1:
            raise ConfigError(
                f"heat maps with stride {self.stride}, sigma {self.sigma}, cutoff {self.cutoff}, "
                f"blur kernel {self.blur_kernel}; give a stride of at least 1, a sigma and a "
                "cutoff above 0, an odd kernel"
            )

    @property
    def fields(self) -> tuple[Field, ...]:
        """One field with a channel per keypoint, and one for the background if there is one."""
        channels = len(self.skeleton) + self.background
        return (Field(name=self.name, channels=channels, stride=self.stride),)

    def encode(
        self,
        xy: Float32[np.ndarray, "K 2"],
        visible: UInt8[np.ndarray, " K"],
        size: tuple[int, int],
    ) -> dict[str, Target]:
        """Target maps in [0, 1], peak 1 at each labelled keypoint.

        A keypoint that is not labelled, or whose window (and HRNet's one cell more) misses the map,
        has an empty map and weight 0.

        Args:
            xy: K 2 view pixels; NaN where not labelled.
            visible: K; 0 is not labelled.
            size: (H, W) of the view in pixels.
        """
        targets = {self.name: self._target(xy, visible, size)}
        if self.centred:
            middle = self._in_the_middle(xy, visible, size)
            targets["centred"] = self._target(middle, visible, size)
        return targets

    def _target(self, xy: np.ndarray, visible: np.ndarray, size: tuple[int, int]) -> Target:
        h, w = self.fields[0].cells(size)
        cell = view_to_cell(xy.astype(np.float64), size, (h, w), self.align)
        labelled = (visible > 0) & np.isfinite(cell).all(axis=1)
        cell = np.where(labelled[:, None], cell, 0.0)
        nearest, reach = np.trunc(cell + 0.5), int(self.cutoff * self.sigma)
        meets = ((nearest + reach >= -1) & (nearest - reach < (w, h))).all(axis=1)
        weight = (labelled & meets).astype(np.float32)
        across = self._bump(cell[:, 0], nearest[:, 0], w)
        down = self._bump(cell[:, 1], nearest[:, 1], h) * weight[:, None]
        value = down[:, :, None] * across[:, None, :]
        if self.background:
            value = np.concatenate([value, 1 - value.max(axis=0, keepdims=True)])
            weight = np.append(weight, weight.max())
        return Target(value=value, weight=weight[:, None, None])

    def _in_the_middle(
        self, xy: np.ndarray, visible: np.ndarray, size: tuple[int, int]
    ) -> np.ndarray:
        """K 2: the keypoints in a view of their own."""
        seen = xy[(visible > 0) & np.isfinite(xy).all(axis=1)]
        if not len(seen):
            return xy
        box = np.concatenate([seen.min(axis=0) - 1, seen.max(axis=0) + 1]).astype(np.float64)
        view = View.crop(box, size, padding=self.centred, align=self.align)
        return view.to_view(xy)

    def decode(self, fields: Fields, size: tuple[int, int]) -> Keypoints:
        """One person per view (N = B); a map without a positive cell gives NaN and score 0.

        Args:
            fields: Maps B K h w; the keypoint's score is the highest value, clipped to [0, 1].
            size: (H, W) of the view in pixels.
        """
        maps = fields[self.name][:, : len(self.skeleton)]
        batch, keypoints, h, w = maps.shape
        maps = maps.reshape(-1, h, w)
        cell, value = highest(maps)
        if self.smooth:
            cell, _ = highest(smoothed(maps, _gaussian(self.smooth), "symmetric"))
            value = maps[np.arange(len(maps)), cell[:, 1], cell[:, 0]]
        found = value > 0
        xy = np.where(found[:, None], cell + self._step(maps, cell), np.nan).astype(np.float32)
        scores = np.where(found, np.clip(value, 0, 1), 0).astype(np.float32)
        scores = scores.reshape(batch, keypoints)
        return Keypoints(
            xy=cell_to_view(xy, size, (h, w), self.align).reshape(batch, keypoints, 2),
            scores=scores,
            score=scores.mean(axis=1),
        )

    def flip(self, fields: Fields, *, shift: bool = False) -> dict[str, np.ndarray]:
        """Maps of mirrored views in the frame of the originals.

        Args:
            fields: Maps B K h w of the mirrored views.
            shift: Move them one cell to the right (HRNet's SHIFT_HEATMAP; legacy alignment).
        """
        maps = fields[self.name]
        order = np.append(self.skeleton.flip_index, len(self.skeleton))[: maps.shape[1]]
        maps = maps[:, order, :, ::-1]
        if shift:
            maps = np.concatenate([maps[..., :1], maps[..., :-1]], axis=-1)
        return {self.name: maps}

    def _bump(self, centre: np.ndarray, nearest: np.ndarray, cells: int) -> np.ndarray:
        """K ``cells`` float32: one-dimensional Gaussians."""
        steps = np.arange(cells)
        peak = nearest if self.encoding == "quantised" else centre
        distance = (steps - peak[:, None]).astype(np.float32)
        bump: np.ndarray = np.exp(distance * distance / np.float32(-2 * self.sigma**2))
        if self.encoding != "subpixel":
            bump *= np.abs(steps - nearest[:, None]) <= int(self.cutoff * self.sigma)
        return bump

    def _step(self, maps: np.ndarray, cell: np.ndarray) -> np.ndarray:
        """P 2: from the highest cell to the peak."""
        match self.decoding:
            case "quarter":
                return quarter_step(maps, cell)
            case "dark":
                return dark_step(maps, cell, self.blur_kernel)
            case "udp":
                return udp_step(maps, cell, self.blur_kernel)
            case "argmax":
                return np.zeros(cell.shape)


def _gaussian(sigma: float) -> np.ndarray:
    """Weights of a Gaussian out to four sigma, as SciPy cuts it."""
    reach = int(4 * sigma + 0.5)
    taps = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * sigma**2))
    return np.asarray(taps / taps.sum())
