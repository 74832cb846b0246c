"""Pictures of a report: those a model does worst on, and those two models differ on."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float32

from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.types import Image
from vitruvian.datasets import Dataset
from vitruvian.metrics.report import Kept, Person, Report, difference, in_common, most_different
from vitruvian.outputs.page import Shown

if TYPE_CHECKING:
    from vitruvian.evaluate import Answers

_PERSON, _PICTURE = (240, 180), (320, 290)
"""(H, W) in pixels of a panel around one person, and around those of a picture."""


def worst(report: Report, answers: "Answers", count: int) -> Iterator[Shown]:
    """Pictures of the people that the model does worst on, what it found beside the labels."""
    from vitruvian.core.convert import convert

    kind = next(iter(answers.poses))
    people = [p for p in report.people if p.boxes == kind and p.counted]
    people.sort(key=lambda p: (p.thresholds or 0, p.correct / p.counted))
    places = {sample.image_id: i for i, sample in enumerate(answers.samples)}
    for person in people[:count]:
        sample = answers.samples[places[person.image_id]]
        found = convert(answers.poses[kind][places[person.image_id]], sample.skeleton)
        panels = [(found, 0.3), (_labels(sample), 0.0)]
        right = f"{person.correct} of {person.counted} limb joints"
        yield Shown(
            caption=f"{person.source} {person.image_id}: found, labels; {right}",
            image=_side_by_side(sample, _box(sample, [person.id]), panels, _PERSON),
        )


def differing(
    first: Kept, second: Kept, data: Dataset, names: tuple[str, str], count: int
) -> Iterator[Shown]:
    """The pictures that two reports differ most on: labels, first and second side by side.

    Drawn is what each report took as the pose of a labelled person.

    Raises:
        InputError: The reports keep no poses, or are not of these data.
    """
    if not data.skeleton.keypoints == first.keypoints == second.keypoints:
        raise InputError(
            f"the data has {len(data.skeleton)} keypoints, the reports {len(first.keypoints)} and "
            f"{len(second.keypoints)}; give the data that both were evaluated on with --data"
        )
    if not any(person.pose for person in first.people + second.people):
        raise InputError("the reports keep no poses to draw; evaluate both again")
    pictures = most_different(in_common(first.people, second.people))[:count]
    samples = _samples(data, {people[0][0].image_id for people in pictures})
    for people in pictures:
        person = people[0][0]
        sample = samples.get(person.image_id)
        if sample is None:
            raise InputError(
                f"picture {person.image_id} of the reports is not in the data; give the data that "
                "both were evaluated on with --data"
            )
        changed = [pair[0].id for pair in people if difference(pair) > 0]
        poses = [_kept(side, sample) for side in zip(*people, strict=True)]
        panels = [(some, 0.0) for some in (_labels(sample), *poses)]
        scores = [_told(side) for side in zip(*people, strict=True)]
        yield Shown(
            caption=f"{person.source} {person.image_id}, {person.boxes} boxes: labels, "
            f"{names[0]} ({scores[0]}), {names[1]} ({scores[1]})",
            image=_side_by_side(sample, _box(sample, changed), panels, _PICTURE),
        )


def _samples(data: Dataset, wanted: set[int]) -> dict[int, Sample]:
    found: dict[int, Sample] = {}
    for sample in data:
        if sample.image_id in wanted:
            found[sample.image_id] = sample
        if len(found) == len(wanted):
            break
    return found


def _told(people: Sequence[Person]) -> str:
    """Mean share of thresholds, or of joints without sigmas, in percent."""
    shares = [
        p.correct / max(p.counted, 1) if p.thresholds is None else p.thresholds / 10 for p in people
    ]
    return f"{'PCK' if people[0].thresholds is None else 'OKS'} {100 * np.mean(shares):.0f}"


def _labels(sample: Sample) -> Poses:
    return _poses(sample.xy, (sample.visible > 0).astype(np.float32), sample.boxes, sample)


def _kept(people: Sequence[Person], sample: Sample) -> Poses:
    """The poses that a report keeps of a picture's people."""
    rows = [person.pose for person in people if person.pose]
    count = len(sample.skeleton)
    points = np.array(rows, np.float32).reshape(-1, count, 3)
    boxes = [_box(sample, [person.id]) for person in people if person.pose]  # set line widths
    return _poses(points[..., :2], points[..., 2], np.array(boxes).reshape(-1, 4), sample)


def _poses(xy: np.ndarray, scores: np.ndarray, boxes: np.ndarray, sample: Sample) -> Poses:
    return Poses(
        xy=xy,
        scores=scores,
        boxes=boxes.astype(np.float32),
        score=np.ones(len(xy), np.float32),
        skeleton=sample.skeleton,
        size=sample.size,
    )


def _box(sample: Sample, ids: Sequence[int]) -> Float32[np.ndarray, " 4"]:
    """The box around the boxes of some people, a pixel at least."""
    boxes = sample.boxes[np.isin(sample.ids, ids)]
    low = boxes[:, :2].min(0)
    return np.concatenate([low, np.maximum(boxes[:, 2:].max(0), low + 1)])


def _side_by_side(
    sample: Sample,
    box: Float32[np.ndarray, " 4"],
    panels: Sequence[tuple[Poses, float]],
    size: tuple[int, int],
) -> Image:
    """The picture around a box, once for each poses and the least score of what is drawn."""
    from vitruvian.core.view import View
    from vitruvian.image.warp import warp
    from vitruvian.outputs.draw import draw

    view = View.crop(box, size, padding=1.2)
    sides = [warp(draw(sample.path, poses, kpt_thr=least), view) for poses, least in panels]
    return np.concatenate(sides, axis=1)


def save(folder: Path, pictures: Sequence[Shown]) -> None:
    """The pictures as numbered files.

    Raises:
        OSError: One cannot be written.
    """
    from vitruvian.outputs.pictures import save_picture

    folder.mkdir(parents=True, exist_ok=True)
    for number, shown in enumerate(pictures, 1):
        save_picture(folder / f"{number:03}.jpg", shown.image)
