"""People from keypoints that carry tags (Newell, Huang and Deng 2017, section 3.2)."""

from collections.abc import Callable, Sequence
from typing import Literal

import cv2
import numpy as np

from vitruvian.kernels.enlarged import enlarged_blocks
from vitruvian.kernels.munkres import munkres

_CHUNK = 128
_BLOCK = 8
"""Cells on a side of the blocks that :func:`most_alike` looks at as a whole."""


def group(
    joint: np.ndarray,
    tags: np.ndarray,
    score: np.ndarray,
    order: Sequence[int],
    *,
    threshold: float,
    norm: float,
    limit: int,
    full: Literal["open", "skip"],
    faithful: bool,
) -> np.ndarray:
    """Rows of the keypoints of each person, P K int64; -1 where there is none.

    Joint by joint, the keypoints and the people begun so far are matched as cheaply as can be; the
    cost is the distance of the tags, rounded, and among equal ones the keypoint's score. Whoever
    remains begins a person. Pairs too far apart to be joined all cost the same, so as many as
    possible are joined; in the authors' programs they push each other around.

    Args:
        joint: M, which of the K joints a keypoint is.
        tags: M T.
        score: M, in [0, 1].
        order: The K joints in the order in which they are matched.
        threshold: Tags this far from a person's mean tag do not belong to it.
        norm: Factor on the Euclidean distance.
        limit: Only so many people, the first ones, can be joined; 0 is no limit.
        full: Once there are as many, ``open`` people whom nobody can join, or ``skip`` the joint.
        faithful: The authors' costs, and among the cheapest matchings their program's choice.
    """
    people: list[np.ndarray] = []
    total, count = np.zeros((len(tags) + 1, tags.shape[1])), np.zeros(len(tags) + 1)
    for k in order:
        rows = np.flatnonzero(joint == k)
        known = min(len(people), limit or len(people))
        if not len(rows) or (full == "skip" and known == limit > 0):
            continue
        mean = total[:known] / count[:known, None]
        distance = norm * np.sqrt(((tags[rows, None] - mean) ** 2).sum(-1))
        chosen = _matched(distance, score[rows], threshold, faithful)
        for row, person in zip(rows, chosen, strict=True):
            if person < 0:
                person = len(people)
                people.append(np.full(len(order), -1))
            people[person][k] = row
            total[person] += tags[row]
            count[person] += 1
    return np.array(people, np.int64).reshape(-1, len(order))


def _matched(
    distance: np.ndarray, score: np.ndarray, threshold: float, faithful: bool
) -> np.ndarray:
    """The person (column) of each keypoint (row), or -1."""
    person = np.full(len(distance), -1)
    if not distance.size:
        return person
    cost = np.round(distance) * 100 - score[:, None]
    if faithful:
        spare = np.full((len(cost), max(len(cost) - cost.shape[1], 0)), 1e10)
        rows, columns = munkres(np.concatenate([cost, spare], axis=1))
        rows, columns = rows[columns < cost.shape[1]], columns[columns < cost.shape[1]]
    else:
        cost = np.where(distance < threshold, cost + distance, 100 * np.ceil(threshold) + 100)
        rows, columns = _assigned(cost)
    near = distance[rows, columns] < threshold
    person[rows[near]] = columns[near]
    return person


