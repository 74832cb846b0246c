"""Write the labels of a data set in another format, and say what that one cannot hold."""

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from vitruvian.cli._data import add_skip_bad, opened
from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset, save_dataset, split_spec
from vitruvian.datasets.kept import lost
from vitruvian.datasets.table import Table, parse_where

_LINKING = ("yolo_pose",)
"""Formats that want the pictures in a folder of their own, and link them there."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("source", metavar="A", help="labels, e.g. coco:val.json@images")
    parser.add_argument(
        "target",
        metavar="B",
        help="where to write: coco:FILE.json, yolo_pose:data.yaml#val, cvat:FILE.xml, "
        "label_studio:FILE.json, deeplabcut:CollectedData_ME.csv",
    )
    add_skip_bad(parser)


def run(args: argparse.Namespace) -> int:
    """Read, write, read back, compare."""
    reader, where = split_spec(args.target)
    data = opened(args.source, skip_bad=args.skip_bad, pictures=reader in _LINKING)
    if not isinstance(data, Table):
        raise InputError(f"{args.source}: its reader gives no Table, which is what can be written")
    place = parse_where(where, splits=("train", "val", "test") if "#" in where else ())
    written = _named_from(data, place.images) if place.images and reader not in _LINKING else data
    place.path.parent.mkdir(parents=True, exist_ok=True)
    save_dataset(written, args.target)
    target = args.target
    if reader not in _LINKING and not place.images:
        target = f"{args.target}@{data.folder}"
    again = open_dataset(target)
    if not isinstance(again, Table):
        raise InputError(f"{target}: its reader gives no Table, which is what can be compared")
    for what, count in lost(data, again).items():
        print(f"vitruvian: {reader} does not keep: {count} {what}", file=sys.stderr)
    print(f"{target}: {len(again)} pictures, {len(again.xy)} people")
    return 0


def _named_from(table: Table, folder: Path) -> Table:
    """The table with file names that start from another folder."""
    names = [os.path.relpath(table.folder / name, folder) for name in table.names]
    return replace(table, folder=folder, names=names)
