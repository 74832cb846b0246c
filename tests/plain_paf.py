"""Part affinity fields decoded the plain way: whole maps enlarged, every pair walked, in Python.

What the fast codec has to equal, and what its benchmark is measured against. Written from Cao et
al. 2017 (sections 2.3 and 2.4) and Osokin 2019, for one view.
"""

from dataclasses import dataclass
from itertools import pairwise

import cv2
import numpy as np
from scipy.ndimage import gaussian_filter

from vitruvian.codecs.paf import Paf


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The settings of ``vitruvian.codecs.paf.Paf`` that matter here, under the same names."""

    limbs: list[tuple[int, int]]
    order: list[int]
    redundant: list[bool]
    keypoints: int
    factor: int = 8
    resize: bool = True
    threshold: float = 0.1
    blur: float = 3.0
    apart: float = 0.0
    samples: int = 10
    floor: float = 0.05
    agreement: float = 0.8
    length_prior: float = 0.5
    passing_only: bool = False
    assembly: str = "merge"
    min_keypoints: int = 4
    min_score: float = 0.4


def plain(codec: Paf) -> Plain:
    """The settings of a codec; its tree first if it has no order."""
    bones = codec.skeleton
    branches = {frozenset(pair) for pair in bones.parents}
    redundant = [frozenset(limb) not in branches for limb in bones.limbs]
    return Plain(
        limbs=[(int(a), int(b)) for a, b in bones.limb_index],
        order=list(codec.order) or sorted(range(len(redundant)), key=lambda e: redundant[e]),
        redundant=redundant,
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


def people(heatmap: np.ndarray, paf: np.ndarray, size: tuple[int, int], rule: Plain):
    """All peaks A 4 (x, y, score, keypoint) and people N K + 2 (peaks, score, count)."""
    heatmap, paf = _enlarged(heatmap, size, rule), _enlarged(paf, size, rule)
    found = [_peaks(heatmap[k], rule) for k in range(rule.keypoints)]
    ends = np.cumsum([0, *map(len, found)])
    ids = [range(a, b) for a, b in pairwise(ends)]
    peaks = np.array([(*p, k) for k, ps in enumerate(found) for p in ps]).reshape(-1, 4)
    rows: list[dict] = []
    for limb in rule.order:
        a, b = rule.limbs[limb]
        field = paf[2 * limb : 2 * limb + 2]
        if not (ids[a] and ids[b]):
            if rule.assembly == "extend":
                _add_lonely(rows, peaks, [(k, i) for k in (a, b) for i in ids[k]])
            continue
        pairs = _pairs(field, peaks, ids[a], ids[b], rule)
        join = _merge if rule.assembly == "merge" else _extend
        join(rows, peaks, pairs, a, b, limb, rule)
    table = np.full((len(rows), rule.keypoints + 2), -1.0)
    for row, person in zip(table, rows, strict=True):
        for k, i in person["parts"].items():
            row[k] = i
        row[-2:] = person["score"], person["count"]
    good = (table[:, -1] >= rule.min_keypoints) & (
        table[:, -2] / np.maximum(table[:, -1], 1) >= rule.min_score
    )
    return peaks, table[good]


def _enlarged(maps: np.ndarray, size: tuple[int, int], rule: Plain) -> np.ndarray:
    out = []
    for one in maps.astype(np.float32):
        fine = cv2.resize(one, None, fx=rule.factor, fy=rule.factor, interpolation=cv2.INTER_CUBIC)
        if rule.resize and fine.shape != size:
            fine = cv2.resize(fine, size[::-1], interpolation=cv2.INTER_CUBIC)
        out.append(fine)
    return np.stack(out)


def _peaks(fine: np.ndarray, rule: Plain) -> list[tuple[float, float, float]]:
    seen = gaussian_filter(fine, rule.blur) if rule.blur else fine
    around = np.pad(seen, 1, constant_values=-np.inf)
    sides = np.stack([around[:-2, 1:-1], around[2:, 1:-1], around[1:-1, :-2], around[1:-1, 2:]])
    top = (seen >= sides).all(0) if rule.blur else (seen > sides).all(0)
    rows, columns = np.nonzero(top & (seen > rule.threshold))
    points = list(zip(columns.tolist(), rows.tolist(), strict=True))
    if rule.apart:
        points, kept = sorted(points, key=lambda p: p[0]), []
        for p in points:
            if all(np.hypot(p[0] - q[0], p[1] - q[1]) >= rule.apart for q in kept):
                kept.append(p)
        points = kept
    return [(float(x), float(y), float(fine[y, x])) for x, y in points]


def _pairs(field: np.ndarray, peaks: np.ndarray, ids_a: range, ids_b: range, rule: Plain):
    """Greedy one to one connections (peak, peak, score), best first."""
    scored = []
    for i in ids_a:
        for j in ids_b:
            start, stop = peaks[i, :2], peaks[j, :2]
            length = float(np.hypot(*(stop - start)))
            if length == 0:
                continue
            along = (stop - start) / length
            points = np.round(np.linspace(start, stop, rule.samples)).astype(int)
            values = field[:, points[:, 1], points[:, 0]].T @ along
            high = values > rule.floor
            score = values[high].mean() if rule.passing_only and high.any() else values.mean()
            if rule.length_prior:
                score += min(rule.length_prior * field.shape[1] / length - 1, 0)
            if high.sum() > rule.agreement * rule.samples and score > 0:
                scored.append((i, j, float(score)))
    scored.sort(key=lambda pair: -pair[2])
    left, right, chosen = set(), set(), []
    for i, j, score in scored:
        if i not in left and j not in right:
            left.add(i)
            right.add(j)
            chosen.append((i, j, score))
    return chosen


def _new(rows: list[dict], peaks: np.ndarray, parts: dict[int, int], score: float) -> None:
    score += sum(peaks[i, 2] for i in parts.values())
    rows.append({"parts": parts, "score": score, "count": len(parts)})


def _add_lonely(rows: list[dict], peaks: np.ndarray, candidates: list[tuple[int, int]]) -> None:
    for k, i in candidates:
        if not any(row["parts"].get(k) == i for row in rows):
            _new(rows, peaks, {k: i}, 0.0)


def _merge(rows: list[dict], peaks, pairs, a: int, b: int, limb: int, rule: Plain) -> None:
    for i, j, score in pairs:
        owners = [r for r in rows if r["parts"].get(a) == i or r["parts"].get(b) == j]
        if len(owners) >= 2 and not owners[0]["parts"].keys() & owners[1]["parts"].keys():
            first, second = owners[:2]
            first["parts"] |= second["parts"]
            first["count"] += second["count"]
            first["score"] += second["score"] + score
            rows[:] = [r for r in rows if r is not second]
        elif owners:
            first = owners[0]
            if first["parts"].get(b) != j:
                first["parts"][b] = j
                first["count"] += 1
                first["score"] += peaks[j, 2] + score
        elif not rule.redundant[limb]:
            _new(rows, peaks, {a: i, b: j}, score)


def _extend(rows: list[dict], peaks, pairs, a: int, b: int, limb: int, rule: Plain) -> None:
    if rule.redundant[limb]:
        for i, j, _ in pairs:
            for row in rows:
                parts = row["parts"]
                if parts.get(a) == i and b not in parts:
                    parts[b] = j
                elif parts.get(b) == j and a not in parts:
                    parts[a] = i
        return
    first = limb == rule.order[0]
    for i, j, score in pairs:
        owners = [] if first else [r for r in rows if r["parts"].get(a) == i]
        for row in owners:
            row["parts"][b] = j
            row["count"] += 1
            row["score"] += peaks[j, 2] + score
        if not owners:
            _new(rows, peaks, {a: i, b: j}, score)
