"""J-HMDB (Jhuang et al. 2013): every frame of short clips of one person, 15 joints, 240 x 320.

``jhmdb:ROOT[@FRAMES][#SPLIT]`` where ROOT has ``joint_positions`` and, for the person's box,
``puppet_mask``; without masks the box is that of the joints, grown by a tenth. FRAMES is
``Rename_Images`` of ROOT when not given. SPLIT is ``train1`` … ``test3``, or ``sub-train1`` …
``sub-test3`` for sub-JHMDB, whose people are whole in every frame.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float32

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.matlab import load_mat
from vitruvian.datasets.table import Table, boxes_of, parse_where, people_table, read_lines

SIZE = (240, 320)
_SPLITS = tuple(
    f"{sub}{part}{n}" for sub in ("", "sub-") for part in ("train", "test") for n in "123"
)
_MARGIN = 0.1


def jhmdb(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``ROOT[@FRAMES][#SPLIT]``."""
    where, bad = parse_where(argument, splits=_SPLITS), bad or Bad()
    names: list[str] = []
    points, boxes = [], []
    videos: list[str] = []
    frames: list[int] = []
    for clip in _clips(where.path, where.split):
        with bad.record():
            xy = _joints(where.path / "joint_positions" / clip / "joint_positions.mat")
            boxes.append(_boxes(where.path / "puppet_mask" / clip / "puppet_mask.mat", xy))
            points.append(xy)
            names += [f"{clip}/{n + 1:05}.png" for n in range(len(xy))]
            videos += [clip] * len(xy)
            frames += range(len(xy))
    count = len(names)
    xy = np.concatenate([np.zeros((0, 15, 2), np.float32), *points])
    return people_table(
        folder=where.images or where.path / "Rename_Images",
        names=names,
        picture_of=np.arange(count),
        skeleton=skeleton("jhmdb15"),
        xy=xy,
        visible=np.full((count, 15), 2, np.uint8),
        boxes=np.concatenate([np.zeros((0, 4), np.float32), *boxes]),
        source="jhmdb",
        sizes=np.tile(np.array(SIZE, np.int64), (count, 1)),
        picture_fields={"video": np.array(videos), "frame": np.array(frames, np.int64)},
    )


def _joints(file: Path) -> Float32[np.ndarray, "T 15 2"]:
    """Joints of a clip, 0-based; they may lie outside the picture."""
    joints = load_mat(file, variable="pos_img")
    if joints.ndim != 3 or joints.shape[:2] != (2, 15):
        raise InputError(f"{file}: pos_img is {joints.shape}; expected 2 x 15 x frames")
    xy: np.ndarray = (joints.transpose(2, 1, 0) - 1).astype(np.float32)
    return xy


def _clips(root: Path, split: str) -> list[str]:
    """Clips as ``action/clip``, of one split or all there are."""
    if not split:
        found = sorted((root / "joint_positions").glob("*/*/joint_positions.mat"))
        if not found:
            raise InputError(f"{root}: no joint_positions/ACTION/CLIP/joint_positions.mat in it")
        return [f"{file.parent.parent.name}/{file.parent.name}" for file in found]
    part, number = split.removeprefix("sub-")[:-1], split[-1]
    sub = split.startswith("sub-")
    folder, ending = ("sub_splits", f"_{number}") if sub else ("splits", number)
    suffix, flag = f"_test_split{ending}.txt", {"train": "1", "test": "2"}[part]
    files = sorted((root / folder).glob(f"*{suffix}"))
    if not files:
        raise InputError(f"{root / folder}: no ACTION{suffix} in it")
    lines = [(f.name.removesuffix(suffix), row.split()) for f in files for row in _lines(f)]
    return [f"{action}/{row[0].removesuffix('.avi')}" for action, row in lines if row[1] == flag]


def _lines(file: Path) -> list[str]:
    rows = [line for line in read_lines(file, "split") if line.strip()]
    for at, row in enumerate(rows):
        if len(row.split()) != 2:
            raise InputError(f"{file}: line {at + 1} is {row!r}; expected CLIP.avi and 0, 1 or 2")
    return rows


def _boxes(mask: Path, xy: Float32[np.ndarray, "T 15 2"]) -> Float32[np.ndarray, "T 4"]:
    """Tight box of the puppet in each frame; of the joints where there is no mask or no puppet."""
    boxes = boxes_of(xy, _MARGIN)
    if not mask.is_file():
        return boxes
    parts = load_mat(mask, variable="part_mask")
    for frame in range(min(len(boxes), parts.shape[2])):
        rows, columns = np.nonzero(parts[:, :, frame])
        if len(rows):
            boxes[frame] = columns.min(), rows.min(), columns.max(), rows.max()
    return boxes
