"""Milliseconds per picture of PifPaf's and PersonLab's decoders, beside plain ones.

python benchmarks/grouping_composite.py [--repeats 7] [-o benchmarks/grouping_composite.json]

Fields are the targets of people drawn here, with noise: PifPaf at stride 8 on 641 x 641, PersonLab
at stride 16 on 401 x 401. The plain PifPaf decoder is the one of the tests, a loop per cell and
keypoint; the plain PersonLab lets every pixel vote through ``np.add.at``, and is not timed beyond
that. Both run twice, for up to 10 people. Processor time of one thread, as other programs may run
beside; the fastest run is the least disturbed.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from record import keep, quartiles

from vitruvian.codecs.composite import Composite
from vitruvian.codecs.offsets import Offsets
from vitruvian.core.skeleton import skeleton
from vitruvian.core.types import Keypoints, Target

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.codecs import plain_composite

BONES = skeleton("coco17")
PEOPLE = (1, 10, 30, 100)
STANDING = np.array(
    [
        *((50, 10), (54, 6), (46, 6), (58, 8), (42, 8), (66, 26), (34, 26), (72, 46), (28, 46)),
        *((74, 64), (26, 64), (60, 64), (40, 64), (62, 88), (38, 88), (62, 112), (38, 112)),
    ],
    np.float64,
)
"""COCO's keypoints of somebody 106 pixels tall."""


