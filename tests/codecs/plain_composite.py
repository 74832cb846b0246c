"""PifPaf's decoder, one keypoint and one cell at a time: what the fast one is compared with.

Kreiss, Bertoni and Alahi, T-ITS 2021, Sec. III. Written for reading, not for speed.
"""

import heapq
import math

import numpy as np

SEED, CIF, CAF = 0.2, 0.3, 0.3
NEIGHBOURS = 16


def high_resolution(cif: np.ndarray, stride: int) -> np.ndarray:
    """K H W: what the cells say about every pixel, at most 1."""
    k, _, h, w = cif.shape
    hr = np.zeros((k, (h - 1) * stride + 1, (w - 1) * stride + 1))
    for f, row, col in np.argwhere(cif[:, 1] >= CIF):
        _, v, x, y, s = (float(a) for a in cif[f, :, row, col])
        x, y, sigma = x * stride, y * stride, max(1.0, 0.5 * s * stride)
        for py in range(max(0, math.floor(y - sigma)), min(hr.shape[1], math.ceil(y + sigma) + 1)):
            for px in range(
                max(0, math.floor(x - sigma)), min(hr.shape[2], math.ceil(x + sigma) + 1)
            ):
                d2 = (px - x) ** 2 + (py - y) ** 2
                if d2 > sigma**2:
                    continue
                close = abs(px - x) < 0.5 and abs(py - y) < 0.5
                weight = 1.0 if close else (1 - d2 / sigma**2 / 16) ** 8
                hr[f, py, px] = min(1.0, hr[f, py, px] + v / NEIGHBOURS * weight)
    return hr


def look(hr: np.ndarray, f: int, x: float, y: float, default: float) -> float:
    """The pixel nearest to a point."""
    px, py = int(x + 0.5), int(y + 0.5)
    if x < -0.5 or y < -0.5 or px >= hr.shape[2] or py >= hr.shape[1]:
        return default
    return float(hr[f, py, px])


def seeds(cif: np.ndarray, hr: np.ndarray, stride: int) -> list[tuple[float, int, float, ...]]:
    """(score, keypoint, x, y, scale), best first."""
    found = []
    for f, row, col in np.argwhere(cif[:, 1] >= SEED):
        _, c, x, y, s = (float(a) for a in cif[f, :, row, col])
        v = 0.9 * look(hr, f, x * stride, y * stride, -1.0) + 0.1 * c
        if v >= SEED:
            found.append((v, int(f), x * stride, y * stride, s * stride))
    return sorted(found, key=lambda row: -row[0])


def scored(
    caf: np.ndarray, hr: np.ndarray, limbs: np.ndarray, stride: int, threshold: float = CAF
) -> dict[tuple[int, int], np.ndarray]:
    """(from, to) -> rows of (score, x, y, scale there, x, y, scale here)."""
    rows: dict[tuple[int, int], list] = {}
    for a, b in limbs.tolist():
        rows[a, b], rows[b, a] = [], []
    for e, row, col in np.argwhere(caf[:, 1] >= threshold):
        a, b = limbs[e].tolist()
        _, c, x1, y1, x2, y2, s1, s2 = (float(v) for v in caf[e, :, row, col])
        here = np.array([x1, y1, s1]) * stride
        there = np.array([x2, y2, s2]) * stride
        for start, end, p, q in ((a, b, here, there), (b, a, there, here)):
            score = c * (0.1 + 0.9 * look(hr, end, q[0], q[1], 0.0))
            if score > threshold:
                rows[start, end].append((score, *q, *p))
    return {key: np.array(value).reshape(-1, 7) for key, value in rows.items()}


def connect(rows: np.ndarray, x: float, y: float, s: float, filter_sigmas: float):
    """(score, x, y, scale) of the other end, or None."""
    reach = filter_sigmas * max(s, 0.5) / 2
    best: list[tuple[float, np.ndarray]] = [(0.0, None), (0.0, None)]
    for row in rows:
        if abs(row[4] - x) > reach or abs(row[5] - y) > reach:
            continue
        d2 = (row[4] - x) ** 2 + (row[5] - y) ** 2
        score = math.exp(-0.5 * d2 / (0.25 * s**2)) * row[0]
        if score >= best[0][0]:
            best = [(score, row), best[0]]
        elif score > best[1][0]:
            best[1] = (score, row)
    (first, a), (second, b) = best
    if a is None:
        return None
    if b is None or second < 0.01 or second < 0.5 * first:
        return (0.5 * first, *a[1:4])
    if math.hypot(a[1] - b[1], a[2] - b[2]) > a[3] / 2:
        return (0.5 * first, *a[1:4])
    blend = (first * a[1:4] + second * b[1:4]) / (first + second)
    return (0.5 * (first + second), *blend)


