"""Fields of 1 to 100 people for every grouping decoder, and plain decoders beside ours.

Sizes are those of the parity fixtures. OpenPose's fields are its fixture's; the others are targets
of people drawn here, with noise. Plain is NumPy and OpenCV on whole enlarged maps, with loops over
pairs; for PersonLab it is the votes of every pixel alone, without peaks and grouping.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from tests import plain_limbs, plain_paf
from tests.codecs import plain_composite
from vitruvian.codecs.composite import Composite
from vitruvian.codecs.offsets import Offsets
from vitruvian.codecs.paf import Paf
from vitruvian.codecs.tags import Tags
from vitruvian.core.protocols import SceneCodec
from vitruvian.core.skeleton import skeleton
from vitruvian.core.types import Fields, Target
from vitruvian.kernels.tag_groups import group
from vitruvian.runtime.grouping import answers, crowd
from vitruvian.systems.higher_hrnet import higher_hrnet_w32_512
from vitruvian.systems.lightweight_openpose import lightweight_openpose_coco18
from vitruvian.systems.openpose import openpose_coco18
from vitruvian.systems.simplepose import simplepose_4_512x512

BONES = skeleton("coco17")
OPENPOSE = Path(__file__).parent.parent / "tests" / "parity" / "data" / "decode-openpose.npz"
STANDING = np.array(
    [
        *((50, 10), (54, 6), (46, 6), (58, 8), (42, 8), (66, 26), (34, 26), (72, 46), (28, 46)),
        *((74, 64), (26, 64), (60, 64), (40, 64), (62, 88), (38, 88), (62, 112), (38, 112)),
    ],
    np.float64,
)
"""COCO's keypoints of somebody 106 pixels tall."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder:
    """One row of the table.

    Attributes:
        codec: Ours.
        fields: Of so many people.
        size: (H, W) of their view.
        plain: The same people the plain way, from the fields.
        growth: Codec, fields of so many people and size of a view that holds 100 as well as 10.
        goals: Milliseconds for 1, 10 and 30 people.
    """

    codec: SceneCodec
    fields: Callable[[int], Fields]
    size: tuple[int, int]
    plain: Callable[[Fields], object]
    growth: tuple[SceneCodec, Callable[[int], Fields], tuple[int, int]]
    goals: tuple[float, float, float]


def decoders() -> dict[str, Decoder]:
    """All of them by name."""
    found = {}
    for name, page, goals in (
        ("openpose", openpose_coco18, (1.5, 2.0, 5.0)),
        ("lightweight_openpose", lightweight_openpose_coco18, (1.0, 1.5, 3.0)),
    ):
        codec = page().codec
        assert isinstance(codec, Paf)
        found[name] = Decoder(
            codec=codec,
            fields=_of_fixture,
            size=(368, 368),
            plain=lambda fields, codec=codec: plain_paf.people(
                fields["heatmap"][0], fields["paf"][0], (368, 368), plain_paf.plain(codec)
            ),
            growth=(
                replace(codec, apart=0.0),
                lambda count, codec=codec: _tiled(codec, count),
                (800, 800),
            ),
            goals=goals,
        )
    limbs = simplepose_4_512x512().codec
    found["simplepose"] = Decoder(
        codec=limbs,
        fields=lambda count: plain_limbs.crowd(limbs, count, 512),
        size=(512, 512),
        plain=lambda fields: plain_limbs.people(limbs, fields),
        growth=(limbs, lambda count: plain_limbs.crowd(limbs, count, 1600), (1600, 1600)),
        goals=(2.0, 3.0, 8.0),
    )
    tags = higher_hrnet_w32_512().codec
    assert isinstance(tags, Tags)
    for name, flipped, goals in (
        ("tags", False, (3.0, 6.0, 15.0)),
        ("tags_flip", True, (30.0, 30.0, 30.0)),
    ):
        found[name] = Decoder(
            codec=tags,
            fields=lambda count, flipped=flipped: _tagged(tags, count, 512, flipped),
            size=(512, 512),
            plain=lambda fields: _plain_tags(tags, fields),
            growth=(
                tags,
                lambda count, flipped=flipped: _tagged(tags, count, 1024, flipped),
                (1024, 1024),
            ),
            goals=goals,
        )
    composite = Composite(skeleton=BONES, stride=8, activated=True)
    found["pifpaf"] = Decoder(
        codec=composite,
        fields=_composite,
        size=(641, 641),
        plain=_plain_composite,
        growth=(composite, _composite, (641, 641)),
        goals=(0.93, 5.4, 14.0),
    )
    offsets = Offsets(skeleton=BONES, activated=True)
    for name, codec in (
        ("personlab", offsets),
        ("personlab_every_pixel", replace(offsets, step=1, floor=-1.0)),
    ):
        found[name] = Decoder(
            codec=codec,
            fields=_offsets,
            size=(401, 401),
            plain=_plain_votes,
            growth=(codec, _offsets, (401, 401)),
            goals=(5.0, 6.0, 10.0),
        )
    return found


