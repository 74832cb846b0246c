"""Files with boxes of people, for pictures whose people are already found."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.types import Boxes

_NAMES = ("file_name", "source", "file", "image", "image_id")
_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxFile:
    """Boxes by picture.

    Attributes:
        name: The file, for messages.
        rows: Picture -> (x0, y0, x1, y1, score) of each person, image pixels.
    """

    name: str
    rows: Mapping[str, list[tuple[float, ...]]]

    def of(self, picture: str) -> Boxes:
        """Boxes of a picture, by its path as given, else by its file name, else by its number."""
        path = PurePath(picture)
        number = str(int(path.stem)) if path.stem.isdigit() else ""
        keys = (picture, path.name, path.stem, number)
        found = next((self.rows[key] for key in keys if key in self.rows), [])
        values = np.array(found, np.float32).reshape(-1, 5)
        return Boxes(xyxy=values[:, :4], scores=values[:, 4])


def read_boxes(path: str | Path) -> BoxFile:
    """Boxes of a CSV or JSON file.

    CSV has a header with x0, y0, x1, y1, one of file_name, source, file, image, image_id, and may
    have score. JSON is COCO: results (a list of image_id or file_name, bbox, score) or labels
    (images, annotations; crowds are left out).

    Raises:
        InputError: The file cannot be read, or is neither.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        rows = _from_csv(text) if str(path).lower().endswith(".csv") else _from_json(text)
        kept: dict[str, list[tuple[float, ...]]] = {}
        for picture, box in rows:
            kept.setdefault(picture, []).append(box)
    except OSError as error:
        raise InputError(f"cannot read boxes {path}: {error.strerror or error}") from error
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        lost = f"{error} is missing" if type(error) is KeyError else str(error)
        raise InputError(
            f"cannot read boxes {path}: {lost}; give CSV with {', '.join(_CORNERS)} and "
            f"{_NAMES[0]}, or COCO JSON"
        ) from error
    return BoxFile(name=str(path), rows=kept)


def _from_csv(text: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    for row in csv.DictReader(text.splitlines()):
        corners = tuple(float(row[name]) for name in _CORNERS)
        yield _picture(row), (*corners, float(row.get("score") or 1))


def _from_json(text: str) -> Iterator[tuple[str, tuple[float, ...]]]:
    data = json.loads(text)
    names: dict[object, str] = {}
    if isinstance(data, dict):
        names = {image["id"]: str(image["file_name"]) for image in data["images"]}
        data = [a for a in data["annotations"] if not a.get("iscrowd")]
    for entry in data:
        x, y, width, height = map(float, entry["bbox"])
        picture = names.get(entry.get("image_id")) or _picture(entry)
        yield picture, (x, y, x + width, y + height, float(entry.get("score", 1)))


def _picture(row: Mapping[str, object]) -> str:
    """The name of the picture that a row is about."""
    for name in _NAMES:
        if row.get(name) not in (None, ""):
            return str(row[name])
    raise KeyError(_NAMES[0])
