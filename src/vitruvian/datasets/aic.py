"""AI Challenger human keypoints (Wu et al. 2017): 300 000 pictures, 14 joints.

``aic:ANNOTATIONS.json@IMAGES``. Its flags are 1 visible, 2 hidden, 3 not labelled.
"""

from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad, Records, usable
from vitruvian.datasets.table import (
    Columns,
    Table,
    Where,
    parse_where,
    people_table,
    read_json,
)

_COCO_FLAG = np.array([0, 2, 1, 0], np.uint8)


def aic(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ANNOTATIONS.json@IMAGES``."""
    where, bad = parse_where(argument), bad or Bad()
    pictures = read_json(where.path)
    if not isinstance(pictures, list) or not all(isinstance(p, dict) for p in pictures):
        raise InputError(f"{where.path}: expected a list of objects, one per picture")
    names: list[str] = []
    people: list[dict[str, Any]] = []
    for at, picture in enumerate(pictures):
        with bad.record():
            people += _people(where.path, at, picture, len(names))
            names.append(f"{picture['image_id']}.jpg")

    def build(lists: dict[str, Records]) -> Table:
        return _table(where, names, Columns(where.path, "people", lists["people"]))

    return usable(build, {"people": people}, bad)


def _table(where: Where, names: list[str], column: Columns) -> Table:
    points = column.numbers("keypoints", np.float32, width=42).reshape(-1, 14, 3)
    column.check(np.isin(points[:, :, 2], (1, 2, 3)).all(1), "keypoints", "flags are 1, 2 or 3")
    visible = _COCO_FLAG[points[:, :, 2].astype(np.int64)]
    return people_table(
        folder=where.images or where.path.parent,
        names=names,
        picture_of=column.numbers("picture", np.int64),
        skeleton=skeleton("aic14"),
        xy=np.where(visible[:, :, None] > 0, points[:, :, :2], np.float32(np.nan)),
        visible=visible,
        boxes=column.numbers("box", np.float32, width=4),
        source="aic",
        fully_annotated=np.ones(len(names), bool),
    )


def _people(file: Path, at: int, picture: dict[str, Any], row: int) -> list[dict[str, Any]]:
    """People of a picture, which becomes picture ``row`` of ours, in the order of its boxes."""
    if "image_id" not in picture:
        raise InputError(f"{file}: pictures[{at}] has no 'image_id'")
    identity = picture["image_id"]
    boxes, points = (picture.get(f"{kind}_annotations", {}) for kind in ("human", "keypoint"))
    if not (isinstance(boxes, dict) and isinstance(points, dict)):
        raise InputError(f"{file}: pictures[{at}] ({identity}): its annotations are no objects")
    if set(boxes) != set(points):
        odd = sorted(set(boxes) ^ set(points))
        text = f"pictures[{at}] ({identity}): {odd} have a box or keypoints alone"
        raise InputError(f"{file}: {text}")
    return [
        {"id": f"{identity} {name}", "picture": row, "box": boxes[name], "keypoints": points[name]}
        for name in boxes
    ]
