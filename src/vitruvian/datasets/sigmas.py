"""OKS sigmas of a skeleton, from people whom two annotators labelled."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int64

from vitruvian.core.convert import convert_keypoints
from vitruvian.core.errors import InputError
from vitruvian.datasets.table import Table
from vitruvian.kernels.nms import iou

SAME = 0.5
"""Least overlap of the boxes of one person in both data sets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigmas:
    """How far apart two labels of one keypoint are.

    Attributes:
        names: K keypoints.
        values: K OKS sigmas; NaN where nobody has two labels.
        counts: K int64, people each was measured on.
    """

    names: tuple[str, ...]
    values: Float[np.ndarray, " K"]
    counts: Int64[np.ndarray, " K"]

    def to_json(self) -> Mapping[str, object]:
        """Sigma and count by name; a sigma that is not known is null."""
        rows = zip(self.names, self.values.tolist(), self.counts.tolist(), strict=True)
        return {name: {"sigma": None if s != s else s, "people": n} for name, s, n in rows}


def estimate_sigmas(one: Table, two: Table) -> Sigmas:
    """Sigmas of the keypoints of ``one``, from its people and those of ``two``.

    Pictures are matched by name, people by their boxes. COCO's sigma_k^2 is the mean of d^2 / s^2,
    with d the distance of a label from the truth and s^2 the person's area (cocodataset.org).
    Two annotators are as far from each other as sqrt(2) times either from the truth, so d^2 is half
    of their squared distance; s^2 is the mean of both areas.

    Raises:
        InputError: The data sets have no person in common.
    """
    xy, _ = convert_keypoints(two.xy, two.visible, two.skeleton, one.skeleton)
    at = {name: n for n, name in enumerate(two.names)}
    shares = [np.zeros((0, len(one.skeleton)))]
    for n, name in enumerate(one.names):
        if name in at:
            mine = np.arange(one.first[n], one.first[n + 1])
            theirs = np.arange(two.first[at[name]], two.first[at[name] + 1])
            for a, b in _same(one.boxes[mine], two.boxes[theirs]):
                apart = ((one.xy[mine[a]] - xy[theirs[b]]).astype(np.float64) ** 2).sum(1)
                area = (float(one.area[mine[a]]) + float(two.area[theirs[b]])) / 2
                shares.append(apart[None] / 2 / max(area, 1e-9))
    found = np.concatenate(shares)
    if not len(found):
        raise InputError("the two data sets have no person in common: same file names, same boxes")
    counts = (~np.isnan(found)).sum(0)
    mean = np.nansum(found, 0) / np.maximum(counts, 1)
    values = np.where(counts > 0, np.sqrt(mean), np.nan)
    return Sigmas(names=one.skeleton.keypoints, values=values, counts=counts.astype(np.int64))


def _same(one: Float[np.ndarray, "N 4"], two: Float[np.ndarray, "M 4"]) -> list[tuple[int, int]]:
    """Boxes of the same person: each other's best, of enough overlap."""
    overlap = iou(one, two)
    if not overlap.size:
        return []
    best, back = overlap.argmax(1), overlap.argmax(0)
    return [(a, int(b)) for a, b in enumerate(best) if back[b] == a and overlap[a, b] >= SAME]
