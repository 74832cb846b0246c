"""Table: the labels of a whole data set in a few arrays; what every reader returns."""

import gc
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64, UInt8

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton, skeleton_names
from vitruvian.datasets.bad import Bad, BadRecords, Records
from vitruvian.datasets.rows import Rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """P people in M pictures as compact arrays; ``table[i]`` is the :class:`Sample` of picture i.

    Attributes:
        folder: Folder that ``names`` are relative to.
        names: M file names.
        sizes: M 2 int64, (H, W) in pixels; 0 where the labels do not say: the picture is asked.
        image_ids: M int64.
        first: M + 1 int64; the people of picture i are rows ``first[i]:first[i + 1]``.
        skeleton: Names and order of the K keypoints.
        xy: P K 2 float32, image pixels; NaN where not labelled.
        visible: P K uint8; 0 not labelled, 1 labelled but hidden, 2 visible.
        boxes: P 4 float32 xyxy, image pixels.
        area: P float32, square pixels.
        crowd: P bool, regions of unseparated people.
        ids: P int64, annotation identifiers.
        fully_annotated: M bool; False when unlabelled people may be in the picture.
        sources: M names of the data set each picture came from.
        person_fields: What else a format knows of people, by name: P rows each, for example
            ``head`` P 4 xyxy or ``track`` P.
        picture_fields: What else it knows of pictures, by name: M rows each.
    """

    folder: Path
    names: Sequence[str]
    sizes: Int64[np.ndarray, "M 2"]
    image_ids: Int64[np.ndarray, " M"]
    first: Int64[np.ndarray, " M+1"]
    skeleton: Skeleton
    xy: Float32[np.ndarray, "P K 2"]
    visible: UInt8[np.ndarray, "P K"]
    boxes: Float32[np.ndarray, "P 4"]
    area: Float32[np.ndarray, " P"]
    crowd: Bool[np.ndarray, " P"]
    ids: Int64[np.ndarray, " P"]
    fully_annotated: Bool[np.ndarray, " M"]
    sources: Sequence[str]
    person_fields: Mapping[str, np.ndarray] = field(default_factory=dict)
    picture_fields: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Sample]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        """Labels of one picture; the arrays are views of the table, not copies."""
        at = range(len(self))[index]
        rows = slice(int(self.first[at]), int(self.first[at + 1]))
        return Sample(
            path=str(self.folder / self.names[at]),
            size=self._size(at),
            skeleton=self.skeleton,
            xy=self.xy[rows],
            visible=self.visible[rows],
            boxes=self.boxes[rows],
            area=self.area[rows],
            crowd=self.crowd[rows],
            fully_annotated=bool(self.fully_annotated[at]),
            image_id=int(self.image_ids[at]),
            ids=self.ids[rows],
            source=self.sources[at],
        )

    def _size(self, at: int) -> tuple[int, int]:
        height, width = (int(side) for side in self.sizes[at])
        return (height, width) if height else picture_size(self.folder / self.names[at])

    def select(self, pictures: Sequence[int] | Int64[np.ndarray, " n"]) -> "Table":
        """The chosen pictures, in the given order."""
        at = np.asarray(pictures, np.int64)
        counts = np.diff(self.first)[at]
        rows = ragged_rows(self.first[at], counts)
        return replace(
            self,
            names=[self.names[i] for i in at],
            sizes=self.sizes[at],
            image_ids=self.image_ids[at],
            first=offsets(counts),
            xy=self.xy[rows],
            visible=self.visible[rows],
            boxes=self.boxes[rows],
            area=self.area[rows],
            crowd=self.crowd[rows],
            ids=self.ids[rows],
            fully_annotated=self.fully_annotated[at],
            sources=[self.sources[i] for i in at],
            person_fields={name: value[rows] for name, value in self.person_fields.items()},
            picture_fields={name: value[at] for name, value in self.picture_fields.items()},
        )

    def only(self, people: Bool[np.ndarray, " P"]) -> "Table":
        """Every picture, with the chosen people alone."""
        picture_of = np.repeat(np.arange(len(self)), np.diff(self.first))[people]
        return replace(
            self,
            first=offsets(np.bincount(picture_of, minlength=len(self))),
            xy=self.xy[people],
            visible=self.visible[people],
            boxes=self.boxes[people],
            area=self.area[people],
            crowd=self.crowd[people],
            ids=self.ids[people],
            person_fields={name: value[people] for name, value in self.person_fields.items()},
        )


