"""PifPaf: networks, targets, losses and the decoder."""

from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from torch import nn

from tests.parity.kinds import Family, Row
from vitruvian.codecs import composite
from vitruvian.codecs.composite import Composite
from vitruvian.core.skeleton import skeleton
from vitruvian.nets import pifpaf
from vitruvian.train import losses

COCO = skeleton("coco17")


def _net(config: dict) -> nn.Module:
    kind, size = config["base"].split("net", 1)
    build = pifpaf.pifpaf_resnet if kind == "res" else pifpaf.pifpaf_shufflenet
    return build(int(size.removeprefix("v2k")), upsample=16 // config["stride"])


def _read(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    """The fields as the authors' network gives them when it is not training."""
    made = []
    for maps, channels, scales in zip(stages[-1].values(), (5, 8), (4, 6), strict=True):
        h, w = maps.shape[2:]
        maps = maps.reshape(len(maps), -1, channels, h, w).copy()
        maps[:, :, 1] = 0.5 + 0.5 * np.tanh(maps[:, :, 1] / 2)
        maps[:, :, 2:scales:2] += np.arange(w)
        maps[:, :, 3:scales:2] += np.arange(h)[:, None]
        maps[:, :, scales:] = np.logaddexp(0, maps[:, :, scales:])
        made.append(maps)
    return made


def _unstable_order(scores: np.ndarray) -> np.ndarray:
    """Best first, equal ones as the C++ library's sort happens to leave them.

    Many seeds of a scene are exactly equal, and which one a person is grown from moves it by some
    tenths of a pixel. It is the textbook introspective sort: quicksort by the median of three down
    to runs of 16, then insertion.
    """
    values, order = scores.astype(np.float32).tolist(), list(range(len(scores)))

    def swap(i: int, j: int) -> None:
        values[i], values[j] = values[j], values[i]
        order[i], order[j] = order[j], order[i]

    spans = [(0, len(values))]
    while spans:
        first, last = spans.pop()
        while last - first > 16:
            three = (first + 1, first + (last - first) // 2, last - 1)
            swap(first, _median(values, *three))
            pivot, i, j = values[first], first + 1, last
            while True:
                while values[i] > pivot:
                    i += 1
                j -= 1
                while pivot > values[j]:
                    j -= 1
                if i >= j:
                    break
                swap(i, j)
                i += 1
            spans.append((i, last))
            last = i
    return np.array(order, np.intp)[np.argsort(-np.array(values), kind="stable")]


def _median(values: list[float], a: int, b: int, c: int) -> int:
    if values[a] > values[b]:
        return b if values[b] > values[c] else c if values[a] > values[c] else a
    return a if values[a] > values[c] else c if values[b] > values[c] else b


def _decoder(path: Path) -> Row:
    """People in any order; a keypoint is there or not, and 0.01 px or confidence 1e-4 apart."""
    ours = authors = 0
    differences = []
    with np.load(path) as file:
        for scene in range(int(file["n_scenes"])):
            fields = {
                name: file[f"{name}_{scene}"].astype(np.float32)[None].reshape(1, -1, *shape)
                for name in ("cif", "caf")
                for shape in [file[f"{name}_{scene}"].shape[2:]]
            }
            for force, key in ((False, "ann"), (True, "ann_force_complete")):
                theirs = file[f"{key}_vxys_{scene}"].astype(np.float64)
                found = _people(fields, int(file[f"stride_{scene}"]), force)
                ours, authors = ours + len(found), authors + len(theirs)
                if len(found) == len(theirs):
                    differences.append(_apart(found, theirs))
    return Row(name=path.stem, ours=ours, authors=authors, differences=tuple(differences))


def _people(fields: dict[str, np.ndarray], stride: int, force: bool) -> np.ndarray:
    """N K 3: confidence, x and y."""
    codec = Composite(skeleton=COCO, stride=stride, activated=True, force_complete=force)
    h, w = fields["cif"].shape[2:]
    with patch.object(composite, "best_first", _unstable_order):
        (found,) = codec.decode(fields, ((h - 1) * stride + 1, (w - 1) * stride + 1))
    return np.dstack([found.scores, np.nan_to_num(found.xy)])


def _apart(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference of matched people: pixels / 100, or of a confidence."""
    there = theirs[:, :, :1] > 0
    theirs = theirs[:, :, :3] * np.where(there, 1, 0)
    gap = np.abs(ours[:, None] - theirs[None]) / [1, 100, 100]
    gap = gap.max(axis=(2, 3))
    return float(max(gap.min(axis=0).max(initial=0), gap.min(axis=1).max(initial=0)))


def _encoder(path: Path) -> Row:
    """Targets at both strides, and the losses where the fixture has them."""
    differences, count = [], 0
    with np.load(path) as file:
        for scene in range(len(file["people"])):
            crowd, marks = file[f"iscrowd_{scene}"], file[f"kps641_{scene}"]
            for stride in (16, 8):
                theirs = [file[f"{name}{stride}_{scene}"] for name in ("cif", "caf")]
                trust = np.ones((641, 641), np.float32)
                if crowd.any():
                    _hide(trust, file, scene)
                targets = _targets(marks[~crowd], stride, trust)
                differences += [_off(*pair) for pair in zip(targets, theirs, strict=True)]
                count += sum(array.size for array in theirs)
            for name in ("cif", "caf"):
                if f"loss_{name}_{scene}" in file:
                    differences.append(_loss_off(file, name, scene))
    return Row(name=path.stem, ours=count, authors=count, differences=tuple(differences))


def _targets(marks: np.ndarray, stride: int, trust: np.ndarray) -> list[np.ndarray]:
    """Our targets, NaN where they have no weight, fields x channels x h x w."""
    xy = np.where(marks[:, :, 2:] > 0, marks[:, :, :2], np.nan).astype(np.float32)
    made = Composite(skeleton=COCO, stride=stride).encode(
        xy,
        marks[:, :, 2].astype(np.uint8),
        trust.shape,
        boxes=np.zeros((len(xy), 4), np.float32),
        trust=trust,
    )
    blank = [np.where(t.weight > 0, t.value, np.nan) for t in made.values()]
    return [b.reshape(-1, n, *b.shape[1:]) for b, n in zip(blank, (5, 8), strict=True)]


def _off(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest difference, as a fraction of the largest value; infinite where only one has a value.

    Theirs: confidence, vectors, spreads, scales. Ours: one spread, confidence, vectors, scales.
    """
    ends = (ours.shape[1] - 2) // 3
    order = [1, *range(2, 2 + 2 * ends), *[0] * ends, *range(2 + 2 * ends, 2 + 3 * ends)]
    gap = np.abs(ours[:, order] - theirs)
    if (np.isnan(ours[:, order]) != np.isnan(theirs)).any():
        return float("inf")
    return float(np.nanmax(gap) / np.nanmax(np.abs(theirs)))


def _hide(trust: np.ndarray, file: np.lib.npyio.NpzFile, scene: int) -> None:
    """The crowd's box is not in the fixture: it is what all four masks agree with."""
    low, high = np.zeros(2), np.full(2, 1e9)
    for stride in (16, 8):
        for name, side in (("cif", 4), ("caf", 3)):
            rows, columns = np.nonzero(np.isnan(file[f"{name}{stride}_{scene}"][:, 0]).any(axis=0))
            for axis, cells in ((0, columns), (1, rows)):
                reach = (side - 1) / 2
                low[axis] = max(low[axis], (cells.min() + reach) * stride)
                high[axis] = min(high[axis], (cells.max() - reach) * stride)
    x, y = (slice(round(a), round(b)) for a, b in zip(low, high, strict=True))
    trust[y, x] = 0


def _loss_off(file: np.lib.npyio.NpzFile, name: str, scene: int) -> float:
    """Relative difference of the sum of the three terms."""
    crowd, marks = file[f"iscrowd_{scene}"], file[f"kps641_{scene}"]
    trust = np.ones((641, 641), np.float32)
    if crowd.any():
        _hide(trust, file, scene)
    target = _targets(marks[~crowd], 16, trust)[("cif", "caf").index(name)]
    weight, value = np.isfinite(target).astype(np.float32), np.nan_to_num(target)
    output = file[f"loss_{name}_x_{scene}"]
    flat = (1, -1, *output.shape[3:])
    loss = {"cif": losses.pifpaf_cif, "caf": losses.pifpaf_caf}[name]
    tensors = [torch.from_numpy(array).reshape(flat) for array in (output, value, weight)]
    theirs = float(file[f"loss_{name}_{scene}"].sum())
    return abs(float(loss(*tensors, spread=1.0)) - theirs) / theirs


NETS = {r"openpifpaf-": Family(build=_net, layouts=pifpaf.LAYOUTS, leave=_read)}
CHECKS = {r"decode-openpifpaf": _decoder, r"fn-encoder-pifpaf": _encoder}