def _assigned(cost: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a cheapest assignment; SciPy is faster, but need not be installed."""
    try:
        from scipy.optimize import linear_sum_assignment
    except ModuleNotFoundError:
        return munkres(cost)
    rows, columns = linear_sum_assignment(cost)
    return rows, columns


def most_alike(
    heat: np.ndarray,
    tags: Sequence[np.ndarray],
    factor: int,
    joint: np.ndarray,
    wanted: np.ndarray,
    norm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Where a joint most likely is of a person whose tag is known.

    The first highest point of heat - round(distance of the tags) of the enlarged maps. Blocks of
    cells are looked at in the order of what they can hold at most, so hardly any is enlarged.

    Args:
        heat: K h w float32.
        tags: T times K h w float32.
        factor: Grid points per cell.
        joint: Q, the joints that are looked for.
        wanted: Q T, the tags of the people they are looked for.
        norm: Factor on the Euclidean distance.

    Returns:
        Grid points Q 2 (x, y) and the values of ``heat`` there, Q.
    """
    bounds = {int(k): _bounds(heat[k], [maps[k] for maps in tags]) for k in np.unique(joint)}
    xy, value = np.zeros((len(joint), 2), np.int64), np.zeros(len(joint), np.float32)
    order = np.argsort(joint, kind="stable")
    for start in range(0, len(order), _CHUNK):
        some = order[start : start + _CHUNK]
        bound = np.concatenate(
            [
                _bound(*bounds[int(k)], wanted[some[joint[some] == k]], norm)
                for k in np.unique(joint[some])
            ]
        )
        xy[some], value[some] = _search(bound, heat, tags, factor, joint[some], wanted[some], norm)
    return xy, value


def _search(
    bound: np.ndarray,
    heat: np.ndarray,
    tags: Sequence[np.ndarray],
    factor: int,
    joint: np.ndarray,
    wanted: np.ndarray,
    norm: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Best first over the blocks, whose bounds Q n are used up; more of them each time."""
    _, h, w = heat.shape
    side, width = _BLOCK * factor, -(-w // _BLOCK)
    best, value = np.full(len(joint), -np.inf, np.float32), np.zeros(len(joint), np.float32)
    xy, rows, step = np.zeros((len(joint), 2), np.int64), np.arange(len(joint)), 1
    while len(rows):
        blocks = _highest(bound, step)
        promising = np.take_along_axis(bound, blocks, 1) > best[rows, None]
        query, chosen = np.nonzero(promising)
        if not len(query):
            break
        block = blocks[query, chosen]
        bound[query, block] = -np.inf
        k, x, y = joint[rows[query]], block % width * side, block // width * side
        seen = enlarged_blocks(heat, factor, k, x, y, side)
        gaps = (
            enlarged_blocks(maps, factor, k, x, y, side) - tag[rows[query], None, None]
            for maps, tag in zip(tags, wanted.T.astype(np.float32), strict=True)
        )
        alike = (seen - np.rint(norm * _length(list(gaps)))).reshape(len(query), -1)
        at = alike.argmax(axis=1)
        top = np.full(blocks.shape, -np.inf, np.float32)
        top[query, chosen] = alike[np.arange(len(query)), at]
        pair = np.full(blocks.shape, -1)
        pair[query, chosen] = np.arange(len(query))
        winner = top.argmax(axis=1)
        better = top[np.arange(len(rows)), winner] > best[rows]
        pairs, won = pair[better, winner[better]], rows[better]
        best[won], value[won] = alike[pairs, at[pairs]], seen.reshape(alike.shape)[pairs, at[pairs]]
        found = np.stack([x[pairs] + at[pairs] % side, y[pairs] + at[pairs] // side], axis=1)
        xy[won] = np.minimum(found, np.array([w, h]) * factor - 1)
        left = promising.all(axis=1) & (bound.max(axis=1) > best[rows])
        bound, rows, step = bound[left], rows[left], min(8 * step, bound.shape[1])
    return xy, value


def _highest(bound: np.ndarray, count: int) -> np.ndarray:
    """Columns of the ``count`` highest of each row, in no order."""
    if count == 1:
        highest: np.ndarray = bound.argmax(axis=1)[:, None]
        return highest
    columns: np.ndarray = np.argpartition(bound, -count, axis=1)[:, -count:]
    return columns


def _length(gaps: list[np.ndarray]) -> np.ndarray:
    """Euclidean length of vectors given by component."""
    length: np.ndarray
    length = np.abs(gaps[0]) if len(gaps) == 1 else np.sqrt(sum(gap * gap for gap in gaps))
    return length


def _bounds(heat: np.ndarray, tags: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of every block: the highest heat (n) and the lowest and highest tags (T n) it can hold."""
    return (
        _pooled(heat, cv2.dilate),
        np.stack([_pooled(tag, cv2.erode) for tag in tags]),
        np.stack([_pooled(tag, cv2.dilate) for tag in tags]),
    )


def _pooled(cells: np.ndarray, extreme: Callable[..., np.ndarray]) -> np.ndarray:
    """Extreme of each block and the cells around it."""
    near = extreme(cells, np.ones((_BLOCK + 2, _BLOCK + 2), np.uint8), anchor=(1, 1))
    return np.asarray(near[::_BLOCK, ::_BLOCK].ravel())


def _bound(
    high: np.ndarray, low: np.ndarray, top: np.ndarray, wanted: np.ndarray, norm: float
) -> np.ndarray:
    """Q n float32: the most that heat - round(distance) can be in each block, rounded up."""
    far = np.zeros((len(wanted), len(high)), np.float32)
    gap, other = np.empty_like(far), np.empty_like(far)
    for least, most, tag in zip(low, top, wanted.T.astype(np.float32), strict=True):
        np.subtract(least, tag[:, None], out=gap)
        np.subtract(tag[:, None], most, out=other)
        np.maximum(gap, other, out=gap)
        np.maximum(gap, 0, out=gap)
        if len(low) > 1:
            np.square(gap, out=gap)
        far += gap
    if len(low) > 1:
        np.sqrt(far, out=far)
    if norm != 1:
        far *= norm
    np.subtract(far, 1e-4, out=far)
    np.rint(far, out=far)
    np.subtract(high, far, out=far)
    far += 1e-5
    return far