def offsets(counts: Int64[np.ndarray, " M"]) -> Int64[np.ndarray, " M+1"]:
    """First row of each group, and the number of rows after the last."""
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def ragged_rows(first: Int64[np.ndarray, " n"], counts: Int64[np.ndarray, " n"]) -> np.ndarray:
    """Rows ``first[i] … first[i] + counts[i] - 1`` of every group, one after the other."""
    starts = np.repeat(first - offsets(counts)[:-1], counts)
    return starts + np.arange(len(starts))


BOX_TO_AREA = 0.53
"""Share of the box taken as a person's area where a data set has none (xtcocotools)."""


def people_table(
    *,
    folder: Path,
    names: Sequence[str],
    picture_of: Int64[np.ndarray, " P"],
    skeleton: Skeleton,
    xy: Float32[np.ndarray, "P K 2"],
    visible: UInt8[np.ndarray, "P K"],
    boxes: Float32[np.ndarray, "P 4"],
    source: str,
    **known: Any,
) -> Table:
    """Table of a format that does not know everything; ``known`` are more columns of the table.

    ``picture_of`` is the picture of each person, in ascending order. What is not known: sizes are
    asked of the pictures, areas are 0.53 of the boxes, nobody is a crowd, unlabelled people may be
    in every picture, pictures and people are numbered from 1.
    """
    count, people = len(names), len(xy)
    extent = boxes[:, 2:] - boxes[:, :2]
    columns: dict[str, Any] = dict(
        folder=folder,
        names=names,
        sizes=np.zeros((count, 2), np.int64),
        image_ids=np.arange(1, count + 1),
        first=offsets(np.bincount(picture_of, minlength=count)),
        skeleton=skeleton,
        xy=xy,
        visible=visible,
        boxes=boxes,
        area=(BOX_TO_AREA * extent[:, 0] * extent[:, 1]).astype(np.float32),
        crowd=np.zeros(people, bool),
        ids=np.arange(1, people + 1),
        fully_annotated=np.zeros(count, bool),
        sources=[source] * count,
    )
    return Table(**columns | known)


def by_picture(pictures: Sequence[str]) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Pictures of rows of people: their names as they come, each row's picture, the rows in order.

    The last two belong together: row ``order[n]`` of the file is in picture ``picture_of[n]``.
    """
    names = list(dict.fromkeys(pictures))
    at = {name: i for i, name in enumerate(names)}
    picture_of = np.array([at[name] for name in pictures], np.int64)
    order = np.argsort(picture_of, kind="stable")
    return names, picture_of[order], order


def boxes_of(xy: Float32[np.ndarray, "P K 2"], margin: float) -> Float32[np.ndarray, "P 4"]:
    """Tight xyxy box of each person's labelled keypoints, grown by ``margin`` of its longer side.

    A person without a labelled keypoint gets an empty box at the origin.
    """
    absent = np.isnan(xy)
    low = np.where(absent, np.inf, xy).min(1)
    high = np.where(absent, -np.inf, xy).max(1)
    nobody = absent.any(2).all(1)
    low[nobody], high[nobody] = 0, 0
    grow = margin * (high - low).max(1, keepdims=True)
    return np.concatenate([low - grow, high + grow], 1).astype(np.float32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where a data set lies: ``PATH[@IMAGES][#SPLIT]``."""

    path: Path
    images: Path | None
    split: str


def parse_where(argument: str, *, splits: tuple[str, ...] = ()) -> Where:
    """The parts of ``PATH[@IMAGES][#SPLIT]``.

    Raises:
        ConfigError: The split is not among ``splits``.
    """
    rest, _, split = argument.partition("#")
    path, _, images = rest.partition("@")
    if split and split not in splits:
        accepted = f"one of {', '.join(splits)}" if splits else "none; this data set has no splits"
        raise ConfigError(f"split {split!r} of {path}; accepted: {accepted}")
    return Where(path=Path(path), images=Path(images) if images else None, split=split)


