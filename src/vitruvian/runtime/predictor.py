"""Predictor: pictures in, people out."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import overload

import numpy as np
from numpy.typing import ArrayLike

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.types import Boxes, Image, Images
from vitruvian.image.read import MAX_PIXELS, Source, as_image
from vitruvian.runtime.bottomup import BottomUp
from vitruvian.runtime.detect import Detector
from vitruvian.runtime.refine import Refiner
from vitruvian.runtime.stopwatch import Stopwatch
from vitruvian.runtime.topdown import TopDown


@dataclass(frozen=True, slots=True, kw_only=True)
class Predictor:
    """Finds the people of a picture and their keypoints.

    Attributes:
        pose: Boxes to poses, or pictures to poses.
        detector: Pictures to boxes; None when boxes are always given, or not needed.
        refiner: Finds the keypoints of these poses anew; None leaves them.
        max_pixels: Larger pictures are refused before they are decoded.
        watch: Seconds spent in ``read``, ``warp``, ``detect``, ``pose``, ``decode``,
            ``refine``.
        system: Name of the pipeline; "" for none.
    """

    pose: TopDown | BottomUp
    detector: Detector | None = None
    refiner: Refiner | None = None
    max_pixels: int = MAX_PIXELS
    watch: Stopwatch = field(default_factory=Stopwatch)
    system: str = ""

    @property
    def skeleton(self) -> Skeleton:
        """Names and order of the keypoints."""
        return self.pose.skeleton

    @property
    def takes_boxes(self) -> bool:
        """Whether people can be given as boxes; a bottom-up model finds them all by itself."""
        return isinstance(self.pose, TopDown)

    @property
    def runtime(self) -> str:
        """Runtime, device and precision really used."""
        return self.pose.model.backend.name

    @property
    def provenance(self) -> dict[str, object]:
        """Names and hashes of the models and what ran them, ready for JSON."""
        models = {"model": self.pose.model}
        models |= {"detector": self.detector.model} if self.detector else {}
        models |= {"refiner": self.refiner.model} if self.refiner else {}
        named: dict[str, object] = {
            role: {"name": m.metadata.name, "sha256": m.sha256, "version": m.metadata.version}
            for role, m in models.items()
        }
        named |= {"system": self.system} if self.system else {}
        return named | {"runtime": self.runtime, "skeleton": self.skeleton.name}

    @overload
    def __call__(  # type: ignore[overload-overlap]
        self, source: Source, *, boxes: Boxes | ArrayLike | None = None, whole_image: bool = False
    ) -> Poses: ...
    @overload
    def __call__(
        self,
        source: Sequence[Source],
        *,
        boxes: Sequence[Boxes | ArrayLike] | None = None,
        whole_image: bool = False,
    ) -> list[Poses]: ...
    def __call__(self, source, *, boxes=None, whole_image=False):  # type: ignore[no-untyped-def]
        """The people of one picture, best first, or of each picture of a list.

        Args:
            source: A path, bytes, RGB array H W 3 uint8 or PIL picture, or a list of them, which
                is held in memory at once (:meth:`stream` is not).
            boxes: Use these instead of the detector: N 4 xyxy in image pixels, or ``Boxes`` with
                scores; one per picture for a list. Every box gets one person, in the same order.
            whole_image: The picture shows one person and nothing else; no detector is asked.

        Returns:
            Poses; empty where the detector finds nobody.

        Raises:
            InputError: A picture cannot be read, or a box cannot be used.
            ConfigError: There is no detector and neither boxes nor ``whole_image`` are given, or
                they are given to a bottom-up model.
        """
        if not isinstance(source, list | tuple):
            given = None if boxes is None else [boxes]
            return self._predict([self.read(source)], given, whole_image)[0]
        return self._predict([self.read(one) for one in source], boxes, whole_image)

    def stream(
        self, sources: Iterable[Source], *, batch: int = 8, whole_image: bool = False
    ) -> Iterator[Poses]:
        """The people of each picture in turn; holds ``batch`` pictures in memory."""
        rest = iter(sources)
        while images := [self.read(source) for source in islice(rest, batch)]:
            yield from self._predict(images, None, whole_image)

    def read(self, source: Source) -> Image:
        """The picture in RGB; see :func:`vitruvian.image.read.as_image`."""
        with self.watch("read"):
            return as_image(source, max_pixels=self.max_pixels)

    def _predict(
        self,
        images: Images,
        boxes: Sequence[Boxes | ArrayLike] | None,
        whole_image: bool,
    ) -> list[Poses]:
        found = self._found(images, boxes, whole_image)
        if self.refiner is None:
            return found
        return self.refiner(images, found, suppress=boxes is None and not whole_image)

    def _found(
        self,
        images: Images,
        boxes: Sequence[Boxes | ArrayLike] | None,
        whole_image: bool,
    ) -> list[Poses]:
        if isinstance(self.pose, BottomUp):
            if boxes is not None or whole_image:
                raise ConfigError(
                    f"{self.pose.model.metadata.name!r} is a bottom-up model, which finds people "
                    "by itself; leave boxes and whole_image out, or take a top-down model"
                )
            return self.pose(images)
        if boxes is not None:
            if len(boxes) != len(images):
                raise InputError(
                    f"{len(boxes)} sets of boxes for {len(images)} pictures; give one each"
                )
            given = [check_boxes(b, i.shape[:2]) for b, i in zip(boxes, images, strict=True)]
            return self.pose(images, given, suppress=False)
        if whole_image:
            padding = self.pose.model.metadata.padding
            whole = [_whole(image.shape[:2], padding) for image in images]
            return self.pose(images, whole, suppress=False)
        if self.detector is None:
            raise ConfigError("this predictor has no detector; give boxes=… or whole_image=True")
        return self.pose(images, self.detector(images))


def check_boxes(boxes: Boxes | ArrayLike, size: tuple[int, ...]) -> Boxes:
    """Boxes that a person can be in.

    Args:
        boxes: N 4 xyxy in image pixels, or ``Boxes``; without scores, every score is 1.
        size: (H, W) of the picture.

    Raises:
        InputError: They are not N 4, or one is not finite, has no area or lies outside the picture.
    """
    boxes = boxes if isinstance(boxes, Boxes) else _sure(boxes)
    xyxy, (height, width) = boxes.xyxy, size[:2]
    inside = (xyxy[:, :2] < [width, height]).all(1) & (xyxy[:, 2:] > 0).all(1)
    rules = {
        "is not finite": ~np.isfinite(xyxy).all(1) | ~np.isfinite(boxes.scores),
        "has no area (xyxy needs x1 > x0 and y1 > y0)": ~(xyxy[:, 2:] > xyxy[:, :2]).all(1),
        f"lies outside the picture, which is {width} x {height}": ~inside,
    }
    for fault, found in rules.items():
        if found.any():
            i = int(found.argmax())
            raise InputError(f"box {i} {xyxy[i].tolist()} {fault}")
    return boxes


def _sure(boxes: ArrayLike) -> Boxes:
    """Boxes that all score 1."""
    try:
        xyxy = np.asarray(boxes, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError(f"boxes must be numbers N 4, xyxy in pixels: {error}") from error
    if xyxy.size and (xyxy.ndim != 2 or xyxy.shape[1] != 4):
        raise InputError(f"boxes have shape {xyxy.shape}; give N 4, xyxy in pixels")
    return Boxes(xyxy=xyxy.reshape(-1, 4), scores=np.ones(len(xyxy), np.float32))


def _whole(size: tuple[int, ...], padding: float) -> Boxes:
    """The box whose padded view is the whole picture."""
    half = np.array([size[1], size[0]], np.float32) / 2
    low, high = half - 0.5 - half / padding, half - 0.5 + half / padding
    return Boxes(xyxy=np.concatenate([low, high])[None], scores=np.ones(1, np.float32))
