"""CrowdPose (Li et al. 2019): 20 000 pictures of people in each other's way, 14 joints.

``crowdpose:ANNOTATIONS.json[@IMAGES]``. COCO's JSON without areas: they are 0.53 of the box, as its
evaluator takes them. ``picture_fields["crowd_index"]`` is what splits easy, medium and hard.
"""

from dataclasses import replace

import numpy as np

from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.coco import coco_table, load_coco
from vitruvian.datasets.table import Columns, Table, parse_where


def crowdpose(argument: str) -> Table:
    """Data set of ``ANNOTATIONS.json[@IMAGES]``."""
    where = parse_where(argument)
    data = load_coco(where.path)
    bones = skeleton("crowdpose14")
    table = coco_table(data, where.path, where.images, skeleton=bones, source="crowdpose")
    index = Columns(where.path, "images", data["images"]).numbers("crowdIndex", np.float64)
    return replace(table, picture_fields={"crowd_index": index})