def known_skeleton(keypoints: Sequence[str]) -> Skeleton | None:
    """The shipped skeleton with these names in this order."""
    shipped = map(skeleton, skeleton_names())
    return next((bones for bones in shipped if bones.keypoints == tuple(keypoints)), None)


def pairs_by_name(keypoints: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """(left, right) pairs of names that differ in that word, or in an l and an r, alone."""
    pairs = []
    for left, right in _SIDES:
        for name in keypoints:
            other = left.sub(right, name)
            if other != name and other in keypoints:
                pairs.append((name, other))
    return tuple(dict.fromkeys(pairs))


_SIDES = tuple(
    (re.compile(pattern), right)
    for pattern, right in (
        ("left", "right"),
        ("Left", "Right"),
        ("LEFT", "RIGHT"),
        (r"(?<![^_\W])l(?=[_\W]|$)", "r"),
        (r"(?<![^_\W])L(?=[_\W]|$)", "R"),
    )
)


def present(table: Table, bad: Bad) -> Table:
    """The table of the pictures that are there.

    Raises:
        InputError: A picture is missing. Where ``bad`` skips, it is left out, and so is every file
            whose header cannot be read.
    """
    good = []
    for at, name in enumerate(table.names):
        with bad.record():
            _check_picture(table, at, table.folder / name, header=bad.skip)
            good.append(at)
    return table if len(good) == len(table) else table.select(good)


def _check_picture(table: Table, at: int, file: Path, *, header: bool) -> None:
    try:
        if header:
            picture_size(file)
        else:
            require(file, "picture")
    except InputError as error:
        where = f"picture {at} of {len(table)} (id {table.image_ids[at]}) of {table.sources[at]}"
        raise InputError(f"{where}: {error}") from error


def picture_size(file: Path) -> tuple[int, int]:
    """(H, W) of a picture in pixels, its orientation applied; reads the header alone.

    Raises:
        InputError: The file is missing or no picture.
    """
    import PIL.Image
    from PIL.ExifTags import Base

    try:
        with PIL.Image.open(require(file, "picture")) as picture:
            width, height = picture.size
            turned = picture.getexif().get(Base.Orientation, 1) >= 5
    except (OSError, PIL.Image.DecompressionBombError) as error:
        raise InputError(f"{file}: not a picture that can be read ({error})") from error
    return (width, height) if turned else (height, width)


def require(path: Path, what: str) -> Path:
    """The path itself when there is such a file.

    Raises:
        InputError: There is none.
    """
    if not path.is_file():
        raise InputError(f"no {what} at {str(path)!r}; give the path of an existing file")
    return path


def read_lines(file: Path, what: str) -> list[str]:
    """Lines of a text file.

    Raises:
        InputError: The file is missing or no text.
    """
    try:
        return require(file, what).read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not text ({error}); expected a {what}") from error


def read_json(file: Path, parse: Callable[[bytes], Any] = json.loads) -> Any:
    """Content of a JSON file, by :func:`json.loads` or a parser like it.

    Raises:
        InputError: The file is missing, truncated or no JSON.
    """
    try:
        text = require(file, "annotation file").read_bytes()
        with _no_collector():
            return parse(text)
    except InputError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{file}: not readable as JSON ({error}); is the download complete?"
        ) from error


