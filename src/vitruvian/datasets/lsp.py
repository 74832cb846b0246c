"""Leeds Sports Pose (Johnson & Everingham 2010): 2000 pictures of one person, 14 joints.

``lsp:DIR[@IMAGES][#train|#test]`` with ``joints.mat`` in DIR. Left and right are the person's own.
The file has no boxes: a person's box is that of the joints, grown by a tenth of its longer side.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.matlab import load_mat
from vitruvian.datasets.table import Table, Where, boxes_of, parse_where, people_table

MARGIN = 0.1
"""Growth of the joints' box on each side, as a fraction of its longer side."""


def lsp(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``DIR[@IMAGES][#train|#test]``."""
    del bad  # one array: it is read whole or not at all
    where = parse_where(argument, splits=("train", "test"))
    joints = load_joints(where.path, (3, 14))
    # Row 3 says "occluded"; every joint has a location.
    visible = np.where(joints[:, 2] == 1, 1, 2)
    rows = _rows(where.split, len(joints))
    names = [f"im{i + 1:04}.jpg" for i in range(len(joints))]
    return single_people(where, "lsp", names, joints[:, :2], visible).select(rows)


def load_joints(where: Path, axes: tuple[int, int]) -> Float[np.ndarray, "N 3 14"]:
    """N 3 14: x and y (1-based pixels) and the flag of ``joints.mat``; ``axes`` as in the file."""
    file = where if where.suffix == ".mat" else where / "joints.mat"
    joints: np.ndarray = load_mat(file, variable="joints")
    if joints.ndim != 3 or joints.shape[:2] != axes:
        expected = f"{axes[0]} x {axes[1]} x N"
        raise InputError(f"{file}: joints is {' x '.join(map(str, joints.shape))}, not {expected}")
    order = (2, 0, 1) if axes[0] == 3 else (2, 1, 0)
    return joints.transpose(order).astype(np.float64)


def single_people(
    where: Where, source: str, names: list[str], xy: np.ndarray, visible: np.ndarray
) -> Table:
    """A picture per person; ``xy`` N 2 14 in 1-based pixels, ``visible`` N 14."""
    points = (xy.transpose(0, 2, 1) - 1).astype(np.float32)
    points[visible == 0] = np.nan
    root = where.path.parent if where.path.suffix == ".mat" else where.path
    return people_table(
        folder=where.images or root / "images",
        names=names,
        picture_of=np.arange(len(names)),
        skeleton=skeleton("lsp14"),
        xy=points,
        visible=visible.astype(np.uint8),
        boxes=boxes_of(points, MARGIN),
        source=source,
    )


def _rows(split: str, count: int) -> np.ndarray:
    first, last = {"train": (0, 1000), "test": (1000, 2000), "": (0, count)}[split]
    return np.arange(min(first, count), min(last, count))
