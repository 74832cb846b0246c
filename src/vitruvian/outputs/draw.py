"""People drawn over their picture."""

import cv2
import numpy as np

from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Image
from vitruvian.image.read import as_image

LEFT, RIGHT, CENTRE = (30, 144, 255), (255, 140, 0), (60, 200, 90)
"""RGB of the person's left (blue), right (orange) and middle (green)."""

_SHIFT = 4  # OpenCV draws at 1/16 pixel


def draw(source: object, poses: Poses, *, kpt_thr: float = 0.3) -> Image:
    """A copy of the picture with limbs and keypoints; lines are as thin as people are small.

    Args:
        source: Path, bytes, PIL picture or RGB array H W 3 uint8.
        poses: People of that picture.
        kpt_thr: Keypoints that score lower, and their limbs, are left out.
    """
    image = as_image(source).copy()
    colours = _colours(poses.skeleton)
    limbs = poses.skeleton.limb_index
    for n in np.argsort(poses.score, kind="stable"):  # the best on top
        shown = np.isfinite(poses.xy[n]).all(-1) & (poses.scores[n] >= kpt_thr)
        xy = np.where(shown[:, None], poses.xy[n], 0).clip(-1e5, 1e5)
        fixed = np.round(xy * 2**_SHIFT).astype(int)
        width = _line_width(poses.boxes[n])
        for a, b in limbs[shown[limbs].all(-1)]:
            colour = colours[a] if colours[a] == colours[b] else CENTRE
            cv2.line(image, fixed[a], fixed[b], colour, width, cv2.LINE_AA, _SHIFT)
        radius = round((0.6 * width + 0.8) * 2**_SHIFT)
        for k in np.flatnonzero(shown):
            cv2.circle(image, fixed[k], radius, colours[k], -1, cv2.LINE_AA, _SHIFT)
    return image


def _line_width(box: np.ndarray) -> int:
    longer = float(max(box[2] - box[0], box[3] - box[1]))
    return max(1, round(longer / 150))


def _colours(skeleton: Skeleton) -> list[tuple[int, int, int]]:
    """RGB of every keypoint by the side it is on."""
    sides = {left: LEFT for left, _ in skeleton.swaps} | {
        right: RIGHT for _, right in skeleton.swaps
    }
    return [sides.get(name, CENTRE) for name in skeleton.keypoints]