@contextmanager
def _no_collector() -> Iterator[None]:
    """Parsing makes millions of objects and no cycles; the collector would double the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Columns:
    """Fields of many JSON records as arrays, with errors that name file, record and field.

    ``whole`` is the list that the records were chosen from: errors name positions in it.
    """

    def __init__(
        self,
        file: Path,
        kind: str,
        records: Records | Rows,
        whole: Records | Rows | None = None,
    ) -> None:
        self.file, self.kind, self.records = file, kind, records
        self._whole = records if whole is None else whole

    def some(self, rows: Int64[np.ndarray, " m"]) -> "Columns":
        """Fields of some of the records, in any order."""
        if isinstance(self.records, Rows):
            return Columns(self.file, self.kind, self.records.take(rows))
        chosen = [self.records[at] for at in rows.tolist()]
        return Columns(self.file, self.kind, chosen, self._whole)

    def numbers(self, field: str, dtype: type[np.generic], width: int = 0) -> np.ndarray:
        """The field of every record: a number, or ``width`` of them.

        Raises:
            BadRecords: Records lack the field, or it is something else.
        """
        if isinstance(self.records, Rows):
            return self._column(self.records, field, width).astype(dtype)
        values = self.values(field)
        try:
            if not width and None not in values:
                return np.fromiter(values, dtype, len(values))
            if width and {*map(len, values)} <= {width}:
                flat = np.fromiter(chain.from_iterable(values), dtype, width * len(values))
                return flat.reshape(-1, width)
        except (ValueError, TypeError, OverflowError):
            pass
        raise self._not_numbers(field, (width,) if width else (), dtype)

    def _column(self, rows: Rows, field: str, width: int) -> np.ndarray:
        """The same where the records are columns already."""
        column = rows.fields.get(field, np.zeros(0))
        if column.shape != ((len(rows), width) if width else (len(rows),)):
            raise InputError(f"{self.file}: {self.kind}: expected {width or 'one'} in {field!r}")
        return column

    def texts(self, field: str) -> list[str]:
        """The field of every record as text."""
        return [str(value) for value in self.values(field)]

    def values(self, field: str) -> list[Any]:
        """The field of every record.

        Raises:
            BadRecords: Records lack the field.
        """
        if isinstance(self.records, Rows):
            found: list[Any] = self._column(self.records, field, 0).tolist()
            return found
        try:
            return [record[field] for record in self.records]
        except KeyError:
            raise self.bad(
                self.have(field), lambda at: f"has no {field!r}; every record needs it"
            ) from None

    def have(self, field: str) -> Bool[np.ndarray, " n"]:
        """Which records have the field."""
        if isinstance(self.records, Rows):
            return np.full(len(self.records), field in self.records.fields)
        return np.array([field in record for record in self.records], bool)

    def check(self, good: np.ndarray | np.bool, field: str, rule: str) -> None:
        """Nothing, where every record is good.

        Raises:
            BadRecords: Records break ``rule``.
        """
        if not np.all(good):
            good = np.broadcast_to(good, len(self.records))
            raise self.bad(good, lambda at: f"{field} is {self._short(at, field)}; {rule}")

    def bad(self, good: np.ndarray, message: Callable[[int], str]) -> BadRecords:
        """The error about records that are not good; ``message`` of the position of each."""
        if isinstance(self.records, Rows):  # whoever reads them asks the records themselves then
            return BadRecords([({}, f"{self.file}: {self.kind} {message(int(np.argmin(good)))}")])
        place = {id(record): at for at, record in enumerate(self._whole)}
        found = []
        for at in np.flatnonzero(~good).tolist():
            record = self.records[at]
            where = f"{self.kind}[{place.get(id(record), at)}] (id {record.get('id', '?')})"
            found.append((record, f"{self.file}: {where} {message(at)}"))
        return BadRecords(found)

    def _not_numbers(
        self, field: str, shape: tuple[int, ...], dtype: type[np.generic]
    ) -> InputError:
        expected = f"{shape[0]} numbers" if shape else "one number"
        fits = np.array([_fits(record[field], shape, dtype) for record in self.records])
        if fits.all():
            return InputError(
                f"{self.file}: {self.kind}: a {field} is too large; expected {expected}"
            )
        return self.bad(
            fits, lambda at: f"{field} is {self._short(at, field)}; expected {expected}"
        )

    def _short(self, at: int, field: str) -> str:
        return _short(self.records[at].get(field))


def _fits(value: object, shape: tuple[int, ...], dtype: type[np.generic]) -> bool:
    try:
        return value is not None and bool(np.array(value).astype(dtype).shape == shape)
    except (ValueError, TypeError, OverflowError):
        return False


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}…"
