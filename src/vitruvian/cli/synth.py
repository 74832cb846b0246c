"""Draw pictures of made-up people with exact labels.

Each picture follows from the seed and its number alone: the same command gives the same bytes,
with any number of workers, and a run that was stopped goes on where it ended. DIR then is a data
set, synthetic:DIR or coco:DIR/people.json@DIR/images.
"""

import argparse
import json
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.datasets import synthetic
from vitruvian.image.makehuman import HOW_TO_GET
from vitruvian.image.makehuman_files import get_assets
from vitruvian.image.scenes import Sources, check_sources, scene
from vitruvian.outputs.files import replacing

SIZES = (64, 2048)
MOST = 10_000_000
WORKERS = 256


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("-o", "--output", metavar="DIR", type=Path)
    parser.add_argument("--scenes", metavar="N", type=int, help="pictures in all")
    parser.add_argument("--seed", metavar="S", type=int, default=0, help="default 0")
    parser.add_argument("--size", type=int, default=320, help="side in pixels (default 320)")
    parser.add_argument(
        "--bodies",
        choices=("mannequin", "makehuman"),
        default="mannequin",
        help="round cones, which need nothing, or MakeHuman's (default mannequin)",
    )
    parser.add_argument("--assets", metavar="DIR", type=Path, help="of --bodies makehuman")
    parser.add_argument("--poses", metavar="DIR", type=Path, help="BVH files to take poses from")
    parser.add_argument(
        "--backgrounds",
        metavar="DIR",
        type=Path,
        help="photographs without people, to stand before",
    )
    parser.add_argument(
        "--get-assets", metavar="DIR", type=Path, help="fetch MakeHuman's files (CC0) and end"
    )
    parser.add_argument("--workers", metavar="W", type=int, default=1, help="processes (default 1)")


def run(args: argparse.Namespace) -> int:
    """Draw what is not there yet, then write the labels of all."""
    if args.get_assets is not None:
        print(get_assets(args.get_assets))
        return 0
    if args.output is None or args.scenes is None:
        raise ConfigError("synth needs -o DIR and --scenes N, or --get-assets DIR")
    _check(args)
    sources = _sources(args)
    records = args.output / synthetic.RECORDS
    (args.output / synthetic.IMAGES).mkdir(parents=True, exist_ok=True)
    done = _done(records, args)
    todo = [index for index in range(args.scenes) if index not in done]
    job = partial(_draw, args.output, args.seed, args.size, sources)
    with records.open("ab") as out, _bar(args.scenes, len(done)) as advance:
        for index, line in _lines(job, todo, min(args.workers, max(len(todo), 1))):
            done[index] = (out.tell(), len(line))
            out.write(line)
            out.flush()
            advance()
    chosen = {index: place for index, place in done.items() if index < args.scenes}
    with replacing(args.output / synthetic.LABELS) as part:
        synthetic.write_labels(chosen, records, part)
    print(f"{args.output}: {len(chosen)} pictures, {len(todo)} of them new")
    return 0


def _check(args: argparse.Namespace) -> None:
    for name, value, low, high in (
        ("scenes", args.scenes, 1, MOST),
        ("seed", args.seed, 0, 2**63 - 1),
        ("size", args.size, *SIZES),
        ("workers", args.workers, 1, WORKERS),
    ):
        if not low <= value <= high:
            raise ConfigError(f"--{name} {value}; give a number from {low} to {high}")


def _sources(args: argparse.Namespace) -> Sources:
    """What the pictures are made from, looked at before the first is drawn."""
    human = args.bodies == "makehuman"
    if human and args.assets is None:
        raise ConfigError(f"--bodies makehuman needs --assets DIR; {HOW_TO_GET}")
    if args.assets is not None and not human:
        raise ConfigError("--assets is of --bodies makehuman; give both or neither")
    sources = Sources(
        assets=str(args.assets) if human else None,
        poses=None if args.poses is None else str(args.poses),
        backgrounds=None if args.backgrounds is None else str(args.backgrounds),
    )
    check_sources(sources)
    return sources


def _done(records: Path, args: argparse.Namespace) -> dict[int, tuple[int, int]]:
    """Place of every record whose picture is there, by number; what was cut off is cleared away."""
    places: dict[int, tuple[int, int]] = {}
    at = 0
    for index, line in synthetic.read_records(records):
        image = json.loads(line)["image"]
        about = image["scene"]
        theirs = (about["seed"], image["width"], about.get("bodies", "mannequin"))
        if theirs != (args.seed, args.size, args.bodies):
            raise InputError(
                "{}: holds pictures of --seed {} --size {} --bodies {}, not of --seed {} --size {} "
                "--bodies {}; give another folder".format(
                    args.output, *theirs, args.seed, args.size, args.bodies
                )
            )
        length = len(line.encode())
        if (args.output / synthetic.IMAGES / image["file_name"]).is_file():
            places[index] = (at, length)
        at += length
    if records.exists() and records.stat().st_size > at:
        os.truncate(records, at)
    return places


def _lines(
    job: Callable[[int], tuple[int, bytes]], todo: list[int], workers: int
) -> Iterator[tuple[int, bytes]]:
    """Number and record of every picture as it is done, in order."""
    if workers == 1:
        _one_thread()
        yield from map(job, todo)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers, initializer=_begin) as pool:
        yield from pool.imap(job, todo)


def _begin() -> None:
    """A worker leaves Ctrl-C to its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _one_thread()


def _one_thread() -> None:
    import cv2

    cv2.setNumThreads(1)


def _draw(folder: Path, seed: int, size: int, sources: Sources, index: int) -> tuple[int, bytes]:
    """Write one picture; its number and record."""
    made = scene(seed, index, size, sources)
    with replacing(folder / synthetic.IMAGES / synthetic.picture_name(index)) as part:
        part.write_bytes(synthetic.to_jpeg(made))
    return index, (json.dumps(synthetic.to_record(made)) + "\n").encode()


@contextmanager
def _bar(total: int, completed: int) -> Iterator[Callable[[], None]]:
    """A progress bar where somebody can see it; what is given is called after every picture."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("synth", total=total, completed=completed)
        yield lambda: bar.advance(task)
