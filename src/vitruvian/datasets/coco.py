"""COCO person keypoints (Lin et al. 2014) and everything that borrowed its JSON; any K.

``coco:ANNOTATIONS.json[@IMAGES_DIR]``. Beside the official fields an image may say ``source`` (name
of the data set it came from) and ``fully_annotated`` (false: unlabelled people may be in it).
"""

import json
import logging
from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton, skeleton, skeleton_names
from vitruvian.core.types import Boxes
from vitruvian.datasets import long_lists
from vitruvian.datasets.table import (
    BOX_TO_AREA,
    Columns,
    Table,
    offsets,
    parse_where,
    read_json,
    require,
)

_log = logging.getLogger(__name__)

_parse = partial(long_lists.parse, skip="segmentation", rows="keypoints")


def coco(argument: str) -> Table:
    """Data set of ``ANNOTATIONS.json[@IMAGES_DIR]``."""
    where = parse_where(argument)
    return coco_keypoints(where.path, where.images)


def coco_keypoints(
    annotations: Path | str,
    images: Path | str | None = None,
    *,
    skeleton: Skeleton | None = None,
) -> Table:
    """Labels of a COCO-keypoints JSON; pictures without people are kept (N = 0).

    Args:
        annotations: The JSON.
        images: Folder of the pictures; found beside the JSON when not given.
        skeleton: Keypoints of the file; taken from its categories when not given.

    Raises:
        InputError: The file is missing, truncated or not COCO keypoints; names record and field.
    """
    file = Path(annotations)
    folder = None if images is None else Path(images)
    return coco_table(load_coco(file), file, folder, skeleton=skeleton)


def load_coco(file: Path) -> dict[str, Any]:
    """Content of a COCO JSON without its polygons.

    Raises:
        InputError: The file is missing, truncated or has no images.
    """
    data = read_json(file, _parse)
    if not isinstance(data, dict) or not isinstance(data.get("images"), list):
        raise InputError(f"{file}: no 'images' list; expected COCO keypoints annotations")
    for kind in ("images", "annotations", "categories"):
        if not all(isinstance(r, dict) for r in data.get(kind, ())):
            raise InputError(f"{file}: {kind!r} must be a list of objects")
    return data


def coco_table(
    data: dict[str, Any],
    file: Path,
    images: Path | None,
    *,
    skeleton: Skeleton | None = None,
    source: str = "coco",
) -> Table:
    """Table of the content of a COCO JSON; ``file`` is its name in errors.

    Raises:
        InputError: It is not COCO keypoints; names record and field.
    """
    bones = skeleton or _skeleton(data, file)
    wanted = _category_ids(data, bones)
    people = [a for a in data.get("annotations", ()) if a.get("category_id") in wanted]
    pictures = data["images"]
    column = Columns(file, "images", pictures)
    ids = column.numbers("id", np.int64)
    if len(np.unique(ids)) != len(ids):
        raise InputError(f"{file}: two images share an id; image ids must be unique")
    names = column.texts("file_name")
    picture_of, rows = _group(file, people, ids)
    people = [people[i] for i in rows]
    return Table(
        folder=images or _find_images(file, names),
        names=names,
        sizes=np.stack([column.numbers(side, np.int64) for side in ("height", "width")], 1),
        image_ids=ids,
        first=offsets(np.bincount(picture_of, minlength=len(ids))),
        skeleton=bones,
        fully_annotated=np.array([p.get("fully_annotated", True) for p in pictures], bool),
        sources=[str(p.get("source", source)) for p in pictures],
        **_people_columns(file, people, len(bones)),
    )


def coco_boxes(file: Path | str, *, category: int = 1) -> dict[int, Boxes]:
    """Person boxes of a COCO results file by image id, best first.

    Args:
        file: JSON list of objects with ``image_id``, ``category_id``, ``bbox`` and ``score``.
        category: Rows of other categories are left out.

    Raises:
        InputError: The file is missing, truncated or something else; names record and field.
    """
    path = require(Path(file), "file of boxes")
    rows = read_json(path)
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{path}: expected COCO results, a list of objects")
    rows = [row for row in rows if row.get("category_id", category) == category]
    column = Columns(path, "results", rows)
    image_ids, scores = column.numbers("image_id", np.int64), column.numbers("score", np.float32)
    xyxy = _xyxy(column)
    order = np.lexsort((-scores, image_ids))
    found, first = np.unique(image_ids[order], return_index=True)
    groups = zip(found.tolist(), pairwise([*first, len(order)]), strict=True)
    return {
        image_id: Boxes(xyxy=xyxy[order[a:b]], scores=scores[order[a:b]])
        for image_id, (a, b) in groups
    }


def _people_columns(file: Path, people: list[dict[str, Any]], count: int) -> dict[str, Any]:
    column = Columns(file, "annotations", people)
    points = column.numbers("keypoints", np.float32, width=3 * count).reshape(-1, count, 3)
    flag = points[:, :, 2]
    column.check(
        np.isfinite(points).all((1, 2)) & (flag >= 0).all(1) & (flag <= 2).all(1),
        "keypoints",
        "numbers must be finite and visibility flags 0, 1 or 2",
    )
    boxes = _xyxy(column)
    return {
        "xy": np.where(flag[:, :, None] > 0, points[:, :, :2], np.float32(np.nan)),
        "visible": np.ceil(flag).astype(np.uint8),
        "boxes": boxes,
        "area": _areas(column, people, boxes),
        "crowd": np.array([bool(a.get("iscrowd", 0)) for a in people], bool),
        "ids": column.numbers("id", np.int64),
    }


