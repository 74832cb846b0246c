"""DeepLabCut's labelled frames: ``CollectedData_SCORER.csv`` or ``.h5``, of one animal or several.

``deeplabcut:WHERE[@ROOT]`` where WHERE is such a file, or a project's folder: all of them below its
``labeled-data``, the CSV where there are both. Frames are looked for below ROOT, the project's
folder when not given. An empty cell is not labelled; the files have no word for hidden. Body parts
that only some individuals have (those of ``single``) are a person of their own. Limbs are the
``skeleton`` of ``config.yaml`` beside ``labeled-data``, where there is one.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.frames import read_frame
from vitruvian.datasets.named import NamedPerson, NamedPicture, named_table, skeleton_named
from vitruvian.datasets.table import Table, parse_where, read_lines

_FILES = "labeled-data/*/CollectedData_*"
_LEVELS = ("scorer", "individuals", "bodyparts", "coords")


def deeplabcut(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``WHERE[@ROOT]``."""
    where, bad = parse_where(argument), bad or Bad()
    files = [where.path]
    if where.path.is_dir():
        kinds = [
            {file.with_suffix(""): file for file in where.path.glob(f"{_FILES}.{ending}")}
            for ending in ("h5", "csv")
        ]
        files = sorted((kinds[0] | kinds[1]).values())
        if not files:
            raise InputError(f"{where.path}: no {_FILES}.csv or .h5 in it")
    pictures: list[NamedPicture] = []
    names: list[str] = []
    for file in files:
        with bad.record():
            sheet = _frame(file) if file.suffix == ".h5" else _sheet(file)
            pictures += list(_pictures(sheet, bad))
            names += [column.part for column in sheet.columns]
    root = where.path if where.path.is_dir() else where.path.parent.parent.parent
    limbs = [pair for pair in _limbs(root / "config.yaml") if {*pair} <= {*names}]
    bones = skeleton_named(
        names, where.path, ordered=True, name=root.resolve().name or "animal", limbs=limbs
    )
    return named_table(pictures, bones, folder=where.images or root, source="deeplabcut")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """Where x of a body part stands; y is the next column."""

    individual: str
    part: str
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """Content of one file; ``rows`` are its lines below the header, ``first`` the number of one."""

    file: Path
    columns: list[_Column]
    rows: list[list[str]]
    first: int


def _sheet(file: Path) -> _Sheet:
    rows = list(csv.reader(read_lines(file, "CollectedData CSV")))
    header: dict[str, list[str]] = {}
    for row in rows:
        if not row or row[0] not in _LEVELS:
            break
        header[row[0]] = row
    if not {"bodyparts", "coords"} <= set(header):
        raise InputError(
            f"{file}: no header rows 'bodyparts' and 'coords'; expected DeepLabCut's CSV"
        )
    parts, axes = header["bodyparts"], header["coords"]
    who = header.get("individuals", [""] * len(parts))
    return _laid_out(file, who, parts, axes, rows[len(header) :], len(header) + 1)


def _frame(file: Path) -> _Sheet:
    """The same of an ``.h5`` file: the levels of its columns are those of the CSV's header."""
    frame = read_frame(file)
    depths = {len(name) for name in frame.columns}
    if depths not in ({3}, {4}):
        raise InputError(
            f"{file}: columns of {sorted(depths)} levels; expected DeepLabCut's scorer, "
            "individuals (of several animals), bodyparts and coords"
        )
    parts, axes = ([""] + [name[level] for name in frame.columns] for level in (-2, -1))
    who = ["", *(name[1] if len(name) == 4 else "" for name in frame.columns)]
    rows = [
        ["/".join(name), *("" if np.isnan(number) else repr(number) for number in numbers)]
        for name, numbers in zip(frame.rows, frame.values.tolist(), strict=True)
    ]
    return _laid_out(file, who, parts, axes, rows, 1)


def _laid_out(
    file: Path, who: list[str], parts: list[str], axes: list[str], rows: list[list[str]], first: int
) -> _Sheet:
    if not len(parts) == len(axes) == len(who):
        raise InputError(f"{file}: header rows are of different lengths: is the file whole?")
    columns = [
        _Column(individual=who[at], part=parts[at], at=at)
        for at, axis in enumerate(axes)
        if axis == "x" and axes[at + 1 : at + 2] == ["y"]
    ]
    if not columns:
        raise InputError(f"{file}: 'coords' has no pair x, y; expected DeepLabCut's labels")
    return _Sheet(file=file, columns=columns, rows=rows, first=first)


def _pictures(sheet: _Sheet, bad: Bad) -> Iterator[NamedPicture]:
    for number, row in enumerate(sheet.rows, sheet.first):
        if not row:
            continue
        with bad.record():
            where = f"{sheet.file}: line {number}"
            # Newer files split the path in three columns, of which the first is this folder.
            cells = row[:3] if row[0] == "labeled-data" else row[:1]
            people = [
                person
                for _, columns in groupby(sheet.columns, lambda column: column.individual)
                if (person := _person(list(columns), row, where)).points
            ]
            yield NamedPicture(name="/".join(cells).replace("\\", "/"), people=people)


def _person(columns: list[_Column], row: list[str], where: str) -> NamedPerson:
    points: dict[str, tuple[float, float, int]] = {}
    for column in columns:
        cells = row[column.at : column.at + 2]
        here = f"{where}: {column.part} {column.individual}".rstrip()
        if len(cells) < 2:
            raise InputError(f"{here}: the line ends before it; is the file whole?")
        try:
            x, y = (float(cell) if cell.strip() else np.nan for cell in cells)
        except ValueError:
            raise InputError(f"{here} is {', '.join(cells)!r}; expected two numbers") from None
        if np.isfinite([x, y]).all():
            points[column.part] = (x, y, 2)
    return NamedPerson(points=points)


def _limbs(config: Path) -> list[tuple[str, str]]:
    """Pairs under ``skeleton:`` of a project's configuration."""
    if not config.is_file():
        return []
    text = "\n".join(read_lines(config, "config.yaml"))
    block = re.search(r"^skeleton:\n((?:[ -].*\n)*)", text + "\n", re.MULTILINE)
    pair = re.compile(r"^\s*- - (.+)\n\s+- (.+)$", re.MULTILINE)
    return [(a.strip(), b.strip()) for a, b in pair.findall(block[1] if block else "")]


def write_deeplabcut(table: Table, argument: str) -> None:
    """The labels as ``CollectedData_SCORER.csv`` at the path given; several people: individuals."""
    table = table.only(~table.crowd)
    file = parse_where(argument).path
    scorer = file.stem.removeprefix("CollectedData_")
    most = int(np.diff(table.first).max(initial=1))
    parts = table.skeleton.keypoints
    columns = [
        (f"individual{n + 1}", part, axis) for n in range(most) for part in parts for axis in "xy"
    ]
    header = [["scorer", *[scorer] * len(columns)]]
    if most > 1:
        header.append(["individuals", *(column[0] for column in columns)])
    header.append(["bodyparts", *(column[1] for column in columns)])
    header.append(["coords", *(column[2] for column in columns)])
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows(header)
        for at, name in enumerate(table.names):
            numbers = table[at].xy.ravel().tolist()
            cells = ["" if np.isnan(number) else f"{number:.9g}" for number in numbers]
            writer.writerow([name, *cells, *[""] * (len(columns) - len(cells))])
