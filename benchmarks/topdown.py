"""What twenty people cost beside their network: views, decoding, scores, suppression.

python benchmarks/topdown.py [--repeats 15] [-o benchmarks/topdown.json]

One picture of 640 x 480 with twenty boxes, one thread, the bundled pose network; processor time of
the whole step and of the bare network on the same views, in turn.
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from record import keep, quartiles

import vitruvian
from vitruvian.core.types import Boxes
from vitruvian.core.view import View
from vitruvian.image.warp import warp

PEOPLE = 20


def milliseconds(function: Callable[[], object]) -> float:
    """Processor time of a call."""
    began = time.process_time()
    function()
    return 1000 * (time.process_time() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    low = rng.uniform([0, 0], [560, 260], (PEOPLE, 2))
    xyxy = np.hstack([low, low + np.array([80, 220])]).astype(np.float32)
    boxes = Boxes(xyxy=xyxy, scores=rng.uniform(0.4, 1, PEOPLE).astype(np.float32))
    pose = vitruvian.load(detector=None, threads=1).pose
    rule = pose.model.metadata
    views = [View.crop(box, rule.size, padding=rule.padding, align=rule.align) for box in xyxy]
    batch = np.stack([warp(image, view) for view in views])
    both: dict[str, list[float]] = {"whole step": [], "bare network": []}
    for turn in range(args.repeats + 2):
        spent = (
            milliseconds(lambda: pose([image], [boxes])),
            milliseconds(lambda: pose.model.backend(batch)),
        )
        if turn > 1:
            for times, one in zip(both.values(), spent, strict=True):
                times.append(one)
    found = {name: quartiles(times) for name, times in both.items()}
    whole, bare = (found[name]["median"] for name in both)
    keep(
        args.out,
        {
            "people": PEOPLE,
            "milliseconds": found,
            "beside the network": round(whole - bare, 2),
            "allowed": round(0.3 * bare + 5, 2),
        },
    )


if __name__ == "__main__":
    main()
