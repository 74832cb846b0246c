"""FLIC, FLIC-full and FLIC-plus (Sapp & Taskar 2013): film frames, 11 upper-body joints.

``flic:FILE[@IMAGES][#train|#test|#plus]`` where FILE is ``examples.mat`` or an ``.h5`` of the
hourglass family. Left and right are those of the picture, as if everybody faced the camera. Rows
marked bad or unchecked (FLIC-full) are left out. ``#plus`` are the rows that
``tr_plus_indices.mat`` beside the file names: training frames of no film that is tested.
"""

import logging
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.hdf5 import load_h5, texts
from vitruvian.datasets.matlab import layout, load_mat, structs
from vitruvian.datasets.table import (
    Table,
    Where,
    boxes_of,
    by_picture,
    parse_where,
    people_table,
)

_log = logging.getLogger(__name__)

# Of 29 slots: shoulder, elbow, wrist left and right, hips, eyes, nose; the others are never filled.
_SLOTS = [0, 1, 2, 3, 4, 5, 6, 9, 12, 13, 16]
_MARGIN = 0.1


def flic(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``FILE[@IMAGES][#train|#test|#plus]``."""
    where = parse_where(argument, splits=("train", "test", "plus"))
    if where.path.suffix == ".h5":
        parts, names = load_h5(where.path, ("part", "imgname"))
        return _table(where, texts(names), parts)
    return _from_mat(where, bad or Bad())


def _from_mat(where: Where, bad: Bad) -> Table:
    examples = structs(load_mat(where.path, variable="examples", squeeze=True))
    people = []
    for row in _rows(where, examples):
        with bad.record(), layout(where.path, f"examples({row + 1})"):
            people.append(_person(examples[row]))
    return _table(
        where,
        [name for name, _, _, _ in people],
        np.array([points for _, points, _, _ in people]).reshape(-1, 11, 2),
        sizes=np.array([size for _, _, size, _ in people], np.int64).reshape(-1, 2),
        torso=np.array([torso for _, _, _, torso in people], np.float32).reshape(-1, 4) - 1,
    )


def _person(example: Any) -> tuple[str, np.ndarray, np.ndarray, np.ndarray]:
    """File name, joints 11 2, (H, W) of the frame, box of the torso."""
    points = np.asarray(example.coords, np.float64)[:, _SLOTS].T.reshape(11, 2)
    size = np.asarray(example.imgdims, np.int64)[:2].reshape(2)
    return str(example.filepath), points, size, np.asarray(example.torsobox, float).reshape(4)


def _rows(where: Where, examples: list[Any]) -> list[int]:
    """Rows of the split, without those marked bad or unchecked."""
    wanted = np.arange(len(examples))
    if where.split == "plus":
        file = where.path.with_name("tr_plus_indices.mat")
        wanted = np.ravel(load_mat(file, variable="tr_plus_indices")).astype(int) - 1
        if len(wanted) and not 0 <= wanted.min() <= wanted.max() < len(examples):
            raise InputError(f"{file}: rows are not of {where.path}; it is made for FLIC-full")
    flag = {"train": "istrain", "test": "istest"}.get(where.split, "")
    chosen = [int(row) for row in wanted if not flag or np.any(getattr(examples[row], flag, 0))]
    kept = [row for row in chosen if not _doubtful(examples[row])]
    if len(kept) < len(chosen):
        _log.warning("%s: %d bad or unchecked rows left out", where.path, len(chosen) - len(kept))
    return kept


def _doubtful(example: Any) -> bool:
    return any(np.any(getattr(example, mark, 0)) for mark in ("isbad", "isunchecked"))


def _table(
    where: Where,
    pictures: list[str],
    points: np.ndarray,
    *,
    sizes: np.ndarray | None = None,
    torso: np.ndarray | None = None,
) -> Table:
    """``points`` P 11 2, 1-based pixels, NaN where not labelled, in the order of the rows."""
    names, picture_of, order = by_picture(pictures)
    xy = (points[order] - 1).astype(np.float32)
    known = {} if torso is None else {"torso": torso[order]}
    first = np.searchsorted(picture_of, np.arange(len(names)))
    return people_table(
        folder=where.images or where.path.parent / "images",
        names=names,
        picture_of=picture_of,
        skeleton=skeleton("flic11"),
        xy=xy,
        visible=np.where(np.isnan(xy).any(2), 0, 2).astype(np.uint8),
        boxes=boxes_of(xy, _MARGIN),
        source="flic",
        person_fields=known,
        **({} if sizes is None else {"sizes": sizes[order][first]}),
    )
