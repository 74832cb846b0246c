"""COCO person keypoints (Lin et al. 2014) and everything that borrowed its JSON; any K.

``coco:ANNOTATIONS.json[@IMAGES_DIR]``. Beside the official fields an image may say ``source`` (name
of the data set it came from) and ``fully_annotated`` (false: unlabelled people may be in it).
"""

import json
import logging
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Boxes
from vitruvian.datasets.bad import Bad, Records, usable
from vitruvian.datasets.rows import Rows, parse
from vitruvian.datasets.table import (
    BOX_TO_AREA,
    Columns,
    Table,
    known_skeleton,
    offsets,
    pairs_by_name,
    parse_where,
    read_json,
    require,
)

_log = logging.getLogger(__name__)

_ID = {int, float, str}
_parse = partial(parse, skip="segmentation", rows="annotations")


def coco(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ANNOTATIONS.json[@IMAGES_DIR]``."""
    where = parse_where(argument)
    return coco_table(load_coco(where.path), where.path, where.images, bad=bad)


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
        some = data.get(kind, ())
        if not isinstance(some, Rows) and not all(isinstance(r, dict) for r in some):
            raise InputError(f"{file}: {kind!r} must be a list of objects")
    return data


def coco_table(
    data: dict[str, Any],
    file: Path,
    images: Path | None,
    *,
    skeleton: Skeleton | None = None,
    source: str = "coco",
    known: Mapping[str, str] | None = None,
    lists: Mapping[str, int] | None = None,
    bad: Bad | None = None,
) -> Table:
    """Table of the content of a COCO JSON.

    Args:
        data: The content.
        file: Its name in errors.
        images: Folder of the pictures; found beside the JSON when not given.
        skeleton: Keypoints of the file; taken from its categories when not given.
        source: Data set of pictures that do not say.
        known: Numbers of the pictures that become ``picture_fields``: our name -> the file's.
        lists: Lists that the keypoints are in, and how many in each; all in ``keypoints`` when not
            given.
        bad: What to do with records that cannot be used.

    Raises:
        InputError: It is not COCO keypoints; names record and field.
    """
    bad = bad or Bad()
    bones = skeleton or _skeleton(data, file, bad)
    categories = data.get("categories", [])
    wanted = _category_ids(Columns(file, "categories", categories), bones)

    def build(records: Mapping[str, Records | Rows]) -> Table:
        pictures = Columns(file, "images", records["images"], data["images"])
        people = _of(
            wanted, categories, Columns(file, "annotations", records["annotations"], annotations)
        )
        notes.clear()
        return _table(pictures, people, bones, images, source, known, points, notes)

    notes: list[str] = []
    points = lists or {"keypoints": len(bones)}
    annotations = data.get("annotations", [])
    table = None
    if isinstance(annotations, Rows):
        try:
            table = build({"images": data["images"], "annotations": annotations})
        except InputError:  # what is wrong is said, or left out, record by record
            annotations = list(annotations)
    if table is None:
        table = usable(build, {"images": data["images"], "annotations": annotations}, bad)
    bad.notes += notes
    return table


def _of(wanted: set[Any], categories: Records, everybody: Columns) -> Columns:
    """The annotations of the wanted categories."""
    if not categories:
        return everybody
    of = everybody.values("category_id")
    listed = {category["id"] for category in categories}
    if not ({*map(type, of)} <= _ID and {*of} <= listed):
        good = np.array([type(kind) in _ID and kind in listed for kind in of], bool)
        everybody.check(good, "category_id", f"categories are {sorted(map(str, listed))}")
    if {*of} <= wanted:
        return everybody
    return everybody.some(np.flatnonzero([kind in wanted for kind in of]))


def _table(
    pictures: Columns,
    people: Columns,
    bones: Skeleton,
    images: Path | None,
    source: str,
    known: Mapping[str, str] | None,
    points: Mapping[str, int],
    notes: list[str],
) -> Table:
    ids = pictures.numbers("id", np.int64)
    once = np.zeros(len(ids), bool)
    once[np.unique(ids, return_index=True)[1]] = True
    pictures.check(once, "id", "another image has the same")
    names = pictures.texts("file_name")
    picture_of, order = _group(people, ids)
    marks = [(p.get("fully_annotated", True), p.get("source", source)) for p in pictures.records]
    return Table(
        folder=images or _find_images(pictures.file, names),
        names=names,
        sizes=np.stack([pictures.numbers(side, np.int64) for side in ("height", "width")], 1),
        image_ids=ids,
        first=offsets(np.bincount(picture_of, minlength=len(ids))),
        skeleton=bones,
        fully_annotated=np.array([whole for whole, _ in marks], bool),
        sources=[str(name) for _, name in marks],
        picture_fields={
            ours: pictures.numbers(theirs, np.float64) for ours, theirs in (known or {}).items()
        },
        **_people_columns(people.some(order), points, notes),
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


def _people_columns(column: Columns, lists: Mapping[str, int], notes: list[str]) -> dict[str, Any]:
    parts = [_points(column, name, count) for name, count in lists.items()]
    points = np.concatenate(parts, 1) if len(parts) > 1 else parts[0]
    flag = points[:, :, 2]
    notes += _notes(column, points)
    boxes = _xyxy(column)
    return {
        "xy": np.where(flag[:, :, None] > 0, points[:, :, :2], np.float32(np.nan)),
        "visible": np.ceil(flag).astype(np.uint8),
        "boxes": boxes,
        "area": _areas(column, boxes),
        "crowd": _crowd(column),
        "ids": column.numbers("id", np.int64),
    }


def _points(column: Columns, name: str, count: int) -> np.ndarray:
    """Keypoints of one list, P count 3."""
    points = column.numbers(name, np.float32, width=3 * count).reshape(-1, count, 3)
    flag = points[:, :, 2]
    column.check(
        np.isfinite(points).all((1, 2)) & (flag >= 0).all(1) & (flag <= 2).all(1),
        name,
        "numbers must be finite and visibility flags 0, 1 or 2",
    )
    return points


def _notes(column: Columns, points: np.ndarray) -> list[str]:
    """A keypoint that is not labelled lies at (0, 0); elsewhere it may be a flag that is wrong."""
    odd = ((points[:, :, 2] == 0) & (points[:, :, :2] != 0).any(2)).any(1)
    if not odd.any():
        return []
    first = column.records[int(np.argmax(odd))].get("id")
    text = f"{odd.sum()} records have keypoints of flag 0 at a location; first is id {first}"
    return [f"{column.file}: {column.kind}: {text}"]


def _crowd(column: Columns) -> np.ndarray:
    given = column.have("iscrowd")
    crowd: np.ndarray = np.zeros(len(given), bool)
    crowd[given] = [bool(value) for value in _where(column, given).values("iscrowd")]
    return crowd


def _where(column: Columns, chosen: np.ndarray) -> Columns:
    return column if chosen.all() else column.some(np.flatnonzero(chosen))


def _xyxy(column: Columns) -> np.ndarray:
    box = column.numbers("bbox", np.float32, width=4)
    column.check(
        np.isfinite(box).all(1) & (box[:, 2:] >= 0).all(1),
        "bbox",
        "must be [x, y, w, h], no side negative",
    )
    return np.concatenate([box[:, :2], box[:, :2] + box[:, 2:]], 1)


def _areas(column: Columns, boxes: np.ndarray) -> np.ndarray:
    given = column.have("area")
    area: np.ndarray = (BOX_TO_AREA * (boxes[:, 2:] - boxes[:, :2]).prod(1)).astype(np.float32)
    if not given.all():
        lacking = f"{(~given).sum()} of {len(given)} annotations have no area"
        _log.warning("%s: %s; taking %g of the box", column.file, lacking, BOX_TO_AREA)
    known = _where(column, given)
    area[given] = known.numbers("area", np.float32)
    known.check(np.isfinite(area[given]), "area", "must be finite")
    return area


def _skeleton(data: dict[str, Any], file: Path, bad: Bad) -> Skeleton:
    with_points = [c for c in data.get("categories", ()) if c.get("keypoints")]
    if not with_points:
        raise InputError(f"{file}: no category lists 'keypoints'; give a skeleton")
    kinds: dict[tuple[str, ...], dict[str, Any]] = {}
    for category in with_points:
        kinds.setdefault(tuple(map(str, category["keypoints"])), category)
    if len(kinds) > 1:
        names = [c.get("name") for c in with_points]
        bad(InputError(f"{file}: categories {names} have different keypoints; keep one of them"))
    keypoints = (
        max(kinds, key=lambda k: _count(data, with_points, k))
        if len(kinds) > 1
        else next(iter(kinds))
    )
    return known_skeleton(keypoints) or _new_skeleton(kinds[keypoints], keypoints, file)


def _count(data: dict[str, Any], kinds: Records, keypoints: tuple[str, ...]) -> int:
    """How many annotations are of a category with these keypoints."""
    ids = {c.get("id") for c in kinds if tuple(map(str, c["keypoints"])) == keypoints}
    return sum(a.get("category_id") in ids for a in data.get("annotations", ()))


def _new_skeleton(category: dict[str, Any], names: tuple[str, ...], file: Path) -> Skeleton:
    limbs = np.array(category.get("skeleton") or [], np.int64).reshape(-1, 2) - 1
    if limbs.size and not (limbs.min() >= 0 and limbs.max() < len(names)):
        # CrowdPose ships COCO's 17-point list with 14 keypoints.
        _log.warning("%s: 'skeleton' does not fit %d keypoints; left out", file, len(names))
        limbs = limbs[:0]
    about = {
        "name": category.get("name", file.stem),
        "keypoints": names,
        "swaps": category.get("swaps", pairs_by_name(names)),
        "limbs": [(names[a], names[b]) for a, b in limbs],
        "parents": category.get("parents", ()),
        "sigmas": category.get("sigmas", ()),
        "source": file.name,
    }
    try:
        return Skeleton.from_json(about)
    except InputError as error:
        raise InputError(f"{file}: categories: {error}") from error


def _category_ids(column: Columns, bones: Skeleton) -> set[Any]:
    kinds = zip(column.records, column.values("id"), strict=True)
    rows = [(tuple(map(str, c.get("keypoints") or ())), identity) for c, identity in kinds]
    named = {identity for keypoints, identity in rows if keypoints == bones.keypoints}
    return named or {identity for _, identity in rows}


def _group(column: Columns, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Picture of each person, and the people's order by picture (that of the file within one)."""
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


def write_coco(table: Table, argument: Path | str) -> None:
    """The labels as COCO-keypoints JSON; what a data set has beside these fields is lost.

    Reading it back gives the same people, flags, boxes, areas, identifiers and sources, and of a
    skeleton that is not shipped names, pairs, limbs and sigmas. File names stay relative to the
    table's folder.
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
    if known_skeleton(bones.keypoints) is None:
        about = bones.to_json()
        category |= {key: about[key] for key in ("name", "swaps", "parents", "sigmas")}
    data = {"images": images, "annotations": people, "categories": [category]}
    parse_where(str(argument)).path.write_text(json.dumps(data), encoding="utf-8")
