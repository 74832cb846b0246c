"""Scenes per second and core of the generator of synthetic people.

python benchmarks/synth.py [--assets DIR] [--repeats 5] [--scenes 10] [-o benchmarks/synth.json]

Processor time of one thread for 320 x 320 pictures of one to four people, labels and masks
included, JPEG not; the first scenes, which also read the assets, are not counted. Each repeat
draws other scenes, the two kinds of people in turn. ``megabytes`` is the largest the process grew.
"""

import argparse
import resource
import time
from pathlib import Path

import cv2
from record import keep, quartiles

from vitruvian.image.scenes import Sources, scene

SIZE, SEED = 320, 5


def rate(first: int, count: int, sources: Sources) -> float:
    """Scenes per second of processor time."""
    began = time.process_time()
    for index in range(first, first + count):
        scene(SEED, index, SIZE, sources)
    return count / (time.process_time() - began)


def main() -> None:
    """Alternate the kinds, so that all see the same machine."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--assets", help="folder of MakeHuman's files; without, mannequins only")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--scenes", type=int, default=10, help="of each repeat")
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    kinds = {"mannequin": Sources()}
    if args.assets:
        kinds["makehuman"] = Sources(assets=args.assets)
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for name in kinds:
        rate(10_000, 3 * args.scenes, kinds[name])
    for repeat in range(args.repeats):
        for name, sources in kinds.items():
            found[name].append(rate(repeat * args.scenes, args.scenes, sources))
    result = {
        "size": SIZE,
        "scenes_per_core_second": {name: quartiles(rates) for name, rates in found.items()},
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    keep(args.out, result)


if __name__ == "__main__":
    main()