def _xyxy(column: Columns) -> np.ndarray:
    box = column.numbers("bbox", np.float32, width=4)
    column.check(
        np.isfinite(box).all(1) & (box[:, 2:] >= 0).all(1),
        "bbox",
        "must be [x, y, w, h], no side negative",
    )
    return np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1)


def _areas(column: Columns, people: list[dict[str, Any]], boxes: np.ndarray) -> np.ndarray:
    missing = sum("area" not in a for a in people)
    if not missing:
        return column.numbers("area", np.float32)
    lacking = f"{missing} of {len(people)} annotations have no area"
    _log.warning("%s: %s; taking %g of the box", column.file, lacking, BOX_TO_AREA)
    derived = BOX_TO_AREA * (boxes[:, 2:] - boxes[:, :2]).prod(1)
    given = [a.get("area", d) for a, d in zip(people, derived, strict=True)]
    return np.array(given, np.float32)


def _skeleton(data: dict[str, Any], file: Path) -> Skeleton:
    with_points = [c for c in data.get("categories", ()) if c.get("keypoints")]
    if not with_points:
        raise InputError(f"{file}: no category lists 'keypoints'; give a skeleton")
    if len({tuple(c["keypoints"]) for c in with_points}) > 1:
        names = [c.get("name") for c in with_points]
        raise InputError(f"{file}: categories {names} have different keypoints; keep one of them")
    keypoints = tuple(map(str, with_points[0]["keypoints"]))
    for known in map(skeleton, skeleton_names()):
        if known.keypoints == keypoints:
            return known
    return _new_skeleton(with_points[0], keypoints, file)


def _new_skeleton(category: dict[str, Any], names: tuple[str, ...], file: Path) -> Skeleton:
    limbs = np.array(category.get("skeleton") or [], np.int64).reshape(-1, 2) - 1
    if limbs.size and not (limbs.min() >= 0 and limbs.max() < len(names)):
        # CrowdPose ships COCO's 17-point list with 14 keypoints.
        _log.warning("%s: 'skeleton' does not fit %d keypoints; left out", file, len(names))
        limbs = limbs[:0]
    swaps = [(n, n.replace("left", "right")) for n in names if "left" in n]
    return Skeleton(
        name=str(category.get("name", file.stem)),
        keypoints=names,
        swaps=tuple(pair for pair in swaps if pair[1] in names),
        limbs=tuple((names[a], names[b]) for a, b in limbs),
        source=str(file.name),
    )


def _category_ids(data: dict[str, Any], bones: Skeleton) -> set[int]:
    kinds = data.get("categories", ())
    named = {c["id"] for c in kinds if tuple(c.get("keypoints", ())) == bones.keypoints}
    return named or {c["id"] for c in kinds}


def _group(
    file: Path, people: list[dict[str, Any]], ids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Picture of each person, and the people's order by picture (that of the file within one)."""
    column = Columns(file, "annotations", people)
    wanted = column.numbers("image_id", np.int64)
    order = np.argsort(ids)
    at = np.searchsorted(ids[order], wanted).clip(max=max(len(ids) - 1, 0))
    known = ids[order][at] == wanted if len(ids) else np.zeros(len(wanted), bool)
    column.check(known, "image_id", "no image has this id")
    picture_of = order[at] if len(ids) else at
    return picture_of, np.argsort(picture_of, kind="stable")


def _find_images(file: Path, names: Sequence[str]) -> Path:
    """Folder that holds the first picture: the layouts in common use, else ``../images``."""
    root, split = file.parent.parent, file.stem.rpartition("_")[2]
    places = [root / "images", root / "images" / split, root / split, file.parent, root]
    return next((p for p in places if names and (p / names[0]).is_file()), places[0])


def write_coco(table: Table, file: Path | str) -> None:
    """The labels as COCO-keypoints JSON; what a data set has beside these fields is lost.

    Reading it back gives the same people, flags, boxes, areas, identifiers and sources. File names
    stay relative to the table's folder.
    """
    sizes = [table[i].size for i in range(len(table))]
    images = [
        {
            "id": int(table.image_ids[i]),
            "file_name": table.names[i],
            "height": sizes[i][0],
            "width": sizes[i][1],
            "source": table.sources[i],
            "fully_annotated": bool(table.fully_annotated[i]),
        }
        for i in range(len(table))
    ]
    picture_of = np.repeat(table.image_ids, np.diff(table.first))
    flags = table.visible[:, :, None].astype(np.float64)
    points = np.concatenate([np.nan_to_num(table.xy.astype(np.float64)), flags], 2)
    corner = table.boxes[:, :2].astype(np.float64)
    boxes = np.concatenate([corner, table.boxes[:, 2:] - corner], 1)
    people = [
        {
            "id": int(table.ids[n]),
            "image_id": int(picture_of[n]),
            "category_id": 1,
            "iscrowd": int(table.crowd[n]),
            "num_keypoints": int((table.visible[n] > 0).sum()),
            "keypoints": points[n].ravel().tolist(),
            "bbox": boxes[n].tolist(),
            "area": float(table.area[n]),
        }
        for n in range(len(points))
    ]
    bones = table.skeleton
    category = {
        "id": 1,
        "name": "person",
        "keypoints": list(bones.keypoints),
        "skeleton": (bones.limb_index + 1).tolist(),
    }
    data = {"images": images, "annotations": people, "categories": [category]}
    Path(file).write_text(json.dumps(data), encoding="utf-8")
