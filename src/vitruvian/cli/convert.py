"""Turn a published checkpoint into weights of ours; strict: every tensor is used and filled."""

import argparse
from pathlib import Path

from vitruvian.cli._arguments import add_changes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("system", help="the system that the checkpoint is of")
    parser.add_argument("checkpoint", type=Path, help="the authors' file; no code in it is run")
    parser.add_argument("-o", "--out", required=True, type=Path, help="the .safetensors file")
    add_changes(parser, "change a setting of the page")
    parser.add_argument(
        "--fresh",
        action="append",
        default=[],
        metavar="START",
        help="parameters whose names start so are initialised anew, e.g. final_layer. for a head",
    )


def run(args: argparse.Namespace) -> int:
    """Read, rename, check, write."""
    from vitruvian.core.config import override, to_json
    from vitruvian.core.errors import MissingExtra
    from vitruvian.core.lookup import find

    try:
        from vitruvian.nets import convert
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "train", "vitruvian convert") from error
    from vitruvian.train.checkpoint import write_tensors
    from vitruvian.train.loop import build
    from vitruvian.train.recognise import start

    system = override(find("vitruvian.systems", args.system)(), args.changes)
    net = build(system)
    what = start(net, convert.read(args.checkpoint), args.system, fresh=tuple(args.fresh))
    meta = {"system": to_json(system), "provenance": {"converted_from": args.checkpoint.name}}
    write_tensors(args.out, dict(net.state_dict()), meta)
    print(f"{args.out}: {what} of {args.checkpoint}")
    return 0
