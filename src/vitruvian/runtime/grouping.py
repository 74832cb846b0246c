"""The grouping workbench: every codec of scenes on the same made-up people.

A codec encodes the people itself and decodes what a perfect network would answer, with noise on it.
What is lost is lost by the representation and its grouping, not by a network.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from vitruvian.codecs import codec_to_json
from vitruvian.core.convert import convert_keypoints
from vitruvian.core.protocols import SceneCodec
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.core.types import Fields, Keypoints, Target
from vitruvian.core.view import View
from vitruvian.kernels.oks import oks

FIGURE = {
    "nose": (0.50, 0.08), "eye": (0.55, 0.05), "ear": (0.60, 0.07), "shoulder": (0.72, 0.20),
    "elbow": (0.80, 0.36), "wrist": (0.78, 0.50), "hip": (0.64, 0.52), "knee": (0.66, 0.75),
    "ankle": (0.66, 0.96),
}  # fmt: skip
"""A standing person in a unit box; the right side is the left one mirrored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """People in a view, and how large they are.

    Attributes:
        xy: N K 2 view pixels, in the order of ``coco17``; NaN where absent.
        area: N square pixels, the scale of OKS.
    """

    xy: Float32[np.ndarray, "N K 2"]
    area: Float32[np.ndarray, " N"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one codec did on some scenes.

    Attributes:
        people: In the scenes.
        found: Of them, with an OKS above 0.5.
        spurious: Found poses that are none of them.
        oks: Mean over the people, 0 for those who were not found.
        seconds: Median processor time of ``decode``.
    """

    people: int
    found: int
    spurious: int
    oks: float
    seconds: float


def crowd(count: int, size: tuple[int, int], rng: np.random.Generator) -> Scene:
    """``count`` standing people with random heights, places and bent limbs; they may overlap."""
    bones = skeleton("coco17")
    body = np.array([_place(name) for name in bones.keypoints])
    height = size[0] * rng.uniform(0.35, 0.75, count) / max(1.0, (count / 4) ** 0.4)
    shape = np.stack([0.45 * height, height], axis=1)[:, None]
    limb = np.array(
        [n.split("_")[-1] in ("elbow", "wrist", "knee", "ankle") for n in bones.keypoints]
    )
    bent = body + rng.normal(0, 0.05, (count, len(body), 2)) * limb[:, None]
    corner = rng.uniform(0, 1, (count, 1, 2)) * (np.array([size[1], size[0]]) - shape)
    return Scene(xy=(corner + bent * shape).astype(np.float32), area=_area(shape[:, 0]))


def laid_out(sample: Sample, size: tuple[int, int]) -> Scene:
    """The labelled people of a picture, where they are in its letterboxed view."""
    view = View.letterbox(sample.size, size)
    there = (sample.visible > 0).any(axis=1) & ~sample.crowd
    xy, visible = sample.xy[there], sample.visible[there]
    xy, _ = convert_keypoints(xy, visible, sample.skeleton, skeleton("coco17"))
    area = (sample.area[there] * view.scale**2).astype(np.float32)
    return Scene(xy=view.to_view(xy), area=area)


def tried(
    codec: SceneCodec,
    scenes: Sequence[Scene],
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    noise: float = 0.02,
    repeats: int = 3,
) -> Outcome:
    """One codec on scenes.

    Args:
        codec: Its skeleton may be another; what it has of ``coco17`` is compared.
        scenes: People in views of ``size``.
        size: (H, W) of the views.
        rng: Source of the noise.
        noise: Standard deviation of what is added to every output.
        repeats: Times that each scene is decoded, for the time.
    """
    rows = [_try(codec, scene, size, rng, noise, repeats) for scene in scenes]
    alike = np.concatenate([row[0] for row in rows])
    return Outcome(
        people=len(alike),
        found=int((alike > 0.5).sum()),
        spurious=sum(row[1] for row in rows),
        oks=float(alike.mean()) if len(alike) else 0.0,
        seconds=float(np.median([row[2] for row in rows])),
    )


def answers(
    codec: SceneCodec, targets: dict[str, Target], rng: np.random.Generator, noise: float
) -> Fields:
    """What a network that learnt the targets answers for a batch of one, with noise."""
    made = {name: target.value[None].copy() for name, target in targets.items()}
    change = _ANSWERS.get(str(codec_to_json(codec)["codec"]))
    if change:
        change(codec, made)
    return {
        name: (value + rng.normal(0, noise, value.shape)).astype(np.float32)
        for name, value in made.items()
    }


def _try(
    codec: SceneCodec,
    scene: Scene,
    size: tuple[int, int],
    rng: np.random.Generator,
    noise: float,
    repeats: int,
) -> tuple[np.ndarray, int, float]:
    """OKS of every person, spurious poses, seconds."""
    ours, bones = skeleton("coco17"), _bones(codec)
    visible = np.isfinite(scene.xy).all(axis=2).astype(np.uint8) * 2
    xy, seen = convert_keypoints(scene.xy, visible, ours, bones)
    targets = codec.encode(xy, seen, size, boxes=_boxes(scene), trust=np.ones(size, np.float32))
    fields, seconds = answers(codec, targets, rng, noise), []
    for _ in range(repeats):
        start = time.process_time()
        (people,) = codec.decode(fields, size)
        seconds.append(time.process_time() - start)
    found, spurious = _matched(scene, people, bones, ours)
    return found, spurious, float(np.median(seconds))


def _matched(
    scene: Scene, people: Keypoints, bones: Skeleton, ours: Skeleton
) -> tuple[np.ndarray, int]:
    """OKS of each person with the pose that is its own, and the number of poses left over."""
    xy, _ = convert_keypoints(people.xy, people.scores, bones, ours)
    xy = np.where(np.isfinite(xy), xy, 1e6)  # what is not found counts as wrong
    alike = oks(scene.xy, xy, scene.area[:, None], ours.oks_sigmas)
    best = np.zeros(len(scene.xy))
    free = np.ones(len(xy), bool)
    for person, pose in _greedy(alike):
        best[person], free[pose] = alike[person, pose], False
    return best, int(free.sum())


def _greedy(alike: np.ndarray) -> Iterator[tuple[int, int]]:
    """Pairs of a person and a pose with OKS above 0.5, the most alike first."""
    left = alike.copy()
    while left.size and left.max() > 0.5:
        person, pose = divmod(int(left.argmax()), left.shape[1])
        yield person, pose
        left[person], left[:, pose] = 0, 0


def _place(name: str) -> tuple[float, float]:
    x, y = FIGURE[name.split("_")[-1]]
    return (1 - x if name.startswith("right") else x), y


def _area(shape: np.ndarray) -> np.ndarray:
    """About half of the box is person."""
    return np.asarray(0.5 * shape.prod(axis=1), np.float32)


def _boxes(scene: Scene) -> np.ndarray:
    if not len(scene.xy):
        return np.zeros((0, 4), np.float32)
    low, high = np.nanmin(scene.xy, axis=1), np.nanmax(scene.xy, axis=1)
    return np.concatenate([low - 5, high + 5], axis=1).astype(np.float32)


def _bones(codec: SceneCodec) -> Skeleton:
    bones: Skeleton = getattr(codec, "skeleton")  # noqa: B009 - the protocol does not ask for it
    return bones


def _tags(_: SceneCodec, made: dict[str, np.ndarray]) -> None:
    """Every cell has the tag of the person nearest to it."""
    for rows in made["tag"][0]:
        at = np.argwhere(rows)
        if len(at):
            gap = ((np.indices(rows.shape)[:, None] - at.T[:, :, None, None]) ** 2).sum(axis=0)
            rows[:] = 5 * (rows[tuple(at.T)] % 128)[gap.argmin(axis=0)]


def _composite(codec: SceneCodec, made: dict[str, np.ndarray]) -> None:
    """Confidences as logits, scales before the softplus."""
    for name, channels, scales in (("cif", 5, 4), ("caf", 8, 6)):
        shape = made[name].shape
        maps = made[name].reshape(-1, channels, *shape[2:])
        maps[:, 1] = (maps[:, 1] - 0.5) * 20
        maps[:, scales:] = np.log(np.expm1(np.maximum(maps[:, scales:], 1e-3)))
        made[name] = np.nan_to_num(maps, nan=0.0).reshape(shape)


def _pairwise(_: SceneCodec, made: dict[str, np.ndarray]) -> None:
    """Logits with a peak in the middle of each disc."""
    steps = made["locref"].reshape(-1, 2, *made["locref"].shape[2:])
    far = np.hypot(steps[:, 0], steps[:, 1])
    made["heatmap"] = np.where(made["heatmap"] > 0, 4 - far[None], -4).astype(np.float32)


def _offsets(_: SceneCodec, made: dict[str, np.ndarray]) -> None:
    """Logits of the discs."""
    made["heatmap"] = (made["heatmap"] - 0.5) * 20


_ANSWERS: dict[str, Callable[[SceneCodec, dict[str, np.ndarray]], None]] = {
    "tags": _tags,
    "composite": _composite,
    "pairwise": _pairwise,
    "offsets": _offsets,
}
"""How the answers of a perfect network differ from the targets, where they do."""
