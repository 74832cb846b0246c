"""Write the labels of a data set in another format, and say what that one cannot hold."""

import argparse
import sys

from vitruvian.cli._arguments import add_skip_bad
from vitruvian.cli._data import opened, written
from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset, split_spec
from vitruvian.datasets.kept import lost
from vitruvian.datasets.table import Table


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
    reader, _ = split_spec(args.target)
    data = opened(args.source, skip_bad=args.skip_bad, pictures=reader == "yolo_pose")
    if not isinstance(data, Table):
        raise InputError(f"{args.source}: its reader gives no Table, which is what can be written")
    target = written(data, args.target)
    again = open_dataset(target)
    if not isinstance(again, Table):
        raise InputError(f"{target}: its reader gives no Table, which is what can be compared")
    for what, count in lost(data, again).items():
        print(f"vitruvian: {reader} does not keep: {count} {what}", file=sys.stderr)
    print(f"{target}: {len(again)} pictures, {len(again.xy)} people")
    return 0
