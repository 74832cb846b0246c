"""Try representations of people against each other on made-up scenes."""

import argparse
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from vitruvian.cli._arguments import add_changes
from vitruvian.core.errors import ConfigError

if TYPE_CHECKING:
    from vitruvian.core.protocols import SceneCodec
    from vitruvian.runtime.grouping import Outcome, Scene


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("what", choices=["grouping"], help="what is tried: grouping keypoints")
    parser.add_argument(
        "systems", nargs="*", help="bottom-up systems (all, one for each codec and setting)"
    )
    parser.add_argument("--people", default="1,10,30", help="people in a scene (1,10,30)")
    parser.add_argument(
        "--data", metavar="READER:WHERE", help="people where those of labelled pictures are"
    )
    parser.add_argument("--scenes", type=int, default=3, help="scenes of each kind (3)")
    parser.add_argument("--noise", type=float, default=0.02, help="deviation of the noise (0.02)")
    parser.add_argument("--size", type=int, default=512, help="sides of the view, pixels (512)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="times that each scene is decoded")
    add_changes(parser, "change a setting of the pages, e.g. codec.tree=true")


def run(args: argparse.Namespace) -> int:
    """Print a table: people found, spurious ones, OKS and milliseconds of ``decode``."""
    from vitruvian.runtime.grouping import tried

    if args.size < 64 or args.size % 64 or min(args.scenes, args.repeats) < 1 or args.noise < 0:
        raise ConfigError(
            f"size {args.size}, {args.scenes} scenes, {args.repeats} repeats, noise {args.noise}; "
            "the size is a multiple of 64, the others are positive"
        )
    codecs = _codecs(args.systems, args.changes)
    print(f"{'system':<32} {'people':>7} {'found':>7} {'spurious':>9} {'OKS':>6} {'ms':>8}")
    for label, scenes in _scenes(args):
        for name, (codec, rest) in codecs.items():
            size = (args.size + rest, args.size + rest)
            rng = np.random.default_rng(args.seed)
            found = tried(codec, scenes, size, rng, noise=args.noise, repeats=args.repeats)
            print(_line(f"{name} {label}".strip(), found), flush=True)
    return 0


def _codecs(systems: Sequence[str], changes: Sequence[str]) -> dict[str, tuple["SceneCodec", int]]:
    """Codec, and what its views have beyond a multiple, by system; equal codecs once."""
    from vitruvian.core.config import override
    from vitruvian.core.lookup import find, names
    from vitruvian.core.protocols import SceneCodec

    found: dict[str, tuple[SceneCodec, int]] = {}
    for name in systems or names("vitruvian.systems"):
        page = find("vitruvian.systems", name)()
        maps = all(field.stride for field in page.codec.fields)  # not people one by one
        if page.task == "bottomup" and maps:
            page = override(page, changes)
            entry = (page.codec, page.input.remainder)
            if systems or entry not in found.values():
                found[name] = entry
        elif systems:
            raise ConfigError(f"{name} groups no keypoints of maps; see `vitruvian list systems`")
    return found


def _scenes(args: argparse.Namespace) -> Iterator[tuple[str, list["Scene"]]]:
    """Scenes, with a label where their number of people is asked for."""
    from vitruvian.runtime.grouping import crowd, laid_out

    size, rng = (args.size, args.size), np.random.default_rng(args.seed)
    if args.data:
        from vitruvian.datasets import open_dataset

        samples = (sample for sample in open_dataset(args.data) if len(sample))
        yield "", [laid_out(sample, size) for sample in islice(samples, args.scenes)]
        return
    try:
        counts = [int(word) for word in args.people.split(",")]
    except ValueError as error:
        raise ConfigError(f"--people {args.people!r}; write numbers: 1,10,30") from error
    for count in counts:
        yield f"({count})", [crowd(count, size, rng) for _ in range(args.scenes)]


def _line(name: str, found: "Outcome") -> str:
    return (
        f"{name:<32} {found.people:>7} {found.found:>7} {found.spurious:>9} "
        f"{found.oks:>6.3f} {1e3 * found.seconds:>8.2f}"
    )
