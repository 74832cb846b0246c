"""How the verbs open labelled data: what is bad is an error, or left out and counted."""

import argparse
import sys

from vitruvian.datasets import Dataset, open_dataset
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.table import Table, present

_SHOWN = 5


def add_skip_bad(parser: argparse.ArgumentParser) -> None:
    """The argument ``--skip-bad``."""
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out records and pictures that cannot be used, and say how many",
    )


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


def tell_left_out(spec: str, bad: Bad) -> None:
    """What was left out of the data set, on stderr: how much, and the first of it."""
    for message in bad.left_out[:_SHOWN]:
        print(f"vitruvian: left out: {message}", file=sys.stderr)
    more = len(bad.left_out) - _SHOWN
    if more > 0:
        print(f"vitruvian: left out: … and {more} more", file=sys.stderr)
    print(f"vitruvian: {spec}: {len(bad.left_out)} left out", file=sys.stderr)
