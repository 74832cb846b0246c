"""What can be wrong with labels that can be read, and what can be done about it.

Every check takes a table and returns what it found with the table repaired. They run one after the
other, each on what the one before repaired.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.datasets.mirrored import CERTAIN, better_pairs, exchanged, order_of
from vitruvian.datasets.table import BOX_TO_AREA, Table, boxes_of

MARGIN = 0.1
"""How far a keypoint may lie outside its person's box, in sides of the box; growth of new boxes."""

BORDER = 2.0
"""Pixels that a keypoint may lie outside the picture: labels are clicked, and rounded."""

_FEW = 20
"""Labels from which on a flag that never occurs is worth a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong.

    Attributes:
        check: Which check found it.
        what: What is wrong.
        fix: What the repaired copy does about it; "" where a human has to decide.
        picture: File name of the picture, "" if it is about all of them.
        person: Annotation identifier, None if it is about no single person.
        keypoints: Names of the keypoints it is about.
    """

    check: str
    what: str
    fix: str = ""
    picture: str = ""
    person: int | None = None
    keypoints: tuple[str, ...] = ()


Checked = tuple[list[Finding], Table]
"""What is wrong with a data set, and the data set without it."""


def diagnose(table: Table) -> Checked:
    """Every check of the labels; pictures are opened where their size is not known."""
    findings: list[Finding] = []
    for check in CHECKS:
        found, table = check(table)
        findings += found
    return findings, table


def identifiers(table: Table) -> Checked:
    """Two people of one identifier; metrics that join by it would mix them up."""
    again = _again(table.ids)
    fresh = np.arange(again.sum()) + table.ids.max(initial=0) + 1
    ids = table.ids.copy()
    ids[again] = fresh
    fix = "a new identifier"
    found = _about(table, again, "identifiers", "another person has the same identifier", fix)
    return found, replace(table, ids=ids)


def doubles(table: Table) -> Checked:
    """One person labelled twice, number for number."""
    picture_of = _picture_of(table)
    content = [
        picture_of[:, None],
        table.boxes,
        np.nan_to_num(table.xy.reshape(len(table.xy), -1), nan=-1),
    ]
    rows = np.concatenate(content, 1).astype(np.float64)
    again = _again(np.unique(rows, axis=0, return_inverse=True)[1].ravel()) & ~table.crowd
    found = _about(
        table, again, "doubles", "the same box and keypoints as another person's", "left out"
    )
    return found, table.only(~again)


def boxes(table: Table) -> Checked:
    """Boxes without extent, and those outside their picture."""
    sizes = _sizes(table)[_picture_of(table)]
    flat = ((table.boxes[:, 2:] - table.boxes[:, :2]) <= 0).any(1)
    known = sizes[:, 0] > 0
    outside = known & ((table.boxes[:, :2] >= sizes[:, ::-1]) | (table.boxes[:, 2:] <= 0)).any(1)
    bad, labelled = flat | outside, (table.visible > 0).sum(1) > 1
    new = boxes_of(table.xy, MARGIN)
    grown = bad & labelled
    found = _about(table, flat & labelled, "boxes", "its box has no extent", "the keypoints' box")
    found += _about(
        table,
        outside & ~flat & labelled,
        "boxes",
        "its box lies outside the picture",
        "the keypoints' box",
    )
    found += _about(
        table, bad & ~labelled, "boxes", "its box is of no use, and it has no keypoints", "left out"
    )
    mended = replace(table, boxes=np.where(grown[:, None], new, table.boxes))
    return found, mended.only(~bad | labelled)


def areas(table: Table) -> Checked:
    """Areas that make every OKS of the person nothing, or nonsense."""
    of_box = (table.boxes[:, 2:] - table.boxes[:, :2]).prod(1)
    bad = ~(table.area > 0)
    large = ~bad & (table.area > 1.05 * of_box) & (of_box > 0)
    fix = f"{BOX_TO_AREA:g} of the box"
    found = _about(table, bad, "areas", "its area is not positive: its OKS would be 0", fix)
    found += _about(table, large, "areas", "its area is larger than its box", fix)
    area = np.where(bad | large, np.float32(BOX_TO_AREA) * of_box, table.area)
    return found, replace(table, area=area.astype(np.float32))


def at_origin(table: Table) -> Checked:
    """Keypoints labelled at (0, 0): where tools put what is not labelled."""
    bad = (table.visible > 0) & (table.xy == 0).all(2)
    found = _keypoints(table, bad, "visibility", "labelled at (0, 0), the place of no label")
    return found, _unlabelled(table, bad)


def flags(table: Table) -> Checked:
    """Data whose every keypoint is hidden: a tool that writes 1 for labelled."""
    labelled = table.visible[table.visible > 0]
    if len(labelled) < _FEW or (labelled != 1).any():
        return [], table
    what = f"all {len(labelled)} labelled keypoints are hidden (1): probably 1 means labelled here"
    finding = Finding(check="visibility", what=what, fix="visible (2)")
    return [finding], replace(table, visible=(2 * table.visible).astype(np.uint8))


def outside_picture(table: Table) -> Checked:
    """Keypoints that nobody can have seen."""
    sizes = _sizes(table)[_picture_of(table)].astype(np.float64)
    far = (table.xy < -BORDER) | (table.xy > (sizes[:, ::-1] - 1 + BORDER)[:, None])
    bad = (table.visible > 0) & far.any(2) & (sizes[:, 0] > 0)[:, None]
    found = _keypoints(table, bad, "outside picture", "outside the picture")
    return found, _unlabelled(table, bad)


