"""Scenes per second and core of the generator of synthetic people, and its loops against NumPy.

python -m benchmarks.synth [--assets DIR] [--repeats 5] [--scenes 10] [-o benchmarks/synth.json]

Processor time of one thread for 320 x 320 pictures of one to four people, labels and masks
included, JPEG not; compiling the loops, reading the assets and the first scenes are not counted.
Each repeat draws other scenes, the two kinds of people in turn. ``times_as_fast`` compares the
loops with the plain way of the tests on what such a scene is made of. ``megabytes`` is the largest
the process grew.
"""

import argparse
import resource
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from benchmarks.record import keep, quartiles
from tests import plain_triangles as plain
from vitruvian.image.makehuman import TARGETS, open_assets
from vitruvian.image.makehuman_files import wanted
from vitruvian.image.scenes import Sources, scene
from vitruvian.kernels import triangles

SIZE, SEED = 320, 5


def rate(first: int, count: int, sources: Sources) -> float:
    """Scenes per second of processor time."""
    began = time.process_time()
    for index in range(first, first + count):
        scene(SEED, index, SIZE, sources)
    return count / (time.process_time() - began)


def read_all(folder: str) -> None:
    """Every shape target and everything to wear."""
    assets = open_assets(folder)
    for path in wanted():
        if path.startswith(TARGETS):
            assets.target(path.removeprefix(TARGETS).removesuffix(".target"))
    for kind in ("clothes", "hair", "eyebrows"):
        for name in assets.fitted(kind):
            assets.wear(name)


def ball(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices and triangles of a ball of 2 x count² triangles."""
    around, up = np.meshgrid(np.linspace(0, 2 * np.pi, count), np.linspace(0, np.pi, count))
    x, y, z = np.sin(up) * np.cos(around), np.cos(up), np.sin(up) * np.sin(around)
    number = np.arange(count * count, dtype=np.int32).reshape(count, count)
    a, b, c, d = number[:-1, :-1], number[:-1, 1:], number[1:, :-1], number[1:, 1:]
    faces = np.concatenate([np.stack(f, -1).reshape(-1, 3) for f in ((a, b, c), (b, d, c))])
    return np.stack([x, y, z], -1).reshape(-1, 3).astype(np.float32), faces


def pairs() -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
    """The loops and the plain way for a ball of 20 000 triangles, 500 samples wide."""
    points, faces = ball(101)
    outward = plain.normals(points, faces)
    at = np.concatenate([points[:, :2] * 250 + 320, 1 / (points[:, 2:] + 3)], 1).astype(np.float32)
    behind, both = np.zeros(len(at), bool), np.ones(len(faces), bool)
    corners = at[faces[plain.in_front(at, behind, faces, both, 640, 640)]]
    shares, most = plain.planes(corners), np.float32(20)
    light = (np.array([0, 0, -3], np.float32), np.array([0.48, 0.6, -0.64], np.float32))
    lit = (points, outward, outward[:, 0], behind, *light, np.float32(0.4))

    def scan(by: Callable[..., object]) -> object:
        near, number = np.zeros((640, 640), np.float32), np.full((640, 640), -1, np.int32)
        return by(corners, shares, most, near, number)

    return {
        "normals": tuple(lambda m=m: m.normals(points, faces) for m in (triangles, plain)),
        "in_front": tuple(
            lambda m=m: m.in_front(at, behind, faces, both, 640, 640) for m in (triangles, plain)
        ),
        "planes": tuple(lambda m=m: m.planes(corners) for m in (triangles, plain)),
        "scan": tuple(lambda m=m: scan(m.scan) for m in (triangles, plain)),
        "light_up": tuple(lambda m=m: m.light_up(*lit) for m in (triangles, plain)),
    }


def seconds(call: Callable[[], object]) -> float:
    """Of processor time."""
    began = time.process_time()
    call()
    return time.process_time() - began


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
        read_all(args.assets)
    found: dict[str, list[float]] = {name: [] for name in kinds}
    for sources in kinds.values():
        rate(10_000, args.scenes, sources)
    for repeat in range(args.repeats):
        for name, sources in kinds.items():
            found[name].append(rate(repeat * args.scenes, args.scenes, sources))
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    ratios = {}
    for name, (loop, other) in pairs().items():
        loop()
        ratios[name] = round(median(seconds(other) / seconds(loop) for _ in range(9)), 1)
    result = {
        "size": SIZE,
        "scenes_per_core_second": {name: quartiles(rates) for name, rates in found.items()},
        "times_as_fast": ratios,
        "megabytes": megabytes,
    }
    keep(args.out, result)


if __name__ == "__main__":
    main()
