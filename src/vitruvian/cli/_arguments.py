"""Arguments that several verbs take."""

import argparse


def add_changes(parser: argparse.ArgumentParser, help: str) -> None:
    """``--set KEY=VALUE``, any number of times, as ``changes``."""
    parser.add_argument(
        "--set", dest="changes", action="append", default=[], metavar="KEY=VALUE", help=help
    )


def add_skip_bad(parser: argparse.ArgumentParser) -> None:
    """``--skip-bad``."""
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out records and pictures that cannot be used, and say how many",
    )
