"""Keypoints of one skeleton as keypoints of another, by three rules and no guessing.

1. A joint that the target defines as the mean of others (``Skeleton.derived``) is that mean.
2. Otherwise a joint of the same name, derived alike or not at all, is copied.
3. Everything else is missing: NaN, score 0, visibility 0.
"""

from dataclasses import replace
from functools import cache
from typing import overload

import numpy as np
from jaxtyping import Float32, Shaped

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton


@cache
def inputs(source: Skeleton, target: Skeleton) -> tuple[tuple[str, ...], ...]:
    """For each keypoint of ``target`` those of ``source`` whose mean it is; () is missing."""
    return tuple(_inputs(name, source, target) for name in target.keypoints)


def missing(source: Skeleton, target: Skeleton) -> tuple[str, ...]:
    """Keypoints of ``target`` that ``source`` cannot give."""
    rules = zip(target.keypoints, inputs(source, target), strict=True)
    return tuple(name for name, rule in rules if not rule)


def _inputs(name: str, source: Skeleton, target: Skeleton) -> tuple[str, ...]:
    means, theirs = dict(target.derived).get(name), dict(source.derived).get(name)
    if name in source.keypoints and set(means or ()) == set(theirs or ()):
        return (name,)
    if means and set(means) <= set(source.keypoints):
        return means
    return ()


def convert_keypoints(
    xy: Float32[np.ndarray, "N K 2"],
    marks: Shaped[np.ndarray, "N K"],
    source: Skeleton,
    target: Skeleton,
) -> tuple[Float32[np.ndarray, "N J 2"], Shaped[np.ndarray, "N J"]]:
    """Keypoints of ``source`` (K of them) as keypoints of ``target`` (J of them).

    Args:
        xy: N K 2 in any frame; NaN where absent.
        marks: N K scores in [0, 1] or visibilities 0, 1, 2; a mean is as good as its worst input.
        source: Skeleton of the given keypoints.
        target: Skeleton of the returned ones.

    Raises:
        InputError: The arrays do not have the keypoints of ``source``.
    """
    if xy.shape != (*marks.shape, 2) or xy.shape[1] != len(source):
        raise InputError(
            f"keypoints {xy.shape} with marks {marks.shape} do not fit skeleton {source.name!r}; "
            f"give N {len(source)} 2 and N {len(source)}"
        )
    moved = np.full((len(xy), len(target), 2), np.nan, np.float32)
    kept = np.zeros((len(xy), len(target)), marks.dtype)
    for k, rule in enumerate(inputs(source, target)):
        if rule:
            columns = [source.index(name) for name in rule]
            moved[:, k] = xy[:, columns].mean(1)
            kept[:, k] = marks[:, columns].min(1)
    return moved, kept


@overload
def convert(people: Poses, target: Skeleton) -> Poses: ...
@overload
def convert(people: Sample, target: Skeleton) -> Sample: ...
def convert(people: Poses | Sample, target: Skeleton) -> Poses | Sample:
    """The same people with the keypoints of ``target``; :func:`missing` names the lost ones."""
    if isinstance(people, Poses):
        xy, scores = convert_keypoints(people.xy, people.scores, people.skeleton, target)
        return replace(people, xy=xy, scores=scores, skeleton=target)
    xy, visible = convert_keypoints(people.xy, people.visible, people.skeleton, target)
    return replace(people, xy=xy, visible=visible, skeleton=target)
