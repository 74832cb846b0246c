"""AI Challenger human keypoints (Wu et al. 2017): 300 000 pictures, 14 joints.

``aic:ANNOTATIONS.json@IMAGES``. Its flags are 1 visible, 2 hidden, 3 not labelled.
"""

from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.table import Columns, Table, parse_where, people_table, read_json

_COCO_FLAG = np.array([0, 2, 1, 0], np.uint8)


def aic(argument: str) -> Table:
    """Data set of ``ANNOTATIONS.json@IMAGES``."""
    where = parse_where(argument)
    pictures = read_json(where.path)
    if not isinstance(pictures, list) or not all(isinstance(p, dict) for p in pictures):
        raise InputError(f"{where.path}: expected a list of objects, one per picture")
    names = Columns(where.path, "pictures", pictures).texts("image_id")
    groups = [_people(where.path, at, picture) for at, picture in enumerate(pictures)]
    column = Columns(where.path, "people", [person for people in groups for person in people])
    points = column.numbers("keypoints", np.float32, width=42).reshape(-1, 14, 3)
    column.check(np.isin(points[:, :, 2], (1, 2, 3)).all(1), "keypoints", "flags are 1, 2 or 3")
    visible = _COCO_FLAG[points[:, :, 2].astype(np.int64)]
    return people_table(
        folder=where.images or where.path.parent,
        names=[f"{name}.jpg" for name in names],
        picture_of=np.repeat(np.arange(len(names)), [len(people) for people in groups]),
        skeleton=skeleton("aic14"),
        xy=np.where(visible[:, :, None] > 0, points[:, :, :2], np.float32(np.nan)),
        visible=visible,
        boxes=column.numbers("box", np.float32, width=4),
        source="aic",
        fully_annotated=np.ones(len(names), bool),
    )


def _people(file: Path, at: int, picture: dict[str, Any]) -> list[dict[str, object]]:
    """People of a picture, in the order of its boxes."""
    boxes, points = (picture.get(f"{kind}_annotations", {}) for kind in ("human", "keypoint"))
    if set(boxes) != set(points):
        odd = sorted(set(boxes) ^ set(points))
        raise InputError(
            f"{file}: pictures[{at}] ({picture['image_id']}): {odd} have a box or keypoints alone"
        )
    identity = picture["image_id"]
    return [
        {"id": f"{identity} {name}", "box": boxes[name], "keypoints": points[name]}
        for name in boxes
    ]
