"""Report: everything one evaluation measured, and the comparison of two."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.metrics.bootstrap import Interval, paired_interval
from vitruvian.metrics.calibration import Reliability
from vitruvian.metrics.diagnosis import Diagnosis
from vitruvian.metrics.oks_ap import CocoScores

ALL = "all"
"""Source of the rows over every picture, and size of those over every box."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Keypoint scores of one source of pictures with one kind of boxes.

    Attributes:
        boxes: ``gt``, ``detector`` or ``given``.
        source: Name of the source, or ``all``.
        pictures: Number of pictures.
        oks_fraction: Mean over t = .50:.05:.95 of the fraction of people with OKS > t; None where
            the skeleton has no sigmas.
        pck: PCK@0.2 over the limb joints, pooled; see :attr:`Report.reference`.
        coco: AP and AR; None where they cannot be told.
        joints: PCK@0.2 and number of labels of every joint.
    """

    boxes: str
    source: str
    pictures: int
    oks_fraction: Interval | None
    pck: Interval
    coco: CocoScores | None
    joints: dict[str, tuple[float, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectorRow:
    """How the predictor's own boxes find people of one size.

    Attributes:
        source: Name of the source, or ``all``.
        size: ``all``, ``small`` (below 32^2 square pixels), ``medium`` or ``large`` (from 96^2).
        recall: Share of people with a box of IoU >= .5 of their own.
        ap: Box AP over IoU .50:.05:.95 on the fully annotated pictures; None where there are none.
    """

    source: str
    size: str
    recall: Interval
    ap: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """What one labelled person adds to the sums, for intervals and for comparing reports.

    Attributes:
        boxes: As in :class:`Row`.
        source: As in :class:`Row`.
        image_id: Picture in the data set.
        id: Annotation in the data set.
        thresholds: How many of t = .50:.05:.95 the person's OKS exceeds; None without sigmas.
        correct: Limb joints within the PCK threshold.
        counted: Limb joints labelled.
    """

    boxes: str
    source: str
    image_id: int
    id: int
    thresholds: int | None
    correct: int
    counted: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that was measured; :meth:`to_json` keeps it.

    Attributes:
        model: What made the poses: names, hashes, runtime.
        data: Where the labels came from.
        reference: Length of PCK, ``torso`` (left shoulder to right hip) or ``box`` (longer side).
        left_out: Joints of the data that the model does not have; they are not counted.
        rows: Keypoint scores, per kind of boxes and source.
        detector: Box scores, per source and size; empty without the predictor's own boxes.
        people: One entry per labelled person and kind of boxes.
        diagnosis: Kind of boxes -> kinds of mistakes; empty unless asked for.
        reliability: Kind of boxes -> whether keypoint scores are chances; likewise.
    """

    model: dict[str, object]
    data: str
    reference: Literal["torso", "box"]
    left_out: tuple[str, ...]
    rows: tuple[Row, ...]
    detector: tuple[DetectorRow, ...]
    people: tuple[Person, ...]
    diagnosis: dict[str, Diagnosis] = field(default_factory=dict)
    reliability: dict[str, Reliability] = field(default_factory=dict)

    def to_json(self) -> str:
        """JSON text; a number that does not exist is null."""
        return json_text(asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How much better the second report is than the first on the people of both.

    Attributes:
        boxes: As in :class:`Row`.
        source: As in :class:`Row`.
        metric: ``oks_fraction`` or ``pck``.
        interval: Second minus first.
    """

    boxes: str
    source: str
    metric: str
    interval: Interval


def load_people(file: Path) -> list[Person]:
    """The people of a report's JSON.

    Raises:
        InputError: The file is missing or no report.
    """
    try:
        return [Person(**row) for row in json.loads(file.read_bytes())["people"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{file}: not a report of `vitruvian evaluate` ({error!r})") from error


def compare(
    first: list[Person], second: list[Person], rng: np.random.Generator
) -> list[Difference]:
    """Paired bootstrap of the second against the first, per kind of boxes and source.

    Raises:
        InputError: The two have nobody in common.
    """
    theirs = {_key(person): person for person in second}
    pairs = [(a, theirs[_key(a)]) for a in first if _key(a) in theirs]
    if not pairs:
        raise InputError("the reports have no people in common; evaluate both on the same data")
    kinds = dict.fromkeys((a.boxes, source) for a, _ in pairs for source in (ALL, a.source))
    return list(_differences(pairs, list(kinds), rng))


def _differences(
    pairs: list[tuple[Person, Person]], kinds: list[tuple[str, str]], rng: np.random.Generator
) -> Iterator[Difference]:
    for boxes, source in kinds:
        chosen = [p for p in pairs if p[0].boxes == boxes and source in (ALL, p[0].source)]
        for metric in ("oks_fraction", "pck"):
            a, b = (np.array([_share(p[i], metric) for p in chosen], float) for i in (0, 1))
            found = paired_interval(a, b, rng)
            if found.people:
                yield Difference(boxes=boxes, source=source, metric=metric, interval=found)


def _share(person: Person, metric: str) -> tuple[int, int]:
    if metric == "pck":
        return person.correct, person.counted
    return (0, 0) if person.thresholds is None else (person.thresholds, 10)


def _key(person: Person) -> tuple[str, str, int, int]:
    return person.boxes, person.source, person.image_id, person.id


def json_text(found: Mapping[str, object]) -> str:
    """JSON text; a number that does not exist is null."""
    return json.dumps(_without_nan(found), indent=1, allow_nan=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
