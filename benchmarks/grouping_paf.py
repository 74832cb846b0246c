"""Milliseconds from part affinity fields to people, beside the plain way.

python benchmarks/grouping_paf.py [--repeats 30] [-o benchmarks/grouping_paf.json]

The fields are those of tests/parity/data/decode-openpose.npz: 46 x 46 cells of noisy targets of 1,
5, 10 and 30 people. ``openpose`` enlarges eight times and blurs, ``lightweight`` four times.
Plain is the same in NumPy and OpenCV, whole maps and every pair (tests/plain_paf.py). Growth is
that of people of 80 pixels on 100 x 100 cells. One thread; processor time, so that other programs
count less; peak memory as tracemalloc sees it, beside that of the fields.
"""

import argparse
import os
import sys
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"

import cv2
import numpy as np
from record import keep, quartiles

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.plain_paf import Plain, people
from vitruvian.codecs.paf import Paf
from vitruvian.systems.lightweight_openpose import lightweight_openpose_coco18
from vitruvian.systems.openpose import openpose_coco18

SCENES = Path(__file__).parent.parent / "tests" / "parity" / "data" / "decode-openpose.npz"
SYSTEMS = {"openpose": openpose_coco18, "lightweight": lightweight_openpose_coco18}


def scenes() -> list[tuple[int, dict[str, np.ndarray]]]:
    """People and fields of every scene."""
    with np.load(SCENES) as file:
        found = []
        for i in range(int(file["n_scenes"])):
            maps = file[f"fields_{i}"].astype(np.float32)[None]
            count = int(file[f"people_count_{i}"])
            found.append((count, {"heatmap": maps[:, :19], "paf": maps[:, 19:]}))
    return found


def tiled(codec: Paf, count: int) -> dict[str, np.ndarray]:
    """Fields of 10 x 10 places, ``count`` of which hold somebody."""
    with np.load(SCENES) as file:
        (coco,) = file["gt_0"][:, :, :2]
    names = codec.skeleton.keypoints
    coco17 = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    figure = np.stack([coco[[5, 6]].mean(0) if k is None else coco[k] for k in coco17])
    figure = (figure - figure.min(0)) / np.ptp(figure, axis=0).max() * 62 + 9
    order = np.random.default_rng(0).permutation(100)[:count]
    xy = figure + np.stack([order % 10, order // 10], axis=1)[:, None] * 80.0
    seen = np.ones((count, len(names)), np.uint8)
    targets = codec.encode(
        xy.astype(np.float32),
        seen,
        (800, 800),
        boxes=np.zeros((count, 4), np.float32),
        trust=np.ones((800, 800), np.float32),
    )
    return {name: target.value[None] for name, target in targets.items()}


def milliseconds(call: Callable[[], object], repeats: int) -> dict[str, float]:
    """Quartiles of processor time, after two calls that warm up."""
    times = []
    for _ in range(repeats + 2):
        began = time.process_time()
        call()
        times.append(1000 * (time.process_time() - began))
    return quartiles(times[2:]) | {"least": round(min(times[2:]), 4)}


def plain(codec: Paf) -> Plain:
    """The settings of the reference."""
    bones = codec.skeleton
    branches = {frozenset(pair) for pair in bones.parents}
    return Plain(
        limbs=[(int(a), int(b)) for a, b in bones.limb_index],
        order=list(codec.order),
        redundant=[frozenset(limb) not in branches for limb in bones.limbs],
        keypoints=len(bones),
        factor=codec.enlarge,
        resize=codec.to_view,
        blur=codec.blur,
        apart=codec.apart,
        length_prior=codec.length_prior,
        passing_only=codec.passing_only,
        assembly=codec.assembly,
        min_keypoints=codec.min_keypoints,
        min_score=codec.min_score,
    )


def measure(codec: Paf, repeats: int) -> list[dict[str, object]]:
    """One row per scene."""
    rows: list[dict[str, object]] = []
    for count, fields in scenes():
        heat, paf = fields["heatmap"][0], fields["paf"][0]
        size = (codec.stride * heat.shape[1], codec.stride * heat.shape[2])
        reference = partial(people, heat, paf, size, plain(codec))
        tracemalloc.start()
        (found,) = codec.decode(fields, size)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        rows.append(
            {
                "people": count,
                "found": len(found.xy),
                "ours_ms": milliseconds(partial(codec.decode, fields, size), repeats),
                "plain_ms": milliseconds(reference, 3),
                "peak_memory_over_fields": round(peak / (heat.nbytes + paf.nbytes), 2),
            }
        )
    return rows


def growth(codec: Paf, repeats: int) -> dict[str, float]:
    """Milliseconds per person at 10 and at 100 people on the same grid."""
    each = {}
    for count in (10, 100):
        fields = tiled(codec, count)
        (found,) = codec.decode(fields, (800, 800))
        assert len(found.xy) == count
        each[count] = milliseconds(partial(codec.decode, fields, (800, 800)), repeats)
    per_person = {f"ms_per_person_at_{n}": round(t["median"] / n, 4) for n, t in each.items()}
    return per_person | {"ratio": round(each[100]["median"] / each[10]["median"] / 10, 3)}


def main() -> None:
    """Both systems' settings, all scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    result: dict[str, object] = {}
    for name, page in SYSTEMS.items():
        codec = page().codec
        assert isinstance(codec, Paf)
        result[name] = measure(codec, args.repeats)
        result[f"{name}_growth"] = growth(replace(codec, apart=0.0), args.repeats)
    keep(args.out, result)


if __name__ == "__main__":
    main()
