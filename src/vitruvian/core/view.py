"""View: the affine map from image pixels to network-input pixels, and back.

Top-down is one view per box, bottom-up one per image; multi-scale and flip tests are more views.
All coordinate maths of the package is here.
"""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Float64

from vitruvian.core.errors import InputError

Align = Literal["centre", "legacy", "udp"]
"""How a crop of w x h pixels is laid on a grid of W x H.

``centre`` (ours): scale W/w, middle of the box to ((W-1)/2, (H-1)/2); cell = (x + 0.5)/s - 0.5.
``legacy`` (Hourglass to HRNet): scale W/w, middle to (W/2, H/2); cell = x/s.
``udp`` (Huang et al. 2020): scale (W-1)/w, middle to ((W-1)/2, (H-1)/2); cell = x (w-1)/(W-1).
"""

Fit = Literal["box", "short", "long", "height"]
"""How a whole picture is scaled: into the size's box, or so that its shorter side, its longer side
or its height is that of the size; see :func:`fitted`."""

LONGEST = 4.0
"""Longest side of a view over the longer side of its rule; a longer picture is scaled down."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """An affine map image -> view.

    Attributes:
        matrix: 2 3 float64; view_xy = matrix @ (x, y, 1) with image_xy in image pixels.
        size: (H, W) of the view in pixels.
        flipped: The view shows the mirror image, so left and right are swapped in it.
    """

    matrix: Float64[np.ndarray, "2 3"]
    size: tuple[int, int]
    flipped: bool = False

    @staticmethod
    def crop(
        box: Float[np.ndarray, " 4"],
        size: tuple[int, int],
        *,
        padding: float = 1.25,
        rotation: float = 0.0,
        flip: bool = False,
        align: Align = "centre",
    ) -> "View":
        """View of one box, enlarged to the aspect of ``size`` and by ``padding``.

        Args:
            box: xyxy in image pixels.
            size: (H, W) of the view.
            padding: Factor on the sides of the aspect-corrected box.
            rotation: Degrees; positive turns the picture counter-clockwise in the view.
            flip: Mirror the view left-right.
            align: Grid convention; a published system declares its own on its page.

        Raises:
            InputError: The box is not finite or has no area.
        """
        x0, y0, x1, y1 = (float(v) for v in box)
        if not np.isfinite([x0, y0, x1, y1]).all() or x1 <= x0 or y1 <= y0:
            raise InputError(
                f"box {[x0, y0, x1, y1]} has no area; give finite xyxy with x1 > x0, y1 > y0"
            )
        height, width = size
        box_w = max(x1 - x0, (y1 - y0) * width / height) * padding
        box_h = box_w * height / width
        centre = np.array([(x0 + x1) / 2, (y0 + y1) / 2])
        return View.around(centre, (box_h, box_w), size, rotation=rotation, flip=flip, align=align)

    @staticmethod
    def around(
        centre: Float[np.ndarray, " 2"],
        extent: tuple[float, float],
        size: tuple[int, int],
        *,
        rotation: float = 0.0,
        flip: bool = False,
        align: Align = "centre",
    ) -> "View":
        """View of ``extent`` (height, width) image pixels around ``centre`` (x, y)."""
        height, width = size
        pixels = np.array([width, height])
        middle = pixels / 2 if align == "legacy" else (pixels - 1) / 2
        scale = (pixels - (align == "udp")) / np.array([extent[1], extent[0]])
        angle = np.deg2rad(rotation)
        turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        linear = scale[:, None] * turn
        offset = middle - linear @ np.asarray(centre, np.float64)
        if flip:
            linear, offset = linear * [[-1.0], [1.0]], offset * [-1.0, 1.0] + [width - 1, 0]
        return View(matrix=np.column_stack([linear, offset]), size=size, flipped=flip)

    @staticmethod
    def letterbox(image_size: tuple[int, int], size: tuple[int, int]) -> "View":
        """The whole image of (H, W) ``image_size``, scaled into the top left of ``size``."""
        scale = min(size[0] / image_size[0], size[1] / image_size[1])
        matrix = np.array([[scale, 0, (scale - 1) / 2], [0, scale, (scale - 1) / 2]])
        return View(matrix=matrix, size=size)

    def resized(self, size: tuple[int, int]) -> "View":
        """What this view shows, stretched to another size."""
        factor = np.array([size[1] / self.size[1], size[0] / self.size[0]])[:, None]
        matrix = self.matrix * factor + np.column_stack([np.zeros((2, 2)), (factor - 1) / 2])
        return View(matrix=matrix, size=size, flipped=self.flipped)

    def mirrored(self) -> "View":
        """The same view, mirrored left-right."""
        matrix = self.matrix * [[-1.0], [1.0]] + [[0, 0, self.size[1] - 1], [0, 0, 0]]
        return View(matrix=matrix, size=self.size, flipped=not self.flipped)

    @property
    def scale(self) -> float:
        """View pixels per image pixel (geometric mean of the two axes)."""
        return float(np.sqrt(abs(np.linalg.det(self.matrix[:, :2]))))

    def inverse(self) -> Float64[np.ndarray, "2 3"]:
        """The map view -> image, 2 3."""
        linear = np.linalg.inv(self.matrix[:, :2])
        return np.column_stack([linear, -linear @ self.matrix[:, 2]])

    def to_view(self, xy_image: Float[np.ndarray, "*rest 2"]) -> Float[np.ndarray, "*rest 2"]:
        """Image pixels to view pixels; same shape and dtype."""
        return _apply(self.matrix, xy_image)

    def to_image(self, xy_view: Float[np.ndarray, "*rest 2"]) -> Float[np.ndarray, "*rest 2"]:
        """View pixels to image pixels; same shape and dtype."""
        return _apply(self.inverse(), xy_view)


def _apply(matrix: np.ndarray, xy: np.ndarray) -> np.ndarray:
    moved: np.ndarray = (xy @ matrix[:, :2].T + matrix[:, 2]).astype(xy.dtype)
    return moved


def fit_scale(image_size: tuple[int, int], size: tuple[int, int], fit: Fit) -> float:
    """View pixels per pixel of a picture of (H, W) ``image_size`` under a rule of ``size``."""
    scales = {
        "box": min(size[0] / image_size[0], size[1] / image_size[1]),
        "short": min(size) / min(image_size),
        "long": max(size) / max(image_size),
        "height": size[0] / image_size[0],
    }
    return min(scales[fit], LONGEST * max(size) / max(image_size))


def fitted(
    image_size: tuple[int, int],
    size: tuple[int, int],
    fit: Fit,
    *,
    divisor: int,
    remainder: int = 0,
) -> tuple[int, int]:
    """(H, W) of the view that a whole picture is letterboxed into.

    Args:
        image_size: (H, W) of the picture.
        size: (H, W) of the rule; with ``box`` every view has it.
        fit: Which side of ``size`` the picture gets.
        divisor: The sides of the view are multiples of it, rounded up, …
        remainder: … plus this.
    """
    if fit == "box":
        return size
    scale = fit_scale(image_size, size, fit)
    height, width = (
        max(math.ceil((side * scale - remainder) / divisor - 1e-6), 1) * divisor + remainder
        for side in image_size
    )
    return height, width


def view_to_cell(
    xy: np.ndarray, size: tuple[int, int], cells: tuple[int, int], align: Align
) -> np.ndarray:
    """View pixels to cells of a field, ``... 2``; ``size`` (H, W), ``cells`` (h, w)."""
    factor, shift = _cell_map(size, cells, align)
    found: np.ndarray = (xy * factor + shift).astype(xy.dtype)
    return found


def cell_to_view(
    xy: np.ndarray, size: tuple[int, int], cells: tuple[int, int], align: Align
) -> np.ndarray:
    """Cells of a field to view pixels, ``... 2``; inverse of :func:`view_to_cell`."""
    factor, shift = _cell_map(size, cells, align)
    found: np.ndarray = ((xy - shift) / factor).astype(xy.dtype)
    return found


def _cell_map(
    size: tuple[int, int], cells: tuple[int, int], align: Align
) -> tuple[np.ndarray, np.ndarray]:
    pixels, grid = np.array(size[::-1], np.float64), np.array(cells[::-1], np.float64)
    if align == "udp":
        return (grid - 1) / (pixels - 1), np.zeros(2)
    factor = grid / pixels
    return factor, np.zeros(2) if align == "legacy" else factor / 2 - 0.5
