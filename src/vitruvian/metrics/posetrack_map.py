"""PoseTrack mAP (Andriluka et al. 2018, poseval): MPII's multi-person AP over labelled frames.

Three things differ from MPII. Frames without a labelled person are left out, with the poses in
them. Joints strictly inside a region to ignore are taken off both sides. Of equal scores the last
counts as better.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

import cv2
import numpy as np
from jaxtyping import Float

from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.metrics.mpii_map import mpii_map

People = TypeVar("People", Sample, Poses)
Polygon = Float[np.ndarray, "_ 2"]


def posetrack_map(
    truth: Sequence[Sample],
    found: Sequence[Poses],
    heads: Sequence[Float[np.ndarray, "_ 4"]],
    regions: Sequence[Sequence[Polygon]],
) -> dict[str, float]:
    """Average precision of each joint in [0, 1], NaN where it has no label; mAP is their mean.

    Args:
        truth: Labels; crowd rows do not count.
        found: Poses of the same frames, of the same skeleton.
        heads: Head rectangles of each frame's people, xyxy.
        regions: Polygons of each frame to ignore, image pixels;
            ``picture_fields["ignore"]`` of the data set.

    Raises:
        InputError: They do not fit.
    """
    labels = [_outside(sample, some) for sample, some in zip(truth, regions, strict=True)]
    poses = [_outside(people, some) for people, some in zip(found, regions, strict=True)]
    counted = [i for i, s in enumerate(labels) if (s.visible[~s.crowd] > 0).any()]
    return mpii_map(
        [labels[i] for i in counted],
        [poses[i] for i in counted],
        [heads[i] for i in counted],
        exclude=(),
        ties="last",
    )


def _outside(people: People, regions: Sequence[Polygon]) -> People:
    """The same people without the joints inside a region."""
    inside = np.zeros(people.xy.shape[:2], bool)
    for region in regions:
        polygon = region.astype(np.float32).reshape(-1, 1, 2)
        for at in zip(*np.nonzero(~np.isnan(people.xy).any(2)), strict=True):
            x, y = people.xy[at].tolist()
            inside[at] |= cv2.pointPolygonTest(polygon, (x, y), measureDist=False) > 0
    xy = np.where(inside[:, :, None], np.float32(np.nan), people.xy)
    if isinstance(people, Poses):
        return replace(people, xy=xy)
    return replace(people, xy=xy, visible=np.where(inside, 0, people.visible).astype(np.uint8))
