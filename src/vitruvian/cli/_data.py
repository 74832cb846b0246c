"""How the verbs open labelled data: what is bad is an error, or left out and counted."""

import os
import sys
from dataclasses import replace

from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets import Dataset, open_dataset, save_dataset, split_spec
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.table import Table, parse_where, present

_SHOWN = 5


def opened(spec: str, *, skip_bad: bool, pictures: bool = True) -> Dataset:
    """The data set; what was left out is said on stderr.

    Args:
        spec: ``READER:WHERE``.
        skip_bad: Go on without what is bad.
        pictures: All its pictures are needed: a missing one is an error now, not in an hour.
    """
    bad = Bad(skip=skip_bad)
    data = open_dataset(spec, bad=bad if skip_bad else None)
    if isinstance(data, Table) and (pictures or skip_bad):
        data = present(data, bad)
    if bad.left_out:
        tell_left_out(spec, bad)
    return data


def on_skeleton(data: Dataset, bones: Skeleton | None) -> Dataset:
    """The data with this skeleton, where it has the same keypoints: it may know pairs and sigmas.

    Labels often have names alone. Sigmas of the data stay if the skeleton has none.
    """
    if not isinstance(data, Table) or bones is None or data.skeleton.keypoints != bones.keypoints:
        return data
    sigmas = bones.sigmas or data.skeleton.sigmas
    return replace(data, skeleton=replace(bones, sigmas=sigmas))


def written(table: Table, target: str) -> str:
    """Write labels at ``READER:WHERE``; the name by which the result is opened with its pictures.

    File names start from the folder that WHERE names (``FILE@IMAGES``), else from the table's own.
    YOLO-pose wants pictures in a folder of its own, and they are linked there.
    """
    reader, where = split_spec(target)
    place = parse_where(where, splits=("train", "val", "test") if "#" in where else ())
    place.path.parent.mkdir(parents=True, exist_ok=True)
    if reader == "yolo_pose":
        save_dataset(table, target)
        return target
    if place.images:
        names = [os.path.relpath(table.folder / name, place.images) for name in table.names]
        table = replace(table, folder=place.images, names=names)
    save_dataset(table, target)
    return target if place.images else f"{target}@{table.folder}"


def tell_left_out(spec: str, bad: Bad) -> None:
    """What was left out of the data set, on stderr: how much, and the first of it."""
    for message in bad.left_out[:_SHOWN]:
        print(f"vitruvian: left out: {message}", file=sys.stderr)
    more = len(bad.left_out) - _SHOWN
    if more > 0:
        print(f"vitruvian: left out: … and {more} more", file=sys.stderr)
    print(f"vitruvian: {spec}: {len(bad.left_out)} left out", file=sys.stderr)
