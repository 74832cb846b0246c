"""Random views and distortions of a training picture: one matrix, one warp."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, Int64, UInt8

from vitruvian.core.types import Image
from vitruvian.core.view import Align, Fit, View, fit_scale
from vitruvian.image.proposals import Proposals

_ENOUGH = 8
"""Labelled keypoints of a person that is not cropped to half (Sun et al. 2019)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Augment:
    """Ranges of the random view and of the picture's distortion.

    Attributes:
        flip: Probability of a mirrored view.
        scale: Factor is clip(1 + N(0, 1) scale, 1 - scale, 1 + scale).
        rotation: Degrees; clip(N(0, 1) rotation, -2 rotation, 2 rotation).
        rotation_prob: Probability that the view is rotated at all.
        shift: Standard deviation of the shift, as a fraction of the box's longer side.
        zoom: Range of the extent that a view of a whole picture shows, 1 being what fits.
        proposals: Take a box that a detector might have drawn for the true one; None does not.
        half_body: Probability of cropping to the upper or lower body when more than eight
            keypoints are labelled.
        occlude: Probability of covering part of the view with a patch of itself or of noise.
        colour: Strength of gain, gamma, saturation and noise changes; 0 leaves pixels alone.
        blur: Probability of blur.
    """

    flip: float = 0.5
    scale: float = 0.35
    rotation: float = 45.0
    rotation_prob: float = 0.6
    shift: float = 0.0
    zoom: tuple[float, float] = (0.75, 1.5)
    proposals: Proposals | None = None
    half_body: float = 0.0
    occlude: float = 0.0
    colour: float = 0.0
    blur: float = 0.0


def random_view(
    box: Float32[np.ndarray, " 4"],
    xy: Float32[np.ndarray, "K 2"],
    visible: UInt8[np.ndarray, " K"],
    halves: tuple[Int64[np.ndarray, " U"], Int64[np.ndarray, " L"]],
    size: tuple[int, int],
    augment: Augment,
    rng: np.random.Generator,
    *,
    padding: float = 1.25,
    align: Align = "centre",
) -> View:
    """A training view of one person.

    Args:
        box: xyxy, image pixels.
        xy: K 2, image pixels; only labelled keypoints are looked at.
        visible: K; 0 is not labelled.
        halves: Positions of the upper and of the lower body's keypoints.
        size: (H, W) of the view.
        augment: Ranges.
        rng: Source of every choice.
        padding: Factor on the aspect-corrected box.
        align: Grid convention of the crop.
    """
    if rng.random() < augment.half_body and np.count_nonzero(visible) > _ENOUGH:
        box = half_body_box(box, xy, visible, halves, rng, padding=padding)
    x0, y0, x1, y1 = (float(v) for v in box)
    width = max(x1 - x0, (y1 - y0) * size[1] / size[0], 1.0)
    spread = augment.scale
    factor = padding * float(np.clip(1 + rng.normal() * spread, 1 - spread, 1 + spread))
    extent = (width * factor * size[0] / size[1], width * factor)
    shift = augment.shift * max(x1 - x0, y1 - y0) * np.clip(rng.normal(size=2), -2, 2)
    turn = float(np.clip(rng.normal(), -2, 2)) * augment.rotation
    return View.around(
        np.array([(x0 + x1) / 2, (y0 + y1) / 2]) + shift,
        extent,
        size,
        rotation=turn if rng.random() < augment.rotation_prob else 0.0,
        flip=bool(rng.random() < augment.flip),
        align=align,
    )


def random_scene(
    image_size: tuple[int, int],
    size: tuple[int, int],
    augment: Augment,
    rng: np.random.Generator,
    *,
    fit: Fit = "box",
) -> View:
    """A training view of a whole picture; every choice is even within its range.

    Args:
        image_size: (H, W) of the picture.
        size: (H, W) of the view.
        augment: Ranges: ``zoom``, ``flip``, ``rotation`` to either side, and ``shift`` as a
            fraction of the shorter side of what is seen of the picture.
        rng: Source of every choice.
        fit: How the picture is scaled at a zoom of 1.
    """
    scale = fit_scale(image_size, size, fit)
    zoom = float(rng.uniform(*augment.zoom))
    shift = augment.shift * zoom * min(image_size) * rng.uniform(-1, 1, 2)
    turn = augment.rotation * float(rng.uniform(-1, 1))
    return View.around(
        (np.array(image_size[::-1]) - 1) / 2 + shift,
        (size[0] / scale * zoom, size[1] / scale * zoom),
        size,
        rotation=turn if rng.random() < augment.rotation_prob else 0.0,
        flip=bool(rng.random() < augment.flip),
    )


