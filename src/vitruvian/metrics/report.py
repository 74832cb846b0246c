"""Report: everything one evaluation measured, and the comparison of two."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
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
        curve: PCK over the limb joints at 0, .01 … .5 of the reference (PDJ, where that is the
            torso).
        auc: Area under that curve, scaled to [0, 1].
    """

    boxes: str
    source: str
    pictures: int
    oks_fraction: Interval | None
    pck: Interval
    coco: CocoScores | None
    joints: dict[str, tuple[float, int]]
    curve: tuple[float, ...] = ()
    auc: float = math.nan


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
        pose: The pose that was taken as this person's, x, y and score of each keypoint in the
            order of :attr:`Row.joints`; not a number where a keypoint was not found, empty where
            no pose was.
    """

    boxes: str
    source: str
    image_id: int
    id: int
    thresholds: int | None
    correct: int
    counted: int
    pose: tuple[float, ...] = ()


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
        """JSON text, a line for each person; a number that does not exist is null."""
        whole = asdict(self)
        people = [json.dumps(_without_nan(row), allow_nan=False) for row in whole.pop("people")]
        text = json_text(whole).removesuffix("\n}")
        return text + ',\n "people": [\n  ' + ",\n  ".join(people) + "\n ]\n}"


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What a report's JSON keeps for comparing.

    Attributes:
        data: Where the labels came from.
        keypoints: Names, in the order of the people's poses.
        people: One entry per labelled person and kind of boxes.
    """

    data: str
    keypoints: tuple[str, ...]
    people: tuple[Person, ...]


def load_report(file: Path) -> Kept:
    """What is needed for comparing of a report's JSON.

    Raises:
        InputError: The file is missing or no report.
    """
    try:
        found = json.loads(file.read_bytes())
        rows = [row | {"pose": _with_nan(row.get("pose", ()))} for row in found["people"]]
        return Kept(
            data=str(found["data"]),
            keypoints=tuple(found["rows"][0]["joints"]),
            people=tuple(Person(**row) for row in rows),
        )
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: not a report of `vitruvian evaluate` ({error!r})") from error


def in_common(first: Iterable[Person], second: Iterable[Person]) -> list[tuple[Person, Person]]:
    """The people of both reports, as each has them.

    Raises:
        InputError: The two have nobody in common.
    """
    theirs = {_key(person): person for person in second}
    pairs = [(a, theirs[_key(a)]) for a in first if _key(a) in theirs]
    if not pairs:
        raise InputError("the reports have no people in common; evaluate both on the same data")
    return pairs


def compare(pairs: list[tuple[Person, Person]], rng: np.random.Generator) -> list[Difference]:
    """Paired bootstrap of the second report against the first, per kind of boxes and source."""
    kinds = dict.fromkeys((a.boxes, source) for a, _ in pairs for source in (ALL, a.source))
    return list(_differences(pairs, list(kinds), rng))


def most_different(pairs: list[tuple[Person, Person]]) -> list[list[tuple[Person, Person]]]:
    """The people of each picture and kind of boxes, the pictures that differ most first.

    A picture differs by the sum of its people's differences in OKS (PCK without sigmas); pictures
    without any are left out.
    """
    pictures: dict[tuple[str, str, int], list[tuple[Person, Person]]] = {}
    for pair in pairs:
        key = pair[0].boxes, pair[0].source, pair[0].image_id
        pictures.setdefault(key, []).append(pair)
    sums = {key: sum(map(difference, people)) for key, people in pictures.items()}
    order = sorted((key for key in pictures if sums[key] > 0), key=lambda key: -sums[key])
    return [pictures[key] for key in order]


def difference(pair: tuple[Person, Person]) -> float:
    """How far apart a person's shares are in two reports, in [0, 1]."""
    metric = "pck" if None in (pair[0].thresholds, pair[1].thresholds) else "oks_fraction"
    (a, of), (b, in_all) = (_share(person, metric) for person in pair)
    return abs(a / max(of, 1) - b / max(in_all, 1))


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


def _with_nan(numbers: Iterable[float | None]) -> tuple[float, ...]:
    return tuple(math.nan if number is None else number for number in numbers)


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_nan(v) for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(v) for v in value]
    return None if isinstance(value, float) and math.isnan(value) else value
