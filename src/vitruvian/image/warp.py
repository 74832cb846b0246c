"""Pictures through views: one affine warp each, with a pyramid where the picture shrinks."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import UInt8

from vitruvian.core.types import Image
from vitruvian.core.view import View


def warp(image: Image, view: View) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as the view shows it, bilinear; black where the view leaves the picture.

    A view that shows the picture at less than half its size is warped from a copy that was
    halved until it is not, each pixel the mean of four, so that large photographs do not alias.
    An odd last row or column is lost in a halving: less than one pixel of the view.
    """
    out = np.empty((*view.size, 3), np.uint8)
    _warp_into(image, view, out)
    return out


def warp_batch(
    image: Image, views: Sequence[View], out: UInt8[np.ndarray, "B Hv Wv 3"] | None = None
) -> UInt8[np.ndarray, "B Hv Wv 3"]:
    """One picture through B views of the same size.

    Args:
        image: RGB picture.
        views: At least one.
        out: Where to write, for batches over several pictures; new memory without it.
    """
    if out is None:
        out = np.empty((len(views), *views[0].size, 3), np.uint8)
    for view, target in zip(views, out, strict=True):
        _warp_into(image, view, target)
    return out


def _warp_into(image: Image, view: View, out: UInt8[np.ndarray, "h w 3"]) -> None:
    region = _region(image, view)
    if region is None:
        out[:] = 0
        return
    patch, origin = region
    factor, scale = 1, view.scale
    while scale * factor * 2 <= 1 and min(patch.shape[:2]) > 1:
        patch, factor = _halved(patch), factor * 2
    # Pixel u of the patch has its centre at factor u + (factor - 1) / 2 + origin of the picture.
    linear = view.matrix[:, :2]
    shift = linear @ (origin + (factor - 1) / 2) + view.matrix[:, 2]
    matrix = np.column_stack([linear * factor, shift])
    size = (view.size[1], view.size[0])
    cv2.warpAffine(patch, matrix, size, dst=out, flags=cv2.INTER_LINEAR, borderValue=(0, 0, 0))


def _halved(patch: np.ndarray) -> np.ndarray:
    height, width = patch.shape[0] // 2, patch.shape[1] // 2
    even = patch[: height * 2, : width * 2]
    return cv2.resize(even, (width, height), interpolation=cv2.INTER_AREA)


def _region(image: Image, view: View) -> tuple[np.ndarray, np.ndarray] | None:
    """The part of the picture that the view can see and its corner (x, y); None for nothing.

    Two pixels of the view are added all around: one for the bilinear neighbour, one for what the
    halvings lose.
    """
    height, width = view.size
    across, down = [-2.0, width + 1], [-2.0, height + 1]
    seen = view.to_image(np.array([[x, y] for x in across for y in down]))
    low = np.clip(np.floor(seen.min(0)), 0, None).astype(int)
    high = np.minimum(np.ceil(seen.max(0)) + 1, image.shape[1::-1]).astype(int)
    if (high <= low).any():
        return None
    return image[low[1] : high[1], low[0] : high[0]], low