def outside_box(table: Table) -> Checked:
    """Keypoints outside their person's box: mixed-up people, or boxes of what is visible alone."""
    corner, far = table.boxes[:, None, :2], table.boxes[:, None, 2:]
    reach = MARGIN * (far - corner).max(2, keepdims=True)
    seen = table.visible > 0
    bad = seen & ((table.xy < corner - reach) | (table.xy > far + reach)).any(2)
    found = _keypoints(table, bad, "outside box", "outside the box", fix="the box holds them")
    tight = boxes_of(table.xy, 0.0)
    grown = np.concatenate(
        [
            np.minimum(table.boxes[:, :2], tight[:, :2]),
            np.maximum(table.boxes[:, 2:], tight[:, 2:]),
        ],
        1,
    )
    return found, replace(table, boxes=np.where(bad.any(1)[:, None], grown, table.boxes))


def pairs(table: Table) -> Checked:
    """Left/right pairs of the skeleton that mirrored people do not agree with."""
    bones = table.skeleton
    better, gain = better_pairs(_labelled(table), bones)
    ours, theirs = ({frozenset(p): p for p in some} for some in (bones.swaps, better))
    if ours.keys() == theirs.keys():
        return [], table
    fix = "; ".join(
        [f"pair {' and '.join(p)}" for s, p in theirs.items() if s not in ours]
        + [f"not {' and '.join(p)}" for s, p in ours.items() if s not in theirs]
    )
    what = (
        f"mirrored people fit badly: e^{gain:.0f} times likelier each with other left/right pairs"
    )
    names = tuple(sorted({n for s in ours.keys() ^ theirs.keys() for n in s}))
    finding = Finding(check="flip pairs", what=what, fix=fix, keypoints=names)
    return [finding], replace(table, skeleton=replace(bones, swaps=better))


def sides(table: Table) -> Checked:
    """People whose left and right seem to have changed places, all of them or a limb."""
    xy, visible = table.xy.copy(), table.visible.copy()
    names = _names(table)
    found = []
    for row, change, gain in exchanged(_labelled(table), table.skeleton):
        if gain > CERTAIN:
            order = order_of(table.skeleton, change)
            xy[row], visible[row] = xy[row][order], visible[row][order]
        finding = Finding(
            check="left and right",
            what=f"e^{gain:.0f} times likelier with left and right exchanged",
            fix="exchanged" if gain > CERTAIN else "",
            picture=names[row],
            person=int(table.ids[row]),
            keypoints=tuple(name for pair in change for name in pair),
        )
        found.append(finding)
    return found, replace(table, xy=xy, visible=visible)


CHECKS: tuple[Callable[[Table], Checked], ...] = (
    identifiers,
    doubles,
    at_origin,
    flags,
    outside_picture,
    boxes,
    outside_box,
    areas,
    pairs,
    sides,
)


def _again(values: np.ndarray) -> np.ndarray:
    """True where a value was there before."""
    once = np.ones(len(values), bool)
    once[np.unique(values, return_index=True)[1]] = False
    return once


def _labelled(table: Table) -> np.ndarray:
    """Keypoints of people; those of crowds are none."""
    return np.where(table.crowd[:, None, None], np.nan, table.xy).astype(np.float64)


def _picture_of(table: Table) -> np.ndarray:
    return np.repeat(np.arange(len(table)), np.diff(table.first))


def _names(table: Table) -> list[str]:
    """Picture of each person."""
    return [table.names[at] for at in _picture_of(table).tolist()]


def _sizes(table: Table) -> np.ndarray:
    """M 2, (H, W); 0 where neither labels nor picture say."""
    return np.array(list(_each_size(table)), np.int64).reshape(-1, 2)


def _each_size(table: Table) -> Iterator[tuple[int, int]]:
    for at, (height, width) in enumerate(table.sizes.tolist()):
        try:
            yield (height, width) if height else table[at].size
        except InputError:
            yield (0, 0)


def _about(table: Table, bad: np.ndarray, check: str, what: str, fix: str) -> list[Finding]:
    """A finding for each person."""
    names = _names(table) if bad.any() else []
    return [
        Finding(check=check, what=what, fix=fix, picture=names[n], person=int(table.ids[n]))
        for n in np.flatnonzero(bad).tolist()
    ]


def _keypoints(
    table: Table, bad: np.ndarray, check: str, what: str, fix: str = "not labelled"
) -> list[Finding]:
    """A finding for each person with bad keypoints P K."""
    names = _names(table) if bad.any() else []
    joints = np.array(table.skeleton.keypoints)
    return [
        Finding(
            check=check,
            what=what,
            fix=fix,
            picture=names[n],
            person=int(table.ids[n]),
            keypoints=tuple(joints[bad[n]].tolist()),
        )
        for n in np.flatnonzero(bad.any(1)).tolist()
    ]


def _unlabelled(table: Table, bad: np.ndarray) -> Table:
    """The table without the keypoints P K."""
    xy, visible = table.xy.copy(), table.visible.copy()
    xy[bad], visible[bad] = np.nan, 0
    return replace(table, xy=xy, visible=visible)
