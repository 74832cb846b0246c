"""MPII Human Pose (Andriluka et al. 2014): 24 987 pictures, 16 joints; the four files in use.

``mpii:FILE[@IMAGES][#train|#val|#test]`` where FILE is the official ``.mat``, a ``.json`` of the
HRNet family or of CPM, or an ``.h5`` of the hourglass family. HRNet's and the hourglass's files are
splits already; ``#val`` is marked in CPM's alone. All are 1-based and become 0-based. The set has
no person boxes: the box is the square of 200 scale pixels that HRNet crops around, its centre 15
scale pixels below the labelled one.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad, Records, usable
from vitruvian.datasets.hdf5 import load_h5, texts
from vitruvian.datasets.matlab import has, layout, load_mat, structs
from vitruvian.datasets.table import (
    Columns,
    Table,
    Where,
    by_picture,
    parse_where,
    people_table,
    read_json,
)

JOINTS = 16


def mpii(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``FILE[@IMAGES][#train|#val|#test]``."""
    where = parse_where(argument, splits=("train", "val", "test"))
    readers = {".mat": _from_mat, ".json": _from_json, ".h5": _from_h5}
    if where.path.suffix not in readers:
        raise InputError(f"{where.path}: MPII labels are .mat, .json or .h5 files")
    return readers[where.path.suffix](where, bad or Bad())


@dataclass(frozen=True, slots=True, kw_only=True)
class _People:
    """Rows of people in ascending order of picture, 1-based pixels as in the files."""

    names: list[str]
    picture_of: np.ndarray
    xy: Float[np.ndarray, "P 16 2"]
    visible: UInt8[np.ndarray, "P 16"]
    centre: Float[np.ndarray, "P 2"]
    scale: Float[np.ndarray, " P"]


def _table(where: Where, people: _People, **known: np.ndarray) -> Table:
    centre = people.centre - 1 + np.stack([np.zeros_like(people.scale), 15 * people.scale], 1)
    half = 100 * people.scale[:, None]
    xy = np.where(people.visible[:, :, None] > 0, people.xy - 1, np.nan)
    return people_table(
        folder=where.images or where.path.parent / "images",
        names=people.names,
        picture_of=people.picture_of,
        skeleton=skeleton("mpii16"),
        xy=xy.astype(np.float32),
        visible=people.visible,
        boxes=np.concatenate([centre - half, centre + half], 1).astype(np.float32),
        source="mpii",
        person_fields={"scale": people.scale, **known},
    )


def _from_mat(where: Where, bad: Bad) -> Table:
    """The official file; people without position or scale are left out, as in every split."""
    release = load_mat(where.path, variable="RELEASE", squeeze=True)
    wanted = {"train": (1,), "test": (0,), "": (0, 1)}.get(where.split)
    if wanted is None:
        raise InputError(f"{where.path}: it does not say what is {where.split}; train or test")
    with layout(where.path, "RELEASE"):
        pictures = zip(structs(release.annolist), np.atleast_1d(release.img_train), strict=True)
        chosen = [(n, p) for n, (p, train) in enumerate(pictures) if int(train) in wanted]
    names: list[str] = []
    picture_of: list[int] = []
    rows: list[list[float]] = []
    for n, picture in chosen:
        with bad.record(), layout(where.path, f"annolist({n + 1})"):
            name, people = str(picture.image.name), [_person(rect) for rect in _rects(picture)]
            picture_of += [len(names)] * len(people)
            names.append(name)
            rows += people
    # x, y, visibility of 16 joints; x, y, scale of the person; x1, y1, x2, y2 of the head.
    table = np.array(rows, np.float64).reshape(-1, 3 * JOINTS + 7)
    points, position, head = np.split(table, [3 * JOINTS, 3 * JOINTS + 3], axis=1)
    points = points.reshape(-1, JOINTS, 3)
    found = _People(
        names=names,
        picture_of=np.array(picture_of, np.int64),
        xy=points[:, :, :2],
        visible=points[:, :, 2].astype(np.uint8),
        centre=position[:, :2],
        scale=position[:, 2],
    )
    return _table(where, found, head=head.astype(np.float32) - 1)


def _rects(picture: Any) -> Iterator[Any]:
    rects = structs(picture.annorect) if has(picture, "annorect") else []
    yield from (r for r in rects if has(r, "objpos", "x") and has(r, "scale"))


