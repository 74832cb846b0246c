"""OCHuman (Zhang et al. 2019): heavily occluded people for testing, COCO's 17 joints.

``ochuman:FILE.json[@IMAGES][#val|#test]`` where FILE is the native ``ochuman.json``; its COCO
conversions are read by ``coco:``. Head and neck of the native file are left out. As in the official
conversion areas are those of the boxes, and the splits, the first 2500 pictures and the rest, are
of pictures with somebody who has both keypoints and masks; all others there become crowd rows.
"""

from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.datasets.bad import Bad, Records, usable
from vitruvian.datasets.table import (
    Columns,
    Table,
    Where,
    parse_where,
    people_table,
    read_json,
)

_VAL_PICTURES = 2500


def ochuman(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``FILE.json[@IMAGES][#val|#test]``."""
    where, bad = parse_where(argument, splits=("val", "test")), bad or Bad()
    data = read_json(where.path)
    if not isinstance(data, dict) or not {"images", "keypoint_names"} <= set(data):
        raise InputError(f"{where.path}: no 'images' or 'keypoint_names'; expected ochuman.json")
    bones = skeleton("coco17")
    order, flags = _columns(where.path, data, bones), _flags(where.path, data)

    def build(lists: dict[str, Records]) -> Table:
        pictures = Columns(where.path, "images", _chosen(lists["images"], where), data["images"])
        return _table(where, pictures, bones, order, flags, len(data["keypoint_names"]), bad)

    def good(lists: dict[str, Records]) -> list[dict[str, Any]]:
        pictures = Columns(where.path, "images", lists["images"], data["images"])
        given = pictures.values("annotations")
        fits = [isinstance(a, list) and all(isinstance(p, dict) for p in a) for a in given]
        pictures.check(np.array(fits, bool), "annotations", "expected a list of objects")
        return list(pictures.records)

    images = usable(good, {"images": data["images"]}, bad)
    return usable(build, {"images": images}, bad)


def _chosen(pictures: Records, where: Where) -> Records:
    whole = [p for p in pictures if any(map(_whole, p["annotations"]))]
    return {"val": whole[:_VAL_PICTURES], "test": whole[_VAL_PICTURES:], "": pictures}[where.split]


def _table(
    where: Where,
    pictures: Columns,
    bones: Skeleton,
    order: list[int],
    flags: np.ndarray,
    width: int,
    bad: Bad,
) -> Table:
    names = pictures.texts("file_name")
    sides = [pictures.numbers(side, np.int64) for side in ("height", "width")]
    absent = [0] * (3 * width)
    rows = [
        person
        | {
            "picture": at,
            "keypoints": person.get("keypoints") or absent,
            "ignored": bool(where.split) and not _whole(person),
        }
        for at, picture in enumerate(pictures.records)
        for person in picture["annotations"]
    ]

    def build(lists: dict[str, Records]) -> Table:
        column = Columns(where.path, "people", lists["people"])
        points = column.numbers("keypoints", np.float32, width=3 * width)
        points = points.reshape(-1, width, 3)[:, order]
        column.check(np.isin(points[:, :, 2], range(4)).all(1), "keypoints", "flags are 0 … 3")
        visible = flags[points[:, :, 2].astype(np.int64)]
        boxes = column.numbers("bbox", np.float32, width=4)
        return people_table(
            folder=where.images or where.path.parent / "images",
            names=names,
            picture_of=column.numbers("picture", np.int64),
            skeleton=bones,
            xy=np.where(visible[:, :, None] > 0, points[:, :, :2], np.float32(np.nan)),
            visible=visible,
            boxes=boxes,
            source="ochuman",
            sizes=np.stack(sides, 1),
            area=(boxes[:, 2:] - boxes[:, :2]).prod(1),
            crowd=np.array(column.values("ignored"), bool),
            fully_annotated=np.ones(len(names), bool),
        )

    return usable(build, {"people": rows}, bad)


def _whole(person: dict[str, Any]) -> bool:
    return bool(person.get("keypoints")) and bool(person.get("segms"))


def _columns(file: Path, data: dict[str, Any], bones: Skeleton) -> list[int]:
    names = list(data["keypoint_names"])
    if missing := sorted(set(bones.keypoints) - set(names)):
        raise InputError(f"{file}: keypoint_names lacks {missing}")
    return [names.index(name) for name in bones.keypoints]


def _flags(file: Path, data: dict[str, Any]) -> np.ndarray:
    """COCO flag of each native one: hidden by oneself is visible, by others is hidden."""
    native = data.get("keypoint_visible", {})
    flags = np.zeros(4, np.uint8)
    for name, ours in {"missing": 0, "vis": 2, "self_occluded": 2, "others_occluded": 1}.items():
        if native.get(name) not in range(4):
            raise InputError(f"{file}: keypoint_visible has no {name!r} of 0 … 3")
        flags[native[name]] = ours
    return flags
