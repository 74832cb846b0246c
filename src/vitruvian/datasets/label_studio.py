"""Label Studio's JSON export: keypoint labels in percent of the picture, boxes as rectangles.

``label_studio:export.json[@IMAGES]``. Keypoints belong to the rectangle that a relation or their
``parentID`` names; without either, to the one they come together with in the list. A keypoint whose
value says ``hidden`` is hidden. Names and their order are those of ``<KeyPointLabels>`` in the
labelling configuration ``export.config.xml`` beside the file where there is one, else those seen.
Of several annotations of a task the first that was not cancelled counts. A picture is found by its
path below ``?d=``, else by its name.
"""

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.sample import Sample
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.named import NamedPerson, NamedPicture, named_table, skeleton_named
from vitruvian.datasets.table import Table, parse_where, read_json

_Item = dict[str, Any]


def label_studio(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``export.json[@IMAGES]``."""
    where, bad = parse_where(argument), bad or Bad()
    tasks = read_json(where.path)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError(f"{where.path}: expected a list of tasks, Label Studio's JSON export")
    pictures = list(_pictures(where.path, tasks, bad))
    config = _config_of(where.path)
    seen = [name for p in pictures for person in p.people for name in person.points]
    names = _configured(config) if config.is_file() else seen
    bones = skeleton_named(names, where.path, ordered=config.is_file(), name=where.path.stem)
    folder = where.images or where.path.parent / "images"
    return named_table(pictures, bones, folder=folder, source="label_studio")


def _pictures(file: Path, tasks: list[_Item], bad: Bad) -> Iterator[NamedPicture]:
    for at, task in enumerate(tasks):
        where = f"{file}: tasks[{at}] (id {task.get('id', '?')})"
        with bad.record():
            try:
                yield _picture(task, where, bad)
            except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
                raise InputError(f"{where}: not the published layout ({error!r})") from error


def _picture(task: _Item, where: str, bad: Bad) -> NamedPicture:
    data = task.get("data", {})
    links = {key: value for key, value in data.items() if isinstance(value, str)}
    image = links.get("image") or links.get("img") or next(iter(links.values()), "")
    if not image:
        raise InputError(f"{where} has no 'data' with the link of a picture")
    given = task["annotations"] if "annotations" in task else task.get("completions", [])
    done = [a["result"] for a in given if not a.get("was_cancelled")]
    items: list[_Item] = done[0] if done else []
    shapes = [item for item in items if item.get("original_width") and item.get("original_height")]
    size = (shapes[0]["original_height"], shapes[0]["original_width"]) if shapes else (0, 0)
    people = list(_people(items, where, bad))
    return NamedPicture(name=_name(image), size=(int(size[0]), int(size[1])), people=people)


def _name(link: str) -> str:
    """Path of a picture below the folder of pictures."""
    parts = urlsplit(link)
    local = parse_qs(parts.query).get("d")
    if local:
        return local[0]
    path = unquote(parts.path)
    return path.rpartition("/")[2] if parts.scheme or path.startswith("/") else path


def _people(items: list[_Item], where: str, bad: Bad) -> Iterator[NamedPerson]:
    """Keypoints by the rectangle they belong to; those without one are one person."""
    owners = _owners(items)
    points: dict[str, dict[str, tuple[float, float, int]]] = {}
    boxes: dict[str, tuple[float, float, float, float]] = {}
    for n, item in enumerate(items):
        here = f"{where}: result[{n}] (id {item.get('id', '?')})"
        with bad.record():
            if item.get("type") == "rectanglelabels":
                boxes[item["id"]] = _box(item, here)
            elif item.get("type") == "keypointlabels":
                person = points.setdefault(owners.get(item.get("id", str(n)), ""), {})
                name, point = _point(item, here)
                if name in person:
                    text = f"a second {name!r} of one person; relate each keypoint to its rectangle"
                    raise InputError(f"{here}: {text}")
                person[name] = point
    for owner in dict.fromkeys([*boxes, *points]):
        yield NamedPerson(points=points.get(owner, {}), box=boxes.get(owner))


def _owners(items: list[_Item]) -> dict[str, str]:
    """Rectangle of each keypoint: by relation, by parent, or the one it is listed with."""
    kinds = {item["id"]: item.get("type") for item in items if "id" in item}
    owners: dict[str, str] = {}
    for item in items:
        if item.get("type") == "relation":
            ends = item["from_id"], item["to_id"]
            for one, other in (ends, ends[::-1]):
                if kinds.get(one) == "keypointlabels" and kinds.get(other) == "rectanglelabels":
                    owners[one] = other
        elif item.get("parentID") in kinds:
            owners[item["id"]] = item["parentID"]
    return owners or _by_order(items)


def _by_order(items: list[_Item]) -> dict[str, str]:
    """Rectangles come before their keypoints, or after them: as the first item says."""
    shapes = [i for i in items if i.get("type") in ("keypointlabels", "rectanglelabels")]
    if shapes and shapes[0]["type"] == "keypointlabels":
        shapes = shapes[::-1]
    owners: dict[str, str] = {}
    last = ""
    for item in shapes:
        if item["type"] == "rectanglelabels":
            last = item["id"]
        elif last:
            owners[item["id"]] = last
    return owners


def _point(item: _Item, where: str) -> tuple[str, tuple[float, float, int]]:
    x, y = _pixels(item, where, "x", "y")
    names = item["value"].get("keypointlabels")
    if not names:
        raise InputError(f"{where}: its value has no 'keypointlabels'")
    return str(names[0]), (x, y, 1 if item["value"].get("hidden") else 2)


def _box(item: _Item, where: str) -> tuple[float, float, float, float]:
    x, y, width, height = _pixels(item, where, "x", "y", "width", "height")
    return x, y, x + width, y + height


def _pixels(item: _Item, where: str, *fields: str) -> list[float]:
    """Fields of a value, in pixels."""
    numbers = []
    for field in fields:
        side = "original_width" if field in ("x", "width") else "original_height"
        share, length = _number(item["value"], field, where), _number(item, side, where)
        numbers.append(share * length / 100)
    return numbers


def _number(item: _Item, field: str, where: str) -> float:
    value = item.get(field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise InputError(f"{where}: {field} is {value!r}; expected a number")
    return float(value)


def _config_of(file: Path) -> Path:
    return file.with_name(f"{file.stem}.config.xml")


def _configured(file: Path) -> list[str]:
    try:
        root = ET.parse(file).getroot()
    except ET.ParseError as error:
        raise InputError(f"{file}: not readable as XML ({error})") from error
    return [label.get("value", "") for label in root.iterfind(".//KeyPointLabels/Label")]


def write_label_studio(table: Table, argument: str) -> None:
    """The labels as Label Studio's JSON at ``export.json[@IMAGES]``, its configuration beside it.

    Links are ``/data/local-files/?d=NAME``, which Label Studio serves from its document root. File
    names stay relative to the table's folder.
    """
    table = table.only(~table.crowd)
    where = parse_where(argument)
    numbers = count(1)
    tasks = []
    for at, name in enumerate(table.names):
        result = list(_results(table[at], numbers))
        annotation = {"id": at + 1, "was_cancelled": False, "ground_truth": True, "result": result}
        link = {"image": f"/data/local-files/?d={name}"}
        tasks.append({"id": at + 1, "data": link, "annotations": [annotation]})
    where.path.write_text(json.dumps(tasks), encoding="utf-8")
    view = ET.Element("View")
    ET.SubElement(view, "Image", name="image", value="$image")
    boxes = ET.SubElement(view, "RectangleLabels", name="box", toName="image")
    ET.SubElement(boxes, "Label", value="person")
    points = ET.SubElement(view, "KeyPointLabels", name="keypoint", toName="image")
    for name in table.skeleton.keypoints:
        ET.SubElement(points, "Label", value=name)
    ET.indent(view)
    ET.ElementTree(view).write(_config_of(where.path), encoding="utf-8")


def _results(sample: Sample, numbers: Iterator[int]) -> Iterator[_Item]:
    height, width = sample.size
    common = {"original_width": width, "original_height": height, "image_rotation": 0}
    to_percent = 100 / np.array([width, height], np.float64)
    for n in range(len(sample)):
        corner, far = sample.boxes[n].astype(np.float64).reshape(2, 2) * to_percent
        box, extent = f"box{next(numbers)}", far - corner
        value: _Item = {"x": corner[0], "y": corner[1], "width": extent[0], "height": extent[1]}
        yield common | {
            "id": box, "type": "rectanglelabels", "from_name": "box", "to_name": "image",
            "value": value | {"rotation": 0, "rectanglelabels": ["person"]},
        }  # fmt: skip
        marks = zip(sample.skeleton.keypoints, sample.xy[n], sample.visible[n], strict=True)
        for name, xy, flag in marks:
            if flag:
                x, y = (xy.astype(np.float64) * to_percent).tolist()
                value = {"x": x, "y": y, "width": 0.5, "keypointlabels": [name]}
                value |= {"hidden": True} if flag == 1 else {}
                point = f"point{next(numbers)}"
                yield common | {
                    "id": point, "type": "keypointlabels", "from_name": "keypoint",
                    "to_name": "image", "value": value,
                }  # fmt: skip
                yield {"type": "relation", "from_id": point, "to_id": box, "direction": "right"}
