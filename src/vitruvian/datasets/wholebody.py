"""COCO-WholeBody (Jin et al. 2020): COCO's people with feet, face and hands, 133 keypoints.

``wholebody:ANNOTATIONS.json[@IMAGES]``. COCO's JSON with four more lists of keypoints a person;
boxes of face and hands are left out. A flag between 0 and 1 is a point that counts.
"""

from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_table, load_coco
from vitruvian.datasets.table import Table, parse_where

_LISTS = {
    "keypoints": 17,
    "foot_kpts": 6,
    "face_kpts": 68,
    "lefthand_kpts": 21,
    "righthand_kpts": 21,
}


def wholebody(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ANNOTATIONS.json[@IMAGES]``."""
    where = parse_where(argument)
    return coco_table(
        load_coco(where.path),
        where.path,
        where.images,
        skeleton=skeleton("coco_wholebody133"),
        source="wholebody",
        lists=_LISTS,
        bad=bad,
    )
