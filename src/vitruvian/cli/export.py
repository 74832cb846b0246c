"""Write a trained network as one ONNX file that carries everything inference needs."""

import argparse
import json
from pathlib import Path

from vitruvian.cli._arguments import add_changes


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("system", help="the system that the weights are of")
    parser.add_argument(
        "weights", type=Path, help="weights of a training run (.safetensors) or of `convert`"
    )
    parser.add_argument("-o", "--out", required=True, type=Path, help="the .onnx file")
    add_changes(parser, "change a setting of the page, e.g. input.size=256,192")
    parser.add_argument(
        "--skeleton", metavar="FILE.json", help="the keypoints it was trained on, if not the page's"
    )
    parser.add_argument("--f32", action="store_true", help="store weights in float32, not float16")
    parser.add_argument(
        "--provenance", type=Path, help="JSON to add to what the weights say of their training"
    )


def run(args: argparse.Namespace) -> int:
    """Export and compare with torch; nothing is written when they disagree."""
    from vitruvian import __version__
    from vitruvian.core.config import override
    from vitruvian.core.errors import MissingExtra
    from vitruvian.core.lookup import find
    from vitruvian.core.skeleton import skeleton

    try:
        from vitruvian.train.export import export_onnx
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "train", "vitruvian export") from error
    from vitruvian.nets import convert
    from vitruvian.systems.metadata import Metadata
    from vitruvian.systems.skeletons import with_skeleton
    from vitruvian.train.checkpoint import provenance_of
    from vitruvian.train.loop import build
    from vitruvian.train.recognise import load

    system = find("vitruvian.systems", args.system)()
    if args.skeleton:
        system = with_skeleton(system, skeleton(args.skeleton))
    system = override(system, args.changes)
    net = build(system)
    load(net, convert.read(args.weights), args.system)
    training = provenance_of(args.weights)
    if args.provenance:
        training |= json.loads(args.provenance.read_text(encoding="utf-8"))
    metadata = Metadata.of(system, training=training, version=__version__)
    parity = export_onnx(net, system, args.out, metadata=metadata, half=not args.f32)
    size = args.out.stat().st_size / 1e6
    print(f"{args.out}: {size:.1f} MB; {parity.runtime} differs from torch by {parity.worst:.1e}")
    return 0
