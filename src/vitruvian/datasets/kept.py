"""What became of labels on their way through another format: written, read back, compared."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.convert import convert_keypoints
from vitruvian.datasets.table import Table

CLOSE = 0.01
"""Pixels that a keypoint or a side of a box may move and be called kept."""


def lost(before: Table, after: Table) -> dict[str, int]:
    """How many of each thing ``after`` has no longer, or otherwise; what is kept is not in it.

    Pictures are compared in their order, and people in theirs; in a picture that lost people they
    alone are counted.
    """
    count = min(len(before), len(after))
    found = Counter({"pictures": len(before) - count})
    rows, others = _pairs(before, after, count, found)
    xy, visible = _as(after, before)
    found.update(_points(before.xy[rows], before.visible[rows], xy[others], visible[others]))
    boxes = np.abs(before.boxes[rows] - after.boxes[others]).max(1, initial=0) > CLOSE
    areas = ~np.isclose(before.area[rows], after.area[others], rtol=1e-3, atol=CLOSE)
    marks = before.fully_annotated[:count] != after.fully_annotated[:count]
    found.update({"boxes": int(boxes.sum()), "areas": int(areas.sum())})
    found["identifiers of people"] = int((before.ids[rows] != after.ids[others]).sum())
    found["identifiers of pictures"] = int(
        (before.image_ids[:count] != after.image_ids[:count]).sum()
    )
    found["marks of partly labelled pictures"] = int(marks.sum())
    sources = zip(before.sources[:count], after.sources[:count], strict=True)
    found["sources of pictures"] = sum(ours != theirs for ours, theirs in sources)
    found.update(_fields(before.person_fields, after.person_fields, "people"))
    found.update(_fields(before.picture_fields, after.picture_fields, "pictures"))
    found.update(_bones(before, after))
    return {name: number for name, number in found.items() if number > 0}


def _pairs(
    before: Table, after: Table, count: int, found: Counter[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Rows of the same people in both; counts those who are gone."""
    ours: list[np.ndarray] = [np.zeros(0, np.int64)]
    theirs: list[np.ndarray] = [np.zeros(0, np.int64)]
    for at in range(count):
        mine = np.arange(before.first[at], before.first[at + 1])
        other = np.arange(after.first[at], after.first[at + 1])
        if len(other) < len(mine):
            crowd = before.crowd[mine]
            found["crowd regions"] += int(crowd.sum())
            mine = mine[~crowd]
        found["people"] += max(len(mine) - len(other), 0)
        if len(mine) == len(other):
            ours.append(mine)
            theirs.append(other)
    return np.concatenate(ours), np.concatenate(theirs)


def _as(table: Table, other: Table) -> tuple[np.ndarray, np.ndarray]:
    """Keypoints of the table in the order of the other one's."""
    if table.skeleton.keypoints == other.skeleton.keypoints:
        return table.xy, table.visible
    return convert_keypoints(table.xy, table.visible, table.skeleton, other.skeleton)


def _points(
    xy: Float32[np.ndarray, "P K 2"],
    visible: UInt8[np.ndarray, "P K"],
    other: Float32[np.ndarray, "P K 2"],
    flags: UInt8[np.ndarray, "P K"],
) -> dict[str, int]:
    labelled = (visible > 0) & (flags > 0)
    moved = np.abs(xy - other)[labelled].max(1, initial=0) > CLOSE
    return {
        "keypoints": int(((visible > 0) & (flags == 0)).sum()),
        "visibility flags": int((labelled & (visible != flags)).sum()),
        "places of keypoints": int(moved.sum()),
    }


def _fields(
    before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray], of: str
) -> dict[str, int]:
    return {f"{name} of {of}": len(before[name]) for name in before if name not in after}


def _bones(before: Table, after: Table) -> dict[str, int]:
    ours, theirs = before.skeleton, after.skeleton
    return {
        "names of keypoints": len(set(ours.keypoints) - set(theirs.keypoints)),
        "limbs": len({frozenset(p) for p in ours.limbs} - {frozenset(p) for p in theirs.limbs}),
        "left/right pairs": len(
            {frozenset(p) for p in ours.swaps} - {frozenset(p) for p in theirs.swaps}
        ),
        "sigmas": len(ours.sigmas) if ours.sigmas != theirs.sigmas else 0,
    }
