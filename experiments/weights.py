"""Heads and features put together again, as a checkpoint that ``vitruvian export`` reads."""

import argparse
import shlex
import sys

from features import frozen
from heads import Taught

from vitruvian.core.config import to_json
from vitruvian.systems.spec import System
from vitruvian.train.checkpoint import write_tensors
from vitruvian.train.loop import build


def complete(taught: Taught, system: System, args: argparse.Namespace) -> None:
    """Write ``NAME.safetensors`` in the folder ``args.keep``."""
    net = build(system)
    state = net.state_dict() | taught.net.state_dict()
    features = {f"trunk.{k}": v for k, v in frozen(args.trunk).state_dict().items()}
    net.load_state_dict(state | features)
    args.keep.mkdir(parents=True, exist_ok=True)
    about = {
        "command": "python " + shlex.join(sys.argv),
        "data": [args.train],
        "views": args.views,
        "losses": taught.losses,
        "features": "vitruvian_pose_s, frozen",
    }
    meta = {"system": to_json(system), "provenance": about}
    write_tensors(args.keep / f"{system.name}.safetensors", dict(net.state_dict()), meta)