def _person(rect: Any) -> list[float]:
    head = [float(getattr(rect, side)) for side in ("x1", "y1", "x2", "y2")]
    place = (rect.objpos.x, rect.objpos.y, rect.scale)
    return [*_points(rect).ravel(), *map(float, place), *head]


def _points(rect: Any) -> Float[np.ndarray, "16 3"]:
    """x, y and COCO visibility by joint id: points come in any order, and not all of them."""
    rows = np.zeros((JOINTS, 3))
    points = structs(rect.annopoints.point) if has(rect, "annopoints", "point") else []
    for point in points:
        # "is_visible" may be absent, empty, a number or a character; unknown is visible.
        seen = int(point.is_visible) if has(point, "is_visible") else 1
        rows[int(point.id)] = point.x, point.y, 2 if seen else 1
    return rows


def _from_json(where: Where, bad: Bad) -> Table:
    """A list of people with joints, joints_vis, centre and scale; -1 is no centre."""
    rows = read_json(where.path)
    if isinstance(rows, dict) and "root" in rows:
        rows = rows["root"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InputError(f"{where.path}: expected a list of objects, one per person")
    untold = {"joints": [[-1, -1]] * JOINTS, "joints_vis": [0] * JOINTS}

    def build(lists: dict[str, Records]) -> Table:
        column = Columns(where.path, "people", lists["people"], people)
        joints = column.numbers("joints", np.float64, width=2 * JOINTS)
        visible = column.numbers("joints_vis", np.int64, width=JOINTS)
        return _by_picture(
            where,
            column.texts("image"),
            joints.reshape(-1, JOINTS, 2),
            visible.clip(0, 2).astype(np.uint8),
            column.numbers("center", np.float64, width=2),
            column.numbers("scale", np.float64),
        )

    people = [
        _flat_of_cpm(row) if "joint_self" in row else _flat(untold | row)
        for row in rows
        if row.get("isValidation", where.split == "val") == (where.split == "val")
        or not where.split
    ]
    return usable(build, {"people": people}, bad)


def _flat_of_cpm(row: dict[str, Any]) -> dict[str, Any]:
    """The record of CPM's with HRNet's names; its third number is 1 visible, 0 hidden."""
    names = {"image": "img_paths", "center": "objpos", "scale": "scale_provided"}
    found = {ours: row[theirs] for ours, theirs in names.items() if theirs in row}
    try:
        points = [(float(x), float(y), float(v)) for x, y, v in row["joint_self"]]
    except (TypeError, ValueError):
        return found | {"joints": row["joint_self"]}
    return found | {
        "joints": [number for x, y, _ in points for number in (x, y)],
        "joints_vis": [(2 if v else 1) if x or y else 0 for x, y, v in points],
    }


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """The record with its joints, pairs of numbers, as one list; what is labelled is visible."""
    try:
        joints = [number for pair in row["joints"] for number in pair]
        return row | {"joints": joints, "joints_vis": [2 * (v > 0) for v in row["joints_vis"]]}
    except TypeError:
        return row


def _from_h5(where: Where, _bad: Bad) -> Table:
    """Arrays part, visible, center, scale, imgname; a part at or below (0, 0) is not labelled.

    The ``valid.h5`` in circulation already has the centre moved by 15 scale and the scale enlarged
    by 1.25; both are undone.
    """
    names, parts, seen, centre, scale, length = load_h5(
        where.path, ("imgname", "part", "visible", "center", "scale", "normalize")
    )
    visible = np.where(seen > 0, 2, 1) * (parts > 0).any(2)
    scale = scale / 1.25
    centre = centre - np.stack([np.zeros_like(scale), 15 * scale], 1)
    return _by_picture(where, texts(names), parts, visible, centre, scale, head_length=length)


def _by_picture(
    where: Where,
    pictures: list[str],
    xy: np.ndarray,
    visible: np.ndarray,
    centre: np.ndarray,
    scale: np.ndarray,
    **known: np.ndarray,
) -> Table:
    """Rows of people with the name of each one's picture, as the derived files have them."""
    names, picture_of, order = by_picture(pictures)
    people = _People(
        names=names,
        picture_of=picture_of,
        xy=xy[order],
        visible=visible[order].astype(np.uint8),
        centre=centre[order],
        scale=scale[order],
    )
    return _table(where, people, **{name: column[order] for name, column in known.items()})
