"""Train a system; everything a page says can be changed with --set."""

import argparse
import shlex
import sys
from pathlib import Path

from vitruvian.cli._arguments import add_changes, add_skip_bad
from vitruvian.cli._data import on_skeleton, opened
from vitruvian.core.errors import ConfigError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("system", help="name of a page's function: vitruvian list systems")
    parser.add_argument(
        "--data",
        action="append",
        required=True,
        metavar="READER:WHERE",
        help="training data, e.g. coco:train.json@images; may be given several times",
    )
    parser.add_argument("--val", metavar="READER:WHERE", help="data that choose the best weights")
    parser.add_argument("-o", "--out", required=True, type=Path, help="folder of the run")
    add_changes(parser, "change a setting of the page, e.g. train.lr=3e-4 or input.size=256,192")
    add_skip_bad(parser)
    parser.add_argument(
        "--skeleton", metavar="FILE.json", help="keypoints of your own, instead of the page's"
    )
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--start", type=Path, help="weights of this network or of its backbone")
    parser.add_argument(
        "--fresh",
        action="append",
        default=[],
        metavar="START",
        help="of --start leave out parameters whose names start so, e.g. final_layer. for a head",
    )
    parser.add_argument(
        "--judge",
        type=Path,
        help="weights of an earlier stage: train on people it finds badly, --set train.hard=0.8",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    parser.add_argument("--precision", default="auto", help="auto, bf16, f32")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: all")
    parser.add_argument("--workers", type=int, default=1, help="threads of the feed")
    parser.add_argument("--val-limit", type=int, default=0, help="validate on so many pictures")
    parser.add_argument("--val-every", type=int, default=1, help="epochs between validations")
    parser.add_argument("--quiet", action="store_true", help="no progress display")


def run(args: argparse.Namespace) -> int:
    """Train; the run's folder holds config, log, checkpoints and the final weights."""
    from vitruvian.core.config import override
    from vitruvian.core.errors import MissingExtra
    from vitruvian.core.lookup import find
    from vitruvian.core.skeleton import skeleton

    try:
        from vitruvian.train.device import choose_device
    except ModuleNotFoundError as error:
        raise MissingExtra("torch", "train", "vitruvian train") from error
    from vitruvian.nets import convert
    from vitruvian.systems.skeletons import with_skeleton
    from vitruvian.train.feed import Feed
    from vitruvian.train.hard import hard_people
    from vitruvian.train.loop import Run, source_of, train
    from vitruvian.train.validate import validator

    if args.resume and args.start:
        raise ConfigError("--resume goes on with the run's own weights; leave --start out")
    system = find("vitruvian.systems", args.system)()
    if args.skeleton:
        system = with_skeleton(system, skeleton(args.skeleton))
    system = override(system, args.changes)
    device = choose_device(args.device, args.precision, threads=args.threads)
    data = [
        on_skeleton(opened(spec, skip_bad=args.skip_bad), system.skeleton) for spec in args.data
    ]
    source = source_of(system, data)
    if (args.judge is None) != (system.recipe.hard >= 1):
        raise ConfigError("--judge FILE and --set train.hard=0.8 need each other; give both")
    if args.judge:
        source = hard_people(source, data, args.judge, system.recipe.hard, device)
    feed = Feed(source, system, workers=args.workers)
    validate = None
    if args.val:
        val = opened(args.val, skip_bad=args.skip_bad, pictures=not args.val_limit)
        val = on_skeleton(val, system.skeleton)
        validate = validator(system, val, device, limit=args.val_limit)
    plan = Run(
        out=args.out,
        device=device,
        resume=args.resume,
        validate_every=args.val_every,
        provenance={"command": "vitruvian " + shlex.join(sys.argv[1:]), "data": list(args.data)},
    )
    total = system.recipe.epochs * feed.steps
    with _Display(total, system.recipe.batch, quiet=args.quiet) as display:
        start = convert.read(args.start) if args.start else None
        fresh = tuple(args.fresh)
        train(
            system, feed, plan, validate=validate, progress=display.show, start=start, fresh=fresh
        )
    print(f"{system.name}: {total} steps done; weights in {args.out / 'final.safetensors'}")
    return 0


class _Display:
    """A live line: step, loss, rate, time left. Validation scores stay on the screen."""

    def __init__(self, total: int, batch: int, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("step {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=quiet,
        )
        self._task, self._batch = self._bar.add_task("starting", total=total), batch

    def __enter__(self) -> "_Display":
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, record: dict[str, float]) -> None:
        if "loss" in record:
            rate = self._batch / (record["step_s"] + record["wait_s"])
            text = f"loss {record['loss']:.4g}  lr {record['lr']:.2g}  {rate:.0f} img/s"
            self._bar.update(self._task, completed=record["step"], description=text)
        else:
            scores = "  ".join(f"{k} {v:.4f}" for k, v in record.items() if k.startswith("val_"))
            self._bar.console.print(f"step {record['step']:.0f}: {scores}")
