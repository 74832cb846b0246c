"""Fit a model's keypoint scores to labelled pictures, so that a score is the chance to be right.

A keypoint is right when its similarity with the label is .5 or more (PCK@0.2 where the skeleton has
no OKS sigmas). The fit is monotonous: it changes neither keypoints nor the order of their scores.
Take pictures that the model was not trained on.
"""

import argparse
import hashlib
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from vitruvian.cli._arguments import add_skip_bad
from vitruvian.cli._data import opened
from vitruvian.cli._origin import origin
from vitruvian.core.errors import InputError, MissingExtra

LEAST = 100
"""Fewest keypoints that a calibration is fitted to."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("model", help="a bundled model or .onnx file")
    parser.add_argument("--data", required=True, metavar="READER:WHERE", help="labelled pictures")
    parser.add_argument("-o", "--out", required=True, type=Path, help="the calibrated .onnx file")
    parser.add_argument("--limit", type=int, default=0, help="only so many pictures")
    parser.add_argument("--json", type=Path, help="write how far scores could be trusted, and can")
    add_skip_bad(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, say what it brings on pictures held out in turn, and write the model."""
    from vitruvian.evaluate import BoxKind, ask, outcomes
    from vitruvian.metrics.calibration import fit, held_out, reliability
    from vitruvian.metrics.diagnosis import NEAR
    from vitruvian.metrics.report import json_text
    from vitruvian.outputs.files import replacing
    from vitruvian.runtime.load import load, model_bytes

    try:
        from vitruvian.train.export import with_metadata
    except ModuleNotFoundError as error:
        raise MissingExtra(str(error.name), "train", "vitruvian calibrate") from error

    predictor = load(args.model, detector=None)
    model = predictor.pose.model
    plain = replace(model, metadata=replace(model.metadata, calibration=None))
    predictor = replace(predictor, pose=replace(predictor.pose, model=plain))
    boxes: BoxKind = "gt" if plain.metadata.task == "topdown" else "detector"
    data = opened(args.data, skip_bad=args.skip_bad, pictures=not args.limit)
    found = outcomes(ask(predictor, data, boxes=(boxes,), limit=args.limit), boxes)
    if len(found) < LEAST:
        raise InputError(
            f"{len(found)} labelled keypoints were found in {args.data}; give pictures of more "
            f"people, a calibration needs {LEAST} keypoints"
        )
    chances = held_out(found.scores, found.right, found.picture.tolist())
    before, after = (reliability(s, found.right) for s in (found.scores, chances))
    fitted = replace(plain.metadata, calibration=fit(found.scores, found.right))
    calibrated = with_metadata(model_bytes(args.model)[0], fitted)
    with replacing(args.out) as part:
        part.write_bytes(calibrated)
    pictures = len(np.unique(found.picture))
    if args.json:
        told: dict[str, object] = {
            **predictor.provenance,
            **origin(),
            "data": args.data,
            "right": f"similarity of {NEAR} or more" if data.skeleton.sigmas else "PCK@0.2",
            "keypoints": len(found),
            "pictures": pictures,
            "before": asdict(before),
            "after_held_out": asdict(after),
            "calibrated_sha256": hashlib.sha256(calibrated).hexdigest(),
        }
        with replacing(args.json) as part:
            part.write_text(json_text(told) + "\n", encoding="utf-8")
    print(
        f"{args.out}: {len(found)} keypoints of {pictures} pictures; expected calibration error "
        f"{before.ece:.3f} before, {after.ece:.3f} after (on pictures held out in turn); Brier "
        f"score {before.brier:.3f} and {after.brier:.3f}"
    )
    return 0