def crowd(count: int, side: int, rng: np.random.Generator) -> np.ndarray:
    """People N 17 2 on a jittered grid that fills the view, smaller the more they are."""
    columns = int(np.ceil(np.sqrt(count * 2)))
    rows = -(-count // columns)
    cell = np.array([side / columns, side / rows])
    scale = 0.9 * min(cell[0] / 50, cell[1] / 110, 3.0)
    corner = np.array([(i % columns, i // columns) for i in range(count)]) * cell
    bodies = STANDING * scale * rng.uniform(0.8, 1.0, (count, 1, 1)) + rng.normal(
        0, 2 * scale, (count, 17, 2)
    )
    shift = np.array([20 * scale, 0]) - rng.uniform(0, 0.1, (count, 1, 2)) * cell
    return np.clip(bodies - shift + corner[:, None], 0, side - 1).astype(np.float32)


def targets(codec: Composite | Offsets, count: int, side: int) -> dict[str, Target]:
    """Of people without any hidden keypoint."""
    xy = crowd(count, side, np.random.default_rng(count))
    visible = np.full(xy.shape[:2], 2, np.uint8)
    boxes, trust = np.zeros((count, 4), np.float32), np.ones((side, side), np.float32)
    return codec.encode(xy, visible, (side, side), boxes=boxes, trust=trust)


def composite_fields(count: int) -> tuple[np.ndarray, np.ndarray]:
    """K 5 h w and E 8 h w as a network gives them after its activations."""
    rng, made = np.random.default_rng(count), []
    codec = Composite(skeleton=BONES, stride=8)
    for target, channels, scales in zip(
        targets(codec, count, 641).values(), (5, 8), (4, 6), strict=True
    ):
        maps = target.value.reshape(-1, channels, *target.value.shape[1:]).copy()
        maps[:, 1] = np.clip(maps[:, 1] * 0.85 + rng.uniform(0, 0.15, maps[:, 1].shape), 0, 1)
        maps[:, 2:scales] += rng.normal(0, 0.1, maps[:, 2:scales].shape)
        maps[:, 2:scales:2] += np.arange(81)
        maps[:, 3:scales:2] += np.arange(81)[:, None]
        maps[:, scales:] = np.maximum(maps[:, scales:], 0.1)
        made.append(maps.astype(np.float32))
    return made[0], made[1]


def offsets_fields(count: int) -> dict[str, np.ndarray]:
    """A batch of one with chances for the heat map."""
    rng = np.random.default_rng(count)
    made = targets(Offsets(skeleton=BONES), count, 401)
    fields = {name: target.value[None].copy() for name, target in made.items()}
    noise = rng.uniform(0, 0.03, fields["heatmap"].shape)
    fields["heatmap"] = np.clip(fields["heatmap"] * 0.95 + noise, 0, 1).astype(np.float32)
    for name in ("short", "mid"):
        fields[name] += rng.normal(0, 1, fields[name].shape).astype(np.float32)
    return fields


def plain_votes(fields: dict[str, np.ndarray]) -> np.ndarray:
    """K 401 401: the constant part of the plain decoder, without peaks and grouping."""
    rows, columns = np.mgrid[:401, :401]
    place = np.linspace(0, 25, 401)
    between = np.maximum(0, 1 - np.abs(place[:, None] - np.arange(26)))
    heat, short = (between @ fields[name][0] @ between.T for name in ("heatmap", "short"))
    grids = np.zeros((17, 401, 401))
    for k, grid in enumerate(grids):
        x, y = columns + short[2 * k], rows + short[2 * k + 1]
        left, top = np.floor(x).astype(int), np.floor(y).astype(int)
        for dx, dy in ((0, 0), (1, 0), (0, 1), (1, 1)):
            share = heat[k] * (1 - np.abs(left + dx - x)) * (1 - np.abs(top + dy - y))
            kept = (left + dx >= 0) & (top + dy >= 0) & (left + dx < 401) & (top + dy < 401)
            np.add.at(grid, (top[kept] + dy, left[kept] + dx), share[kept])
        grid[:] = cv2.GaussianBlur(grid, (17, 17), 2, borderType=cv2.BORDER_REFLECT)
    return grids


def milliseconds(run: Callable[[], object], repeats: int) -> list[float]:
    """Processor time of each run."""
    found = []
    for _ in range(repeats):
        began = time.process_time()
        run()
        found.append(1000 * (time.process_time() - began))
    return found


def measure(count: int, repeats: int) -> dict[str, object]:
    """Both decoders on scenes of ``count`` people."""
    cif, caf = composite_fields(count)
    maps = {"cif": cif.reshape(1, -1, 81, 81), "caf": caf.reshape(1, -1, 81, 81)}
    composite = Composite(skeleton=BONES, stride=8, activated=True)
    fields = offsets_fields(count)
    fast = Offsets(skeleton=BONES, activated=True)
    exact = Offsets(skeleton=BONES, activated=True, step=1, floor=-1.0)

    def people(found: list[Keypoints]) -> int:
        return len(found[0].xy)

    def pifpaf() -> list[Keypoints]:
        return composite.decode(maps, (641, 641))

    def personlab() -> list[Keypoints]:
        return fast.decode(fields, (401, 401))

    found: dict[str, dict[str, object]] = {}
    for name, run in (("pifpaf", pifpaf), ("personlab", personlab)):
        times = milliseconds(run, repeats + 1)[1:]
        found[name] = {"found": people(run()), "ours": quartiles(times), "fastest": min(times)}
    if count <= 10:
        limbs = BONES.limb_index
        plain = milliseconds(lambda: plain_composite.decode(cif, caf, limbs, 8), 2)
        found["pifpaf"]["plain"] = quartiles(plain)
        votes = milliseconds(lambda: plain_votes(fields), 2)
        found["personlab"]["plain_votes_only"] = quartiles(votes)
        all_vote = milliseconds(lambda: exact.decode(fields, (401, 401)), 2)
        found["personlab"]["every_pixel"] = quartiles(all_vote)
    return {"people": count, **found}


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("-o", "--out", type=Path, default=Path(__file__).with_suffix(".json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = [measure(count, args.repeats) for count in PEOPLE]
    each = {row["people"]: row for row in rows}
    growth = {
        name: round(each[100][name]["fastest"] / 100 / (each[10][name]["fastest"] / 10), 3)
        for name in ("pifpaf", "personlab")
    }
    keep(args.out, {"milliseconds": rows, "per_person_at_100_over_10": growth})


if __name__ == "__main__":
    main()
