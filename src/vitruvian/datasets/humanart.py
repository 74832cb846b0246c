"""Human-Art (Ju et al. 2023): natural and artificial scenes in COCO's JSON, 17 joints.

``humanart:ANNOTATIONS.json[@ROOT]``; file names start with ``HumanArt/images``, below ROOT. Its
four points of fingers and toes (``keypoints_21``) are left out.
"""

from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.coco import coco_table, load_coco
from vitruvian.datasets.table import Table, parse_where


def humanart(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ANNOTATIONS.json[@ROOT]``."""
    where = parse_where(argument)
    data = load_coco(where.path)
    # The category lists 21 names, "keypoints" has the first 17.
    bones = skeleton("coco17")
    return coco_table(data, where.path, where.images, skeleton=bones, source="humanart", bad=bad)