def half_body_box(
    box: Float32[np.ndarray, " 4"],
    xy: Float32[np.ndarray, "K 2"],
    visible: UInt8[np.ndarray, " K"],
    halves: tuple[Int64[np.ndarray, " U"], Int64[np.ndarray, " L"]],
    rng: np.random.Generator,
    *,
    padding: float = 1.25,
) -> Float32[np.ndarray, " 4"]:
    """Box around the mean of the labelled keypoints of one half of the body (Sun et al. 2019).

    A view of it, ``padding`` included, is 1.5 times their extent. The upper half is taken when a
    normal number is below 0.5, which it is in 69 of 100 cases; a half with fewer than three
    labelled keypoints gives way to the other one, and one keypoint to the whole box.
    """
    upper, lower = (xy[half][visible[half] > 0] for half in halves)
    first = rng.normal() < 0.5 and len(upper) > 2
    points = upper if first or len(lower) <= 2 else lower
    if len(points) < 2:
        return box
    centre, extent = points.mean(axis=0), points.max(axis=0) - points.min(axis=0)
    reach = 1.5 / padding * extent / 2
    return np.concatenate([centre - reach, centre + reach]).astype(np.float32)


def halves_of(keypoints: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the upper and of the lower body's keypoints, by their names."""
    lower = [
        any(part in name for part in ("hip", "knee", "ankle", "toe", "heel", "pelvis"))
        for name in keypoints
    ]
    return np.flatnonzero(~np.array(lower)), np.flatnonzero(lower)


def distort(image: Image, augment: Augment, rng: np.random.Generator) -> Image:
    """The picture with other colours, blur, noise and covered parts, in new memory."""
    if rng.random() < augment.occlude:
        image = occlude(image, rng)
    if augment.colour:
        image = recolour(image, augment.colour, rng)
    if rng.random() < augment.blur:
        image = cv2.GaussianBlur(image, (0, 0), float(rng.uniform(0.4, 1.5)))
    return image


def recolour(image: Image, strength: float, rng: np.random.Generator) -> Image:
    """Gain, offset and gamma per channel by one look-up table, then saturation and noise."""
    tone = np.arange(256, dtype=np.float32)[:, None] / 255
    gamma = np.exp(strength * rng.normal() * 0.35)
    gain = 1 + strength * (0.25 * rng.normal() + 0.1 * rng.normal(size=3))
    offset = strength * 0.1 * rng.normal()
    table = np.clip((tone**gamma * gain + offset) * 255, 0, 255).astype(np.uint8)
    result = cv2.LUT(image, table.reshape(1, 256, 3))
    if rng.random() < 0.5 * strength:
        grey = cv2.cvtColor(cv2.cvtColor(result, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        keep = float(rng.uniform(0, 1.5))
        result = cv2.addWeighted(result, keep, grey, 1 - keep, 0)
    if rng.random() < 0.3 * strength:
        noise = rng.normal(0, rng.uniform(2, 12), image.shape).astype(np.float32)
        result = np.clip(result + noise, 0, 255).astype(np.uint8)
    return result


def occlude(image: Image, rng: np.random.Generator) -> Image:
    """One to three rectangles replaced by another part of the picture or by one colour."""
    height, width = image.shape[:2]
    result = image.copy()
    for _ in range(int(rng.integers(1, 4))):
        h, w = (max(2, int(side * rng.uniform(0.08, 0.35))) for side in (height, width))
        y, x = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
        if rng.random() < 0.5:
            top, left = int(rng.integers(0, height - h)), int(rng.integers(0, width - w))
            result[y : y + h, x : x + w] = image[top : top + h, left : left + w]
        else:
            result[y : y + h, x : x + w] = rng.integers(0, 256, 3)
    return result
