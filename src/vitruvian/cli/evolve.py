"""Search a network's arguments by evolution, weights handed on from parent to child."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from vitruvian.cli._arguments import add_changes
from vitruvian.core.errors import ConfigError

if TYPE_CHECKING:
    from vitruvian.train.evolve import Member


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    add = parser.add_argument
    add("system", help="the ancestor: name of a page's function")
    add(
        "--data",
        action="append",
        required=True,
        metavar="READER:WHERE",
        help="training data, e.g. coco:train.json@images; may be given several times",
    )
    add("--val", required=True, metavar="READER:WHERE", help="data of the validation loss")
    add("-o", "--out", required=True, type=Path, help="folder of the search")
    add(
        "--gene",
        dest="genes",
        action="append",
        default=[],
        metavar="NAME=VALUE,VALUE…",
        help="an argument of the network that may vary, and what it may be; "
        "instead of the genes that the network's file states",
    )
    add("--generations", type=int, default=10, help="after the ancestor's")
    add("--parents", type=int, default=4, help="best members that have children")
    add("--children", type=int, default=64, help="of a generation")
    add("--first-epochs", type=int, default=30, help="training of the ancestor")
    add("--epochs", type=int, default=5, help="training of every child")
    add("--target", type=float, default=5e6, help="parameters that are neither good nor bad")
    add("--exponent", type=float, default=-0.07, help="fitness = loss * (target / parameters)^this")
    add("--seed", type=int, default=0, help="of every choice")
    add("--faithful", action="store_true", help="hand on weights as the authors' program does")
    add_changes(
        parser, "change a setting of the page; rotation and scaling are off unless set here"
    )
    add("--resume", action="store_true", help="go on where the search stopped")
    add("--processes", type=int, default=1, help="members that train at the same time")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:N")
    add("--precision", default="auto", help="auto, bf16, f32")
    add("--threads", type=int, default=0, help="processor threads of each process; 0: all")
    add("--quiet", action="store_true", help="say nothing until the end")


def run(args: argparse.Namespace) -> int:
    """Search; the folder holds the log, the front and the weights on it."""
    from vitruvian.core.config import override
    from vitruvian.core.errors import MissingExtra
    from vitruvian.core.lookup import find

    try:
        from vitruvian.train.evolve import Member, Place, Search, evolve, front
    except ModuleNotFoundError as error:
        raise MissingExtra("torch", "train", "vitruvian evolve") from error

    still = ["train.augment.rotation=0", "train.augment.scale=0"]
    system = override(find("vitruvian.systems", args.system)(), [*still, *args.changes])
    names = ("generations", "parents", "children", "first_epochs", "epochs", "target", "exponent")
    search = Search(
        **{name: getattr(args, name) for name in names}, seed=args.seed, faithful=args.faithful
    )
    place = Place(
        out=args.out,
        processes=args.processes,
        device=args.device,
        precision=args.precision,
        threads=args.threads,
        resume=args.resume,
    )

    def show(member: Member) -> None:
        if not args.quiet:
            print(_line(member), file=sys.stderr, flush=True)

    genes = _genes(args.genes) or None
    members = evolve(system, args.data, args.val, search, place, genes=genes, progress=show)
    print("the front, smallest first:")
    for member in front(members):
        print(f"{_line(member)}  {member.args}")
    print(f"{len(members)} members; picture in {args.out / 'front.svg'}")
    return 0


def _line(member: "Member") -> str:
    born = f"of {member.parent}" if member.parent is not None else "ancestor"
    return (
        f"{member.id:5d} generation {member.generation} {born:>9}: "
        f"{member.parameters:>10,} parameters, loss {member.loss:.5g}, fitness {member.fitness:.5g}"
    )


def _genes(texts: list[str]) -> dict[str, object]:
    """``width=64,96,128`` as a gene."""
    from ast import literal_eval

    from vitruvian.core.genome import Gene

    genes: dict[str, object] = {}
    for text in texts:
        name, equals, values = text.partition("=")
        if not (name and equals and values):
            raise ConfigError(f"cannot read gene {text!r}; write NAME=VALUE,VALUE: width=64,96,128")
        try:
            options = literal_eval(f"({values},)")
        except (SyntaxError, ValueError):
            options = tuple(values.split(","))
        genes[name] = Gene(options=options)
    return genes