def _of_fixture(count: int) -> Fields:
    """OpenPose's scene of so many people."""
    with np.load(OPENPOSE) as file:
        scenes = range(int(file["n_scenes"]))
        (scene,) = (i for i in scenes if int(file[f"people_count_{i}"]) == count)
        maps = file[f"fields_{scene}"].astype(np.float32)[None]
    return {"heatmap": maps[:, :19], "paf": maps[:, 19:]}


def _tiled(codec: Paf, count: int) -> Fields:
    """Fields of 10 x 10 places, ``count`` of which hold somebody of 62 pixels."""
    with np.load(OPENPOSE) as file:
        (coco,) = file["gt_0"][:, :, :2]
    coco17 = [0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    figure = np.stack([coco[[5, 6]].mean(0) if k is None else coco[k] for k in coco17])
    figure = (figure - figure.min(0)) / np.ptp(figure, axis=0).max() * 62 + 9
    order = np.random.default_rng(0).permutation(100)[:count]
    xy = figure + np.stack([order % 10, order // 10], axis=1)[:, None] * 80.0
    return _perfect(_encoded(codec, xy, 800))


def _tagged(codec: Tags, count: int, side: int, flipped: bool) -> Fields:
    """Fields of a crowd, and of its mirror image as :meth:`Tags.flip` gives them."""
    rng = np.random.default_rng(count)
    xy = crowd(count, (side, side), rng).xy
    fields = dict(answers(codec, _encoded(codec, xy, side), rng, 0.02))
    if flipped:
        fields["tag_flip"] = fields["tag"] + np.float32(1)
    return fields


def _composite(count: int) -> Fields:
    """As a network gives them after its activations."""
    rng, made = np.random.default_rng(count), {}
    codec = Composite(skeleton=BONES, stride=8)
    grid = np.arange(81)
    for (name, target), channels, scales in zip(
        _encoded(codec, _standing(count, 641), 641).items(), (5, 8), (4, 6), strict=True
    ):
        maps = target.value.reshape(-1, channels, *target.value.shape[1:]).copy()
        maps[:, 1] = np.clip(maps[:, 1] * 0.85 + rng.uniform(0, 0.15, maps[:, 1].shape), 0, 1)
        maps[:, 2:scales] += rng.normal(0, 0.1, maps[:, 2:scales].shape)
        maps[:, 2:scales:2] += grid
        maps[:, 3:scales:2] += grid[:, None]
        maps[:, scales:] = np.maximum(maps[:, scales:], 0.1)
        made[name] = maps.reshape(1, *target.value.shape).astype(np.float32)
    return made


def _offsets(count: int) -> Fields:
    """With chances for the heat map."""
    rng = np.random.default_rng(count)
    fields = _perfect(_encoded(Offsets(skeleton=BONES), _standing(count, 401), 401))
    noise = rng.uniform(0, 0.03, fields["heatmap"].shape)
    fields["heatmap"] = np.clip(fields["heatmap"] * 0.95 + noise, 0, 1).astype(np.float32)
    for name in ("short", "mid"):
        fields[name] += rng.normal(0, 1, fields[name].shape).astype(np.float32)
    return fields


def _standing(count: int, side: int) -> np.ndarray:
    """People N 17 2 on a jittered grid that fills the view, smaller the more they are."""
    rng = np.random.default_rng(count)
    columns = int(np.ceil(np.sqrt(count * 2)))
    rows = -(-count // columns)
    cell = np.array([side / columns, side / rows])
    scale = 0.9 * min(cell[0] / 50, cell[1] / 110, 3.0)
    corner = np.array([(i % columns, i // columns) for i in range(count)]) * cell
    bodies = STANDING * scale * rng.uniform(0.8, 1.0, (count, 1, 1)) + rng.normal(
        0, 2 * scale, (count, 17, 2)
    )
    shift = np.array([20 * scale, 0]) - rng.uniform(0, 0.1, (count, 1, 2)) * cell
    return np.clip(bodies - shift + corner[:, None], 0, side - 1)


def _encoded(codec: SceneCodec, xy: np.ndarray, side: int) -> dict[str, Target]:
    """Targets of people without any hidden keypoint."""
    low, high = xy.min(axis=1), xy.max(axis=1)
    return codec.encode(
        xy.astype(np.float32),
        np.full(xy.shape[:2], 2, np.uint8),
        (side, side),
        boxes=np.concatenate([low - 5, high + 5], axis=1).astype(np.float32),
        trust=np.ones((side, side), np.float32),
    )


def _perfect(targets: dict[str, Target]) -> dict[str, np.ndarray]:
    return {name: target.value[None].copy() for name, target in targets.items()}


def _plain_tags(codec: Tags, fields: Fields) -> np.ndarray:
    """Whole maps on the grid of peaks; what a person lacks is where all of a map is searched."""
    side = fields["heatmap_fine"].shape[3] * codec.fine_stride

    def whole(maps: np.ndarray, by: int) -> np.ndarray:
        planes = (cv2.resize(plane, (by, by)) for plane in maps[0])
        return np.stack([cv2.resize(plane, (side, side)) for plane in planes])

    fine = fields["heatmap_fine"].shape[3]
    mean = [cv2.resize(plane, (fine, fine)) for plane in fields["heatmap"][0]]
    heat = whole((np.stack(mean)[None] + fields["heatmap_fine"]) / 2, fine)
    tags = np.stack([whole(fields[n], fine) for n in ("tag", "tag_flip") if n in fields], axis=-1)
    window = np.ones((2 * codec.radius + 1,) * 2, np.uint8)
    found = []
    for k, plane in enumerate(heat):
        y, x = np.nonzero((plane == cv2.dilate(plane, window)) & (plane > codec.threshold))
        best = np.argsort(-plane[y, x], kind="stable")[: codec.most]
        found.append(np.column_stack([np.full(len(best), k), y[best], x[best]]))
    joint, y, x = np.concatenate(found).T
    rows = group(
        joint,
        tags[joint, y, x].astype(np.float64),
        heat[joint, y, x],
        range(len(heat)),
        threshold=codec.tag_threshold,
        norm=1.0,
        limit=0,
        full=codec.full,
        faithful=False,
    )
    xy = np.stack([x, y], axis=1)[rows].astype(np.float64)
    for person, row in enumerate(rows):
        mine = tags[joint, y, x][row[row >= 0]].mean(axis=0)
        for k in np.flatnonzero(row < 0):
            alike = heat[k] - np.rint(np.linalg.norm(tags[k] - mine, axis=2))
            xy[person, k] = np.unravel_index(alike.argmax(), alike.shape)[::-1]
    return xy


def _plain_composite(fields: Fields) -> object:
    cif, caf = (
        fields[name].reshape(-1, n, *fields[name].shape[2:]) for name, n in (("cif", 5), ("caf", 8))
    )
    return plain_composite.decode(cif, caf, BONES.limb_index, 8)


def _plain_votes(fields: Fields) -> np.ndarray:
    """K 401 401."""
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
