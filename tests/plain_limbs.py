"""SimplePose's grouping the plain way: whole maps enlarged, every pair of peaks in a loop."""

import cv2
import numpy as np

from vitruvian.codecs.limbs import Limbs
from vitruvian.kernels.limb_people import Person, assemble, one_to_one

FIGURE = np.array(
    [
        *([0, -40], [0, -25], [-15, -24], [-20, 0], [-18, 22], [15, -24], [22, -2], [20, 20]),
        *([-9, 25], [-10, 58], [-11, 90], [9, 25], [12, 57], [10, 91]),
        *([-4, -44], [4, -44], [-9, -41], [9, -41]),
    ],
    np.float32,
)
"""Somebody with the keypoints of ``body18``, 135 pixels high."""


def crowd(
    codec: Limbs, count: int, side: int, seed: int = 0, noise: float = 0.02
) -> dict[str, np.ndarray]:
    """Noisy targets of ``count`` people at random places and sizes in a square view."""
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.6, 1.2, (count, 1, 1))
    place = rng.uniform(60, side - 110, (count, 1, 2))
    xy = (place + scale * FIGURE + rng.normal(0, 2, (count, 18, 2))).astype(np.float32)
    targets = codec.encode(
        xy,
        np.full((count, 18), 2, np.uint8),
        (side, side),
        boxes=np.zeros((count, 4), np.float32),
        trust=np.ones((side, side), np.float32),
    )
    values = {name: target.value[None] for name, target in targets.items()}
    return {n: (v + rng.normal(0, noise, v.shape)).astype(np.float32) for n, v in values.items()}


def people(codec: Limbs, fields: dict[str, np.ndarray]) -> tuple[np.ndarray, list[Person]]:
    """Places and scores of the peaks, M 3, and the people made of them."""
    limb, heat = (_enlarged(fields[name][0], codec.stride) for name in ("limb", "heatmap"))
    peaks = [_peaks(plane, codec) for plane in heat]
    first = np.cumsum([0, *map(len, peaks)])
    found = []
    for e, (a, b) in enumerate(codec._ends.tolist()):
        for i, start in enumerate(peaks[a]):
            for j, stop in enumerate(peaks[b]):
                made = _limb(limb[e], start, stop, codec)
                if made:
                    found.append((e, first[a] + i, first[b] + j, *made))
    rows = np.array(found).reshape(-1, 6)
    ends = rows[:, 1:3].astype(np.int64)
    kept = one_to_one(rows[:, 0].astype(np.int64), ends, rows[:, 5])
    everything = np.concatenate([np.reshape(p, (-1, 3)) for p in peaks])
    assembled = assemble(
        rows[kept, 0].astype(np.int64),
        ends[kept],
        rows[kept, 3],
        rows[kept, 4],
        everything[:, 2],
        codec._ends,
        len(codec.skeleton),
        stretch=codec.stretch,
        tolerance=codec.tolerance,
    )
    return everything, assembled


def _enlarged(maps: np.ndarray, factor: int) -> np.ndarray:
    return np.stack(
        [cv2.resize(m, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC) for m in maps]
    )


def _peaks(plane: np.ndarray, codec: Limbs) -> list[tuple[float, float, float]]:
    """x, y and score of each peak."""
    highest = cv2.dilate(plane, np.ones((3, 3), np.uint8))
    found, (h, w), r = [], plane.shape, codec.reach
    for y, x in np.argwhere((plane == highest) & (plane >= codec.floor)).tolist():
        if not (r <= x < w - r and r <= y < h - r):
            found.append((x, y, plane[y, x]))
            continue
        window = plane[y - r : y + r + 1, x - r : x + r + 1]
        down, across = np.mgrid[-r : r + 1, -r : r + 1]
        total = window.sum()
        found.append(
            (x + (window * across).sum() / total, y + (window * down).sum() / total, window.mean())
        )
    return found


def _limb(
    plane: np.ndarray, start: tuple[float, ...], stop: tuple[float, ...], codec: Limbs
) -> tuple[float, float, float] | None:
    """Score, length and rank, if the map supports it."""
    length = float(np.hypot(stop[0] - start[0], stop[1] - start[1]))
    if length == 0:
        return None
    count = min(round(length + 1), codec.samples)
    x, y = (np.rint(np.linspace(start[i], stop[i], count)).astype(int) for i in (0, 1))
    values = plane[y, x]
    score = float(values.mean() + min(0.5 * len(plane) / length - 1, 0))
    if (values > codec.limb_floor).sum() < codec.agree * count or score <= 0:
        return None
    return score, length, 0.5 * score + 0.25 * (start[2] + stop[2])
