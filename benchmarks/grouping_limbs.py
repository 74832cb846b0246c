"""Milliseconds from SimplePose's maps to people, beside the plain way; and DeeperCut's proof.

python benchmarks/grouping_limbs.py [--repeats 30] [-o benchmarks/grouping_limbs.json]

Noisy targets of 1, 10 and 30 people on 128 x 128 cells, a view of 512 x 512; growth is that of 10
and 100 people on 400 x 400 cells. Plain is the same in NumPy and OpenCV, whole maps enlarged and
every pair in a loop (tests/plain_limbs.py). The programme groups candidates of people who are told
apart by costs with noise. One thread; processor time, so that other programs count less.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import numpy as np
from record import keep, quartiles

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.plain_limbs import crowd, people
from vitruvian.kernels.multicut import solve
from vitruvian.systems.simplepose import simplepose_4_512x512

CODEC = simplepose_4_512x512().codec


def milliseconds(work: Callable[[], object], repeats: int) -> dict[str, float]:
    """Processor time of a call, after one that does not count."""
    work()
    taken = []
    for _ in range(repeats):
        start = time.process_time()
        work()
        taken.append(1000 * (time.process_time() - start))
    return quartiles(taken) | {"least": round(min(taken), 4)}


def candidates(count: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Costs of ``count`` candidates, ``each`` of one person, with noise."""
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(count, 1), axis=1)
    same = (pairs // each)[:, 0] == (pairs // each)[:, 1]
    cost = np.where(same, -4.0, 4.0) + 3 * rng.normal(size=len(pairs))
    return rng.normal(-1, 1, count), pairs, cost


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    result = {"decode_ms": {}, "plain_ms": {}, "growth_ms": {}, "programme": {}}
    for count in (1, 10, 30):
        fields = crowd(CODEC, count, 512)
        found = milliseconds(lambda f=fields: CODEC.decode(f, (512, 512)), args.repeats)
        result["decode_ms"][count] = found
        result["plain_ms"][count] = milliseconds(lambda f=fields: people(CODEC, f), 3)
    for count in (10, 100):
        fields = crowd(CODEC, count, 1600)
        found = milliseconds(lambda f=fields: CODEC.decode(f, (1600, 1600)), 5)
        result["growth_ms"][count] = found
    for count in (20, 40, 60):
        problems = [candidates(count, 12, seed) for seed in range(5)]
        solved = [solve(*problem, seconds=30) for problem in problems]
        times = [milliseconds(lambda p=p: solve(*p, seconds=30), 2)["median"] for p in problems]
        result["programme"][count] = {
            "ms": quartiles(times),
            "largest_gap": max(s.gap for s in solved),
        }
    keep(args.out, result)


if __name__ == "__main__":
    main()
