"""Penn Action (Zhang et al. 2013): every frame of 2326 clips of one person, 13 joints.

``penn_action:ROOT[@FRAMES][#train|#test]`` where ROOT has ``labels/0001.mat`` …; FRAMES is
``frames`` of ROOT when not given. A joint whose visibility is 0 has no location to speak of.
"""

from pathlib import Path
from typing import Any

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.matlab import layout, load_mat_all
from vitruvian.datasets.table import Table, parse_where, people_table


def penn_action(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ROOT[@FRAMES][#train|#test]``."""
    where, bad = parse_where(argument, splits=("train", "test")), bad or Bad()
    files = sorted((where.path / "labels").glob("*.mat"))
    if not files:
        raise InputError(f"{where.path}: no labels/NNNN.mat in it")
    clips: list[dict[str, Any]] = []
    for file in files:
        with bad.record():
            clips.append(_clip(file))
    clips = [clip for clip in clips if where.split in ("", clip["split"])]
    lengths = [len(clip["xy"]) for clip in clips]
    return people_table(
        folder=where.images or where.path / "frames",
        names=[f"{c['name']}/{n + 1:06}.jpg" for c in clips for n in range(len(c["xy"]))],
        picture_of=np.arange(sum(lengths)),
        skeleton=skeleton("penn13"),
        xy=_joined(clips, "xy", (0, 13, 2), np.float32),
        visible=_joined(clips, "visible", (0, 13), np.uint8),
        boxes=_joined(clips, "boxes", (0, 4), np.float32),
        source="penn_action",
        sizes=np.repeat(
            np.array([c["size"] for c in clips], np.int64).reshape(-1, 2), lengths, axis=0
        ),
        picture_fields={
            "video": np.repeat([c["name"] for c in clips], lengths),
            "frame": np.concatenate([np.arange(n) for n in lengths] or [np.zeros(0, np.int64)]),
        },
    )


def _clip(file: Path) -> dict[str, Any]:
    """One clip, 0-based."""
    data = load_mat_all(file)
    with layout(file, "clip"):
        visible = np.asarray(data["visibility"]) > 0
        points = np.stack([data["x"], data["y"]], 2).astype(np.float32) - 1
        points[~visible] = np.nan
        # Clips 1154 and 1865 lack the last row of bbox: the person is where it was before.
        box = np.asarray(data["bbox"], np.float32)
        box = np.concatenate([box, np.repeat(box[-1:], len(points) - len(box), axis=0)]) - 1
        height, width = np.ravel(data["dimensions"])[:2]
        return {
            "name": file.stem,
            "split": "train" if int(np.ravel(data["train"])[0]) == 1 else "test",
            "xy": points.reshape(-1, 13, 2),
            "visible": np.where(visible, 2, 0),
            "boxes": box.reshape(len(points), 4),
            "size": (int(height), int(width)),
        }


def _joined(
    clips: list[dict[str, Any]], name: str, empty: tuple[int, ...], dtype: type[np.generic]
) -> np.ndarray:
    return np.concatenate([np.zeros(empty, dtype), *(clip[name].astype(dtype) for clip in clips)])
