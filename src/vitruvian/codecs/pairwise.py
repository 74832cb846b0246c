"""Candidates of keypoints and where they expect the others (DeeperCut: Insafutdinov et al. 2016).

Three outputs: logits of a disc around each keypoint, the step from a cell to the keypoint, and from
every keypoint to every other. Decoding takes the best cells as candidates, tells from the predicted
steps how likely two candidates are of one person, and finds the cheapest way to suppress and group
them all: an integer programme (DeepCut: Pishchulin et al. 2016), here solved to the proven optimum
unless time runs out.

The features and the logistic model of a pair are the TensorFlow version's, whose models ship apart
from it; without one, a plain rule on the distance stands in.
"""

import logging
from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Float32, UInt8

from vitruvian.core.errors import ConfigError
from vitruvian.core.fields import Field, finite
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.kernels.multicut import Solution, solve, solve_in_stages

_log = logging.getLogger(__name__)

_SURE = 1e-7
"""Probabilities stay this far from 0 and 1."""
_SAME = (0.2, 7.5)
"""Two candidates of one keypoint d pixels apart are one with probability s(7.5 - 0.2 d)."""
_PLAIN = (-0.1, 0.0, -0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 7.5)
"""The same rule on the mean of both errors, in the features of a pair."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairwise:
    """Discs, steps to the keypoint, steps to the other keypoints.

    Attributes:
        skeleton: Keypoints.
        stride: View pixels per cell.
        centre: View pixels from a cell's first pixel to where its steps begin; the authors' is 4.
        radius: Of the discs, view pixels.
        unit: View pixels per unit of the step to the keypoint.
        offsets: Mean x, mean y, deviation x, deviation y in view pixels of the step from one
            keypoint to another, for each ordered pair in the order of the channels; empty for 0 and
            ``spread``.
        spread: See ``offsets``.
        graph: Pairs of keypoints, by name, that the grouping looks at; empty for all.
        weights: Nine for each pair of ``graph``: logistic model of the features; empty for a rule.
        low: Eight for each pair: values of the features that become 0.
        high: Eight for each pair: values of the features that become 1.
        floor: Least probability of a candidate.
        apart: Cells around a candidate without another of the same keypoint.
        most: Most candidates of a view, the most probable.
        stages: Keypoints by name, group by group; each is solved with the groups before it as they
            are. Empty solves all at once.
        seconds: Time after which the optimum need not be proven.
        fewest: Least keypoints of a person.
    """

    skeleton: Skeleton
    stride: int = 8
    centre: float = 4.0
    radius: float = 17.0
    unit: float = 7.2801
    offsets: tuple[tuple[float, float, float, float], ...] = ()
    spread: float = 32.0
    graph: tuple[tuple[str, str], ...] = ()
    weights: tuple[tuple[float, ...], ...] = ()
    low: tuple[tuple[float, ...], ...] = ()
    high: tuple[tuple[float, ...], ...] = ()
    floor: float = 0.2
    apart: int = 5
    most: int = 600
    stages: tuple[tuple[str, ...], ...] = ()
    seconds: float = 1.0
    fewest: int = 1

    def __post_init__(self) -> None:
        count = len(self.skeleton)
        named = {n for names in (*self.graph, *self.stages) for n in names}
        unknown = named - set(self.skeleton.keypoints)
        staged = [n for stage in self.stages for n in stage]
        if unknown or (staged and sorted(staged) != sorted(self.skeleton.keypoints)):
            raise ConfigError(
                f"graph and stages name keypoints of {self.skeleton.name!r}, and stages each of "
                f"them once; unknown are {sorted(unknown)}"
            )
        if len(self.offsets) not in (0, count * (count - 1)):
            raise ConfigError(
                f"{len(self.offsets)} offsets for {count} keypoints; give {count * (count - 1)}"
            )
        models = {len(self.weights), len(self.low), len(self.high)}
        if models != {0} and models != {len(self.graph)}:
            raise ConfigError("weights, low and high need one entry for each pair of the graph")
        if min(self.stride, self.radius, self.unit, self.spread, self.most) <= 0:
            raise ConfigError("stride, radius, unit, spread and most must be above 0")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Logits, steps (x, y) to the keypoint, steps (x, y) from keypoint a to keypoint b."""
        count = len(self.skeleton)
        channels = {"heatmap": count, "locref": 2 * count, "pairwise": 2 * count * (count - 1)}
        return tuple(Field(name=n, channels=c, stride=self.stride) for n, c in channels.items())

    def _channel(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Place of the pair a -> b among all ordered pairs."""
        channel: np.ndarray = (len(self.skeleton) - 1) * a + b - (a < b)
        return channel

    def _scales(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation of the steps of all ordered pairs, P 2 float32."""
        count = len(self.skeleton) * (len(self.skeleton) - 1)
        plain = (0.0, 0.0, self.spread, self.spread)
        rows = np.array(self.offsets or (plain,) * count, np.float32).reshape(count, 4)
        return rows[:, :2], rows[:, 2:]

    def encode(
        self,
        xy: Float32[np.ndarray, "N K 2"],
        visible: UInt8[np.ndarray, "N K"],
        size: tuple[int, int],
        *,
        boxes: Float32[np.ndarray, "N 4"],
        trust: Float32[np.ndarray, "H W"],
    ) -> dict[str, Target]:
        """Targets of one view; in a disc steps have weight, where discs meet the nearer keypoint's.

        Args:
            xy: Keypoints of everyone, view pixels.
            visible: 0 is not labelled.
            size: (H, W) of the view.
            boxes: Not needed.
            trust: The discs have weight where its mean over the cell is at least 0.5.
        """
        h, w = self.fields[0].cells(size)
        targets = {f.name: np.zeros((f.channels, h, w), np.float32) for f in self.fields}
        known = {name: np.zeros_like(value) for name, value in targets.items()}
        there = (visible > 0) & np.isfinite(xy).all(axis=-1)
        nearest = np.full((len(self.skeleton), h, w), np.inf)
        for person, k in np.argwhere(there).tolist():
            self._disc(xy[person], there[person], k, nearest[k], targets, known)
        shrunk = cv2.resize(trust, (w, h), interpolation=cv2.INTER_AREA)
        known["heatmap"] = (shrunk >= 0.5).astype(np.float32)[None]
        return {n: Target(value=value, weight=known[n]) for n, value in targets.items()}

    def _disc(
        self,
        xy: np.ndarray,
        there: np.ndarray,
        k: int,
        nearest: np.ndarray,
        targets: dict[str, np.ndarray],
        known: dict[str, np.ndarray],
    ) -> None:
        """Write one keypoint of one person where nobody else's is nearer."""
        h, w = nearest.shape
        low = np.ceil((xy[k] - self.radius - self.centre) / self.stride).astype(int)
        high = np.floor((xy[k] + self.radius - self.centre) / self.stride).astype(int)
        columns = np.arange(max(low[0], 0), min(high[0], w - 1) + 1)
        rows = np.arange(max(low[1], 0), min(high[1], h - 1) + 1)[:, None]
        step_x = xy[k, 0] - self._pixel(columns)
        step_y = xy[k, 1] - self._pixel(rows)
        distance = step_x**2 + step_y**2
        mine = (distance <= self.radius**2) & (distance <= nearest[rows, columns])
        i, j = np.nonzero(mine)
        y, x = rows[i, 0], columns[j]
        nearest[y, x] = distance[i, j]
        targets["heatmap"][k, y, x] = 1
        step = np.stack([step_x[j], step_y[i, 0]]) / self.unit
        targets["locref"][2 * k : 2 * k + 2, y, x] = step
        known["locref"][2 * k : 2 * k + 2, y, x] = 1
        others = np.flatnonzero(there & (np.arange(len(there)) != k))
        pair = self._channel(np.full(len(others), k), others)
        mean, deviation = (scale[pair] for scale in self._scales())
        at = np.stack([self._pixel(x), self._pixel(y)], axis=1)
        steps = (xy[others, None] - at - mean[:, None]) / deviation[:, None]
        for axis in (0, 1):
            targets["pairwise"][2 * pair[:, None] + axis, y, x] = steps[..., axis]
            known["pairwise"][2 * pair[:, None] + axis, y, x] = 1

    def _pixel(self, cell: np.ndarray) -> np.ndarray:
        return self.stride * cell + self.centre

    def decode(self, fields: Fields, size: tuple[int, int]) -> list[Keypoints]:
        """The people of each view, best first; a score is the mean over all K keypoints.

        Args:
            fields: ``heatmap`` logits B K h w, ``locref`` B 2K h w, ``pairwise`` B 2K(K-1) h w.
            size: (H, W) of the view in pixels.

        Raises:
            InputError: A field has another number of channels.
        """
        maps = [
            finite(field.of(fields), field.name, -np.inf if field.name == "heatmap" else 0.0)
            for field in self.fields
        ]
        return [self._people(*view) for view in zip(*maps, strict=True)]

    def _people(self, logit: np.ndarray, locref: np.ndarray, pairwise: np.ndarray) -> Keypoints:
        joint, cell, chance = self._candidates(logit)
        grid = self._pixel(cell).astype(np.float64)
        x, y = cell.T
        step = np.stack([locref[2 * joint, y, x], locref[2 * joint + 1, y, x]], axis=1)
        xy = grid + step * self.unit
        pairs, likely = self.pair_chances(joint, cell, grid, xy, pairwise)
        solution = self._solved(joint, chance, pairs, likely)
        return self._answer(solution.labels, joint, xy, chance)

    def _candidates(self, logit: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Keypoint, cell (M 2: x, y) and probability, by keypoint and best first."""
        with np.errstate(over="ignore"):
            chance = 1 / (1 + np.exp(-logit.astype(np.float64)))
        found = [_apart(plane, self.floor, self.apart) for plane in chance]
        joint = np.repeat(np.arange(len(found)), [len(cells) for cells in found])
        cell = np.concatenate(found)
        value = chance[joint, cell[:, 1], cell[:, 0]]
        if len(joint) > self.most:
            _log.warning("%d candidates; the %d most probable count", len(joint), self.most)
            kept = np.sort(np.argsort(-value, kind="stable")[: self.most])
            joint, cell, value = joint[kept], cell[kept], value[kept]
        return joint, cell, value

    def pair_chances(
        self,
        joint: np.ndarray,
        cell: np.ndarray,
        grid: np.ndarray,
        xy: np.ndarray,
        pairwise: np.ndarray,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Pairs of candidates (P 2) that the grouping looks at, and whether they are of one person.

        Args:
            joint: Keypoint of each of M candidates, ascending.
            cell: Their cells, M 2 (x, y).
            grid: The view pixels of these cells, M 2.
            xy: Their places, M 2, view pixels.
            pairwise: 2K(K-1) h w.
        """
        one, other = np.triu_indices(len(joint), 1)
        model = self._models()[joint[one], joint[other]]
        same = joint[one] == joint[other]
        used = same | (model >= 0)
        one, other, model, same = one[used], other[used], model[used], same[used]
        gap = np.linalg.norm(xy[one] - xy[other], axis=1)
        value = _SAME[1] - _SAME[0] * gap
        a, b = one[~same], other[~same]
        ahead = self._step_error(joint, cell, grid, xy, pairwise, a, b)
        back = self._step_error(joint, cell, grid, xy, pairwise, b, a)
        value[~same] = self._logit(np.concatenate([ahead, back], axis=1), model[~same])
        with np.errstate(over="ignore"):
            chance = 1 / (1 + np.exp(-value))
        return np.stack([one, other], axis=1), chance

    def _models(self) -> np.ndarray:
        """K K: number of the pair's model, -1 for pairs that are not in the graph."""
        count = len(self.skeleton)
        if not self.graph:
            return np.triu(np.zeros((count, count), int), 1) - np.eye(count, dtype=int)
        number = np.full((count, count), -1)
        for row, names in enumerate(self.graph):
            a, b = sorted(self.skeleton.index(name) for name in names)
            number[a, b] = row
        return number

    def _step_error(
        self,
        joint: np.ndarray,
        cell: np.ndarray,
        grid: np.ndarray,
        xy: np.ndarray,
        pairwise: np.ndarray,
        start: np.ndarray,
        stop: np.ndarray,
    ) -> np.ndarray:
        """P 2: how far predicted steps end from where they should, pixels; the angle, radians."""
        pair = self._channel(joint[start], joint[stop])
        x, y = cell[start].T
        mean, deviation = (scale[pair] for scale in self._scales())
        raw = np.stack([pairwise[2 * pair, y, x], pairwise[2 * pair + 1, y, x]], axis=1)
        predicted = raw * deviation + mean
        true = xy[stop] - grid[start]
        error = np.linalg.norm(true - predicted, axis=1)
        turn = np.abs(
            np.arctan2(true[:, 1], true[:, 0]) - np.arctan2(predicted[:, 1], predicted[:, 0])
        )
        return np.stack([error, np.minimum(turn, 2 * np.pi - turn)], axis=1)

    def _logit(self, raw: np.ndarray, model: np.ndarray) -> np.ndarray:
        """P: logistic model of both errors and angles (P 4) and of exp(-each)."""
        features = np.concatenate([raw, np.exp(-raw)], axis=1)
        if not self.weights:
            return np.asarray(features @ np.array(_PLAIN[:8]) + _PLAIN[8])
        low, high = (np.array(rows).reshape(-1, 8)[model] for rows in (self.low, self.high))
        weights = np.array(self.weights)[model]
        scaled = (features - low) / (high - low)
        return np.asarray((weights[:, :8] * scaled).sum(axis=1) + weights[:, 8])

    def _solved(
        self, joint: np.ndarray, chance: np.ndarray, pairs: np.ndarray, likely: np.ndarray
    ) -> Solution:
        """The grouping of the candidates."""
        unary, cost = _cost(chance), _cost(likely)
        if self.stages:
            index = self.skeleton.index
            stage_of = np.zeros(len(self.skeleton), int)
            for number, names in enumerate(self.stages):
                stage_of[[index(name) for name in names]] = number
            found = solve_in_stages(unary, pairs, cost, stage_of[joint], seconds=self.seconds)
        else:
            found = solve(unary, pairs, cost, seconds=self.seconds)
        _log.info("%d candidates, cost %.4f, gap %.2g", len(joint), found.objective, found.gap)
        return found

    def _answer(
        self, labels: np.ndarray, joint: np.ndarray, xy: np.ndarray, chance: np.ndarray
    ) -> Keypoints:
        """People from clusters; a keypoint is the mean of its candidates, weighted by chance."""
        kept = np.flatnonzero(labels >= 0)
        shape = (int(labels.max(initial=-1)) + 1, len(self.skeleton))
        total, place = np.zeros(shape), np.zeros((*shape, 2))
        scores = np.zeros(shape, np.float32)
        at = (labels[kept], joint[kept])
        np.add.at(total, at, chance[kept])
        np.add.at(place, at, chance[kept, None] * xy[kept])
        np.maximum.at(scores, at, chance[kept].astype(np.float32))
        with np.errstate(invalid="ignore"):
            mean = np.where(total[..., None] > 0, place / total[..., None], np.nan)
        score = scores.mean(axis=1)
        order = np.argsort(-score, kind="stable")
        order = order[(total[order] > 0).sum(axis=1) >= self.fewest]
        return Keypoints(
            xy=mean[order].astype(np.float32), scores=scores[order], score=score[order]
        )

    def flip(self, fields: Fields) -> dict[str, np.ndarray]:
        """Outputs for mirrored views in the frame of the originals, steps turned round."""
        mirror = self.skeleton.flip_index
        shift = 2 * self.centre - (self.stride - 1)
        a, b = np.nonzero(~np.eye(len(mirror), dtype=bool))
        pair = self._channel(mirror[a], mirror[b])
        mean, deviation = self._scales()
        heat, locref, steps = (fields[f.name][..., ::-1] for f in self.fields)
        locref = _by_axis(locref)[:, mirror] * self.unit
        steps = _by_axis(steps)[:, pair] * deviation[pair, :, None, None]
        steps += mean[pair, :, None, None]
        for moved in (locref, steps):
            moved[:, :, 0] = -moved[:, :, 0] - np.float32(shift)
        steps = (steps - mean[:, :, None, None]) / deviation[:, :, None, None]
        locref /= np.float32(self.unit)
        return {
            "heatmap": heat[:, mirror],
            "locref": locref.reshape(fields["locref"].shape),
            "pairwise": steps.reshape(fields["pairwise"].shape),
        }


def _by_axis(maps: np.ndarray) -> np.ndarray:
    """B P 2 h w from B 2P h w."""
    return maps.reshape(len(maps), -1, 2, *maps.shape[2:])


def _cost(chance: np.ndarray) -> np.ndarray:
    """log((1 - p) / p)."""
    sure = np.clip(chance, _SURE, 1 - _SURE)
    return np.asarray(np.log((1 - sure) / sure))


def _apart(plane: np.ndarray, floor: float, reach: int) -> np.ndarray:
    """M 2 cells (x, y) at or above ``floor``, best first, none within ``reach`` of a better one."""
    y, x = np.nonzero(plane >= floor)
    order = np.argsort(-plane[y, x], kind="stable")
    steps = np.arange(-reach, reach + 1)
    disc = steps**2 + steps[:, None] ** 2 <= reach**2
    h, w = plane.shape
    free = np.ones((h + 2 * reach, w + 2 * reach), bool)
    found = []
    for i, j in zip(y[order].tolist(), x[order].tolist(), strict=True):
        if free[i + reach, j + reach]:
            found.append((j, i))
            free[i : i + 2 * reach + 1, j : j + 2 * reach + 1] &= ~disc
    return np.array(found, np.int64).reshape(-1, 2)
