"""Ultralytics YOLO-pose: one text file per picture, one row per person, any K.

``yolo_pose:data.yaml[@ROOT][#train|#val|#test]``; ROOT is what ``path`` in it says when not given,
the split is ``val``. A row is class, box centre and size, then x, y and perhaps a flag of every
keypoint, all as shares of the picture. Without flags a keypoint at (0, 0) is not labelled. Names
come from ``kpt_names``; without them 17 keypoints with COCO's ``flip_idx`` are COCO's, others are
numbered. Objects of every class are people.
"""

import os
import shutil
from ast import literal_eval
from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.table import (
    Table,
    known_skeleton,
    parse_where,
    people_table,
    picture_size,
    read_lines,
    require,
)

_PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"}


def yolo_pose(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``data.yaml[@ROOT][#train|#val|#test]``."""
    where, bad = parse_where(argument, splits=("train", "val", "test")), bad or Bad()
    settings = _settings(where.path)
    shape = _shape(where.path, settings)
    root = where.images or where.path.parent / str(settings.get("path", "."))
    pictures: list[Path] = []
    sizes: list[tuple[int, int]] = []
    groups = [np.zeros((0, 5 + shape[0] * shape[1]))]
    for picture in _pictures(where.path, root, settings, where.split or "val"):
        with bad.record():
            size, rows = picture_size(picture), _rows(_labels_of(picture), shape, bad)
            groups.append(rows)
            sizes.append(size)
            pictures.append(picture)
    picture_of = np.repeat(np.arange(len(pictures)), [len(group) for group in groups[1:]])
    return _table(
        root,
        [str(file.relative_to(root)) for file in pictures],
        np.array(sizes, np.int64).reshape(-1, 2),
        picture_of,
        np.concatenate(groups),
        _skeleton(where.path, settings, shape[0]),
    )


def _table(
    root: Path,
    names: list[str],
    sizes: np.ndarray,
    picture_of: np.ndarray,
    rows: np.ndarray,
    bones: Skeleton,
) -> Table:
    """``rows`` are those of the files, ``picture_of`` ascends."""
    scale = sizes[picture_of][:, ::-1].astype(np.float64)
    width = (rows.shape[1] - 5) // len(bones)
    points = rows[:, 5:].reshape(-1, len(bones), width)
    flags = points[:, :, 2] if width == 3 else 2 * (points[:, :, :2] != 0).any(2)
    centre, half = rows[:, 1:3] * scale, rows[:, 3:5] * scale / 2
    xy = np.where(flags[:, :, None] > 0, points[:, :, :2] * scale[:, None], np.nan)
    return people_table(
        folder=root,
        names=names,
        picture_of=picture_of,
        skeleton=bones,
        xy=xy.astype(np.float32),
        visible=np.ceil(flags).astype(np.uint8),
        boxes=np.concatenate([centre - half, centre + half], 1).astype(np.float32),
        source="yolo_pose",
        sizes=sizes,
        fully_annotated=np.ones(len(names), bool),
    )


def _settings(file: Path) -> dict[str, Any]:
    """The flat part of YAML that these files are written in: no anchors, no deeper nesting."""
    settings: dict[str, Any] = {}
    key = ""
    for number, line in enumerate(read_lines(file, "data.yaml"), 1):
        text = line.split(" #")[0].rstrip()
        if not text.strip() or text.lstrip().startswith("#"):
            continue
        if text.lstrip().startswith("- ") or text[0] == " ":
            _add(settings, key, text.strip(), f"{file}: line {number}")
            continue
        key, colon, value = (part.strip() for part in text.partition(":"))
        if not colon:
            raise InputError(f"{file}: line {number} is {line!r}; expected KEY: VALUE")
        settings[key] = _value(value) if value else None
    return settings


def _add(settings: dict[str, Any], key: str, text: str, where: str) -> None:
    """One more line of a list or of a mapping below ``key``."""
    empty: list[Any] | dict[Any, Any] = [] if text.startswith("- ") else {}
    if settings.get(key) is None:
        settings[key] = empty
    under = settings[key]
    if isinstance(under, list) and text.startswith("- "):
        under.append(_value(text[2:].strip()))
        return
    name, colon, value = (part.strip() for part in text.partition(":"))
    if not isinstance(under, dict) or not colon:
        raise InputError(f"{where}: {text!r} does not go on with {key!r}")
    under[_value(name)] = _value(value)


def _value(text: str) -> Any:
    try:
        return literal_eval(text)
    except (ValueError, SyntaxError):
        if text.startswith("[") and text.endswith("]"):
            return [_value(part.strip()) for part in text[1:-1].split(",") if part.strip()]
        return text


def _shape(file: Path, settings: dict[str, Any]) -> tuple[int, int]:
    shape = settings.get("kpt_shape")
    if not (isinstance(shape, list) and len(shape) == 2 and shape[1] in (2, 3)):
        raise InputError(f"{file}: kpt_shape is {shape!r}; expected [K, 2] or [K, 3]")
    return int(shape[0]), int(shape[1])


def _pictures(file: Path, root: Path, settings: dict[str, Any], split: str) -> list[Path]:
    """Pictures of a split: folders, or text files that list them."""
    given = settings.get(split)
    if given is None:
        raise InputError(f"{file}: says nothing of {split!r}; it has {sorted(settings)}")
    found: list[Path] = []
    for place in given if isinstance(given, list) else [given]:
        at = root / str(place)
        if at.suffix == ".txt":
            lines = read_lines(at, "list of pictures")
            found += [root / line.strip() for line in lines if line.strip()]
        elif at.is_dir():
            found += sorted(p for p in at.rglob("*") if p.suffix.lower() in _PICTURES)
        else:
            raise InputError(f"{file}: no folder or list of pictures at {str(at)!r}")
    return found


def _labels_of(picture: Path) -> Path:
    """``…/images/….jpg`` has its labels in ``…/labels/….txt``."""
    parts = list(picture.with_suffix(".txt").parts)
    if "images" in parts:
        at = len(parts) - 1 - parts[::-1].index("images")
        parts[at] = "labels"
    return Path(*parts)


def _rows(file: Path, shape: tuple[int, int], bad: Bad) -> np.ndarray:
    """Rows of a label file; a picture without one has nobody in it."""
    if not file.is_file():
        return np.zeros((0, 5 + shape[0] * shape[1]))
    rows = []
    for number, line in enumerate(read_lines(file, "label file"), 1):
        with bad.record():
            rows += [_row(line, shape, f"{file}: line {number}")] if line.strip() else []
    return np.array(rows).reshape(-1, 5 + shape[0] * shape[1])


def _row(line: str, shape: tuple[int, int], where: str) -> np.ndarray:
    try:
        row = np.array(line.split(), np.float64)
    except ValueError:
        row = np.zeros(0)
    width = 5 + shape[0] * shape[1]
    if len(row) != width:
        raise InputError(f"{where}: expected {width} numbers, got {line[:60]!r}")
    if not (np.isfinite(row).all() and (row[3:5] >= 0).all()):
        raise InputError(f"{where}: numbers must be finite, sizes not negative")
    if shape[1] == 3 and not ((row[7::3] >= 0) & (row[7::3] <= 2)).all():
        raise InputError(f"{where}: visibility flags are 0, 1 or 2, got {line[:60]!r}")
    return row


def _skeleton(file: Path, settings: dict[str, Any], count: int) -> Skeleton:
    coco = skeleton("coco17")
    flips = settings.get("flip_idx")
    names = settings.get("kpt_names")
    names = next(iter(names.values()), None) if isinstance(names, dict) else names
    if names and isinstance(names[0], list):
        names = names[0]
    if names is None and flips == coco.flip_index.tolist():
        return coco
    names = [str(name) for name in names or (f"keypoint_{k}" for k in range(count))]
    flips = flips if flips is not None else list(range(count))
    if len(names) != count or sorted(flips) != list(range(count)):
        raise InputError(
            f"{file}: {len(names)} kpt_names and flip_idx {flips}; "
            f"expected {count} names and a permutation of 0 … {count - 1}"
        )
    known = known_skeleton(names)
    if known is not None:
        return known
    swaps = tuple((names[k], names[other]) for k, other in enumerate(flips) if k < other)
    return Skeleton(name=file.parent.name or "yolo", keypoints=tuple(names), swaps=swaps)


def write_yolo_pose(table: Table, argument: str) -> None:
    """The labels at ``data.yaml[@ROOT][#train|#val|#test]``, each picture linked beside them.

    Other splits that the file names already stay. Areas, identifiers and crowds have no place here.

    Raises:
        InputError: A picture is missing, or the file is there and of other keypoints.
    """
    where, table = parse_where(argument, splits=("train", "val", "test")), table.only(~table.crowd)
    split, root = where.split or "val", where.images or where.path.parent
    about = _about(table.skeleton)
    splits = {split: f"{split}.txt"}
    if where.path.is_file():
        there = _settings(where.path)
        if (
            there.get("kpt_shape") != about["kpt_shape"]
            or there.get("flip_idx") != about["flip_idx"]
        ):
            raise InputError(f"{where.path} is of other keypoints; write to another file")
        splits = {name: there[name] for name in ("train", "val", "test") if name in there} | splits
    names = [f"images/{split}/{_below(name)}" for name in table.names]
    if len({os.path.splitext(name)[0] for name in names}) < len(names):
        raise InputError("two pictures would have one label file; rename one of those of a name")
    for at, name in enumerate(names):
        _link(table.folder / table.names[at], root / name)
        rows = _lines(table[at])
        labels = _labels_of(root / name)
        labels.parent.mkdir(parents=True, exist_ok=True)
        labels.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")
    (root / splits[split]).write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
    base = "." if where.images is None else os.path.relpath(root, where.path.parent)
    settings = {"path": base, **splits, **about}
    where.path.write_text("".join(f"{k}: {v}\n" for k, v in settings.items()), encoding="utf-8")


def _about(bones: Skeleton) -> dict[str, Any]:
    return {
        "kpt_shape": [len(bones), 3],
        "flip_idx": bones.flip_index.tolist(),
        "names": "\n  0: person",
        "kpt_names": f"\n  0: {list(bones.keypoints)}",
    }


def _below(name: str) -> str:
    """A relative path that stays below the folder it starts from."""
    return "/".join(part for part in Path(name).parts if part not in ("..", "/", "images"))


def _link(picture: Path, place: Path) -> None:
    """The picture at its place: a link, or a copy where links cannot be made."""
    require(picture, "picture")
    if place.exists():
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        place.symlink_to(picture.resolve())
    except OSError:
        shutil.copyfile(picture, place)


def _lines(sample: Sample) -> list[str]:
    """A row of text per person: class, box centre and size, keypoints, as shares of the picture."""
    height, width = sample.size
    scale = np.array([width, height], np.float64)
    lines = []
    for box, xy, visible in zip(sample.boxes, sample.xy, sample.visible, strict=True):
        corner, far = box.astype(np.float64).reshape(2, 2) / scale
        points = np.nan_to_num(np.concatenate([xy / scale, visible[:, None]], 1))
        numbers = [*((corner + far) / 2), *(far - corner), *points.ravel()]
        lines.append("0 " + " ".join(f"{number:.12g}" for number in numbers))
    return lines