def grow(
    person: np.ndarray, rows: dict, *, reverse=True, filter_sigmas=1.0, low=0.15, share=0.5
) -> None:
    """Fill the joints (K rows of v, x, y, scale) that can be reached from those that are there."""
    queue: list = []
    queued: set = set()

    def queue_from(start: int) -> None:
        for a, b in rows:
            if a == start and person[b, 0] == 0 and (a, b) not in queued:
                queued.add((a, b))
                heapq.heappush(queue, (-math.sqrt(person[a, 0]), len(queued), a, b, None))

    for start in np.nonzero(person[:, 0] > 0)[0].tolist():
        queue_from(start)
    while queue:
        _, number, a, b, joint = heapq.heappop(queue)
        if person[b, 0] > 0:
            continue
        if joint is not None:
            person[b] = joint
            queue_from(b)
            continue
        v, x, y, s = person[a]
        found = connect(rows[a, b], x, y, s, filter_sigmas)
        if found is None:
            continue
        score = math.sqrt(found[0] * v)
        if score < low or score < share * v:
            continue
        if reverse:
            back = connect(rows[b, a], *found[1:], filter_sigmas)
            if back is None or abs(back[1] - x) + abs(back[2] - y) > s:
                continue
        heapq.heappush(queue, (-score, number, a, b, (score, *found[1:])))


class Occupancy:
    """Squares that are taken, on a grid of half the resolution."""

    def __init__(self, shape: tuple[int, int, int]) -> None:
        k, h, w = shape
        self.taken = np.zeros((k, h // 2 + 1, w // 2 + 1), bool)

    def add(self, f: int, x: float, y: float, s: float) -> None:
        reach = max(4.0, s) / 2
        x, y = x / 2, y / 2
        top = min(max(int(y - reach), 0), self.taken.shape[1] - 1)
        left = min(max(int(x - reach), 0), self.taken.shape[2] - 1)
        rows = slice(top, max(int(y + reach), top + 1))
        cols = slice(left, max(int(x + reach), left + 1))
        self.taken[f, rows, cols] = True

    def __call__(self, f: int, x: float, y: float) -> bool:
        _, h, w = self.taken.shape
        return bool(self.taken[f, min(max(int(y / 2), 0), h - 1), min(max(int(x / 2), 0), w - 1)])


def suppress(people: list[np.ndarray], shape, *, joint=0.15, person=0.15) -> list[np.ndarray]:
    """Remove joints that a better person has, weak joints, and weak people."""
    taken = Occupancy(shape)
    people = sorted(people, key=lambda p: -p[:, 0].mean())
    for p in people:
        for f in np.nonzero(p[:, 0] > 0)[0].tolist():
            _, x, y, s = p[f]
            if taken(f, x, y):
                p[f, 0] *= 1e-5
            else:
                taken.add(f, x, y, s)
        p[p[:, 0] <= joint, 0] = 0
    people = [p for p in people if p[:, 0].mean() >= person]
    return sorted(people, key=lambda p: -p[:, 0].mean())


def complete(person: np.ndarray, rows: dict) -> None:
    """Give every joint a place: by the weakest evidence, or else its neighbour's place."""
    grow(person, rows, reverse=False, filter_sigmas=4.0, low=0.0, share=0.0)
    queue = [(-person[a, 0], a, b) for a, b in rows if person[a, 0] > 0 == person[b, 0]]
    heapq.heapify(queue)
    while queue:
        _, a, b = heapq.heappop(queue)
        if person[b, 0] == 0:
            person[b] = 1e-5, *person[a, 1:]
            for c, d in rows:
                if c == b and person[d, 0] == 0:
                    heapq.heappush(queue, (-person[b, 0], b, d))


def decode(
    cif: np.ndarray, caf: np.ndarray, limbs: np.ndarray, stride: int, *, force: bool = False
) -> np.ndarray:
    """N K 4 (confidence, x, y, scale in pixels) from the fields as the authors' network gives them:

    ``cif`` K 5 h w (-, confidence, x, y, scale) and ``caf`` E 8 h w, in cells.
    """
    hr = high_resolution(cif, stride)
    rows = scored(caf, hr, limbs, stride)
    taken, people = Occupancy(hr.shape), []
    for v, f, x, y, s in seeds(cif, hr, stride):
        if taken(f, x, y):
            continue
        person = np.zeros((len(cif), 4))
        person[f] = v, x, y, s
        grow(person, rows, low=0.0 if force else 0.15, share=0.0 if force else 0.5)
        people.append(person)
        for joint in np.nonzero(person[:, 0] > 0)[0].tolist():
            taken.add(joint, *person[joint, 1:])
    if force:
        weak = scored(caf, hr, limbs, stride, 0.001)
        for person in people:
            complete(person, weak)
    people = suppress(people, hr.shape, **({"joint": 0.0, "person": 0.0} if force else {}))
    return np.array(people).reshape(-1, len(cif), 4)
