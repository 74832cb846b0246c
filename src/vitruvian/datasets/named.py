"""People whose keypoints come by name, as labelling tools keep them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton, skeleton, skeleton_names
from vitruvian.datasets.table import Table, boxes_of, known_skeleton, pairs_by_name, people_table

MARGIN = 0.1
"""Growth of the box of somebody without one: the keypoints' by a tenth of its longer side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPerson:
    """One person.

    Attributes:
        points: Name -> x, y (pixels) and visibility 1 or 2; what is not labelled is not here.
        box: xyxy in pixels, or None: that of the keypoints.
        track: Identity over the frames of a video, -1 when there is none.
    """

    points: dict[str, tuple[float, float, int]]
    box: tuple[float, float, float, float] | None = None
    track: int = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedPicture:
    """One picture: file name below the data's folder, (H, W) or (0, 0) if unknown, its people."""

    name: str
    size: tuple[int, int] = (0, 0)
    people: list[NamedPerson] = field(default_factory=list)


def named_table(
    pictures: Sequence[NamedPicture], bones: Skeleton, *, folder: Path, source: str
) -> Table:
    """Table of the pictures; points of other names than those of ``bones`` are left out."""
    people = [person for picture in pictures for person in picture.people]
    marks = np.full((len(people), len(bones), 3), np.nan)
    at = {name: k for k, name in enumerate(bones.keypoints)}
    for n, person in enumerate(people):
        for name, point in person.points.items():
            if name in at:
                marks[n, at[name]] = point
    visible = np.nan_to_num(marks[:, :, 2]).astype(np.uint8)
    xy = marks[:, :, :2].astype(np.float32)
    boxes = boxes_of(xy, MARGIN)
    for n, person in enumerate(people):
        if person.box is not None:
            boxes[n] = person.box
    tracks = np.array([person.track for person in people], np.int64)
    return people_table(
        folder=folder,
        names=[picture.name for picture in pictures],
        picture_of=np.repeat(np.arange(len(pictures)), [len(p.people) for p in pictures]),
        skeleton=bones,
        xy=xy,
        visible=visible,
        boxes=boxes,
        source=source,
        sizes=np.array([picture.size for picture in pictures], np.int64).reshape(-1, 2),
        fully_annotated=np.ones(len(pictures), bool),
        person_fields={"track": tracks} if (tracks >= 0).any() else {},
    )


def skeleton_named(
    names: Iterable[str],
    file: Path,
    *,
    ordered: bool,
    name: str,
    limbs: Sequence[tuple[str, str]] = (),
    swaps: Sequence[tuple[str, str]] = (),
) -> Skeleton:
    """Skeleton of a tool's names: the shipped one where it is the same, else a new one.

    Args:
        names: Names in the tool's order.
        file: Where they come from, for the error.
        ordered: The tool's order is meant; otherwise a shipped skeleton of the same names will do.
        name: Name of a new skeleton.
        limbs: Pairs to draw, of a new skeleton.
        swaps: Pairs that a mirror exchanges, of a new skeleton; found by name when not given.

    Raises:
        InputError: There is no name, or a limb of another name.
    """
    keypoints = tuple(dict.fromkeys(names))
    if not keypoints:
        raise InputError(f"{file}: no keypoint is named anywhere; is anything labelled?")
    known = known_skeleton(keypoints)
    if known is None and not ordered:
        shipped = map(skeleton, skeleton_names())
        known = next((bones for bones in shipped if set(bones.keypoints) == set(keypoints)), None)
    if known is not None:
        return known
    pairs = tuple(swaps) or pairs_by_name(keypoints)
    return Skeleton(name=name, keypoints=keypoints, swaps=pairs, limbs=tuple(limbs))
