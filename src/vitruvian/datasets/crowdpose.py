"""CrowdPose (Li et al. 2019): 20 000 pictures of people in each other's way, 14 joints.

``crowdpose:ANNOTATIONS.json[@IMAGES]``. COCO's JSON without areas: they are 0.53 of the box, as its
evaluator takes them. ``picture_fields["crowd_index"]`` is what splits easy, medium and hard.
"""

from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_table, load_coco
from vitruvian.datasets.table import Table, parse_where


def crowdpose(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ANNOTATIONS.json[@IMAGES]``."""
    where = parse_where(argument)
    return coco_table(
        load_coco(where.path),
        where.path,
        where.images,
        skeleton=skeleton("crowdpose14"),
        source="crowdpose",
        known={"crowd_index": "crowdIndex"},
        bad=bad,
    )
