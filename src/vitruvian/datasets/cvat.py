"""CVAT's XML 1.1, for images and for video: skeletons, or points of one person each.

``cvat:annotations.xml[@IMAGES]``; pictures lie in ``images`` beside the file when IMAGES is not
given. A skeleton's box is the ``<box>`` of the same group, else that of its keypoints. A point that
is outside is not labelled, one that is occluded is hidden. Bare ``<points>`` of several locations
are a person whose keypoints are numbered; single ones belong together by their group. Frames of a
video are looked for as ``frame_000000.PNG``. Coordinates are taken as they are, as CVAT's own
export to COCO does.
"""

import re
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from vitruvian.core.errors import InputError
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.named import NamedPerson, NamedPicture, named_table, skeleton_named
from vitruvian.datasets.table import Table, parse_where, require

_FRAME_ENDINGS = (".PNG", ".png", ".jpg", ".jpeg")


def cvat(argument: str, bad: Bad | None = None) -> Table:
    """Data set of ``annotations.xml[@IMAGES]``."""
    where, bad = parse_where(argument), bad or Bad()
    root = _root(where.path)
    folder = where.images or where.path.parent / "images"
    label = _label(where.path, root, bad)
    pictures = [
        *_images(where.path, root, label, bad),
        *_frames(where.path, root, label, bad, folder),
    ]
    names = _names(root, label, pictures)
    bones = skeleton_named(names, where.path, ordered=True, name=label or where.path.stem)
    return named_table(pictures, bones, folder=folder, source="cvat")


def _root(file: Path) -> ET.Element:
    try:
        root = ET.parse(require(file, "annotations.xml")).getroot()
    except ET.ParseError as error:
        raise InputError(f"{file}: not readable as XML ({error}); is it complete?") from error
    if root.tag != "annotations":
        raise InputError(f"{file}: its root is <{root.tag}>; expected CVAT's <annotations>")
    return root


def _label(file: Path, root: ET.Element, bad: Bad) -> str:
    """Label of the skeletons; "" where there are none."""
    found = Counter(shape.get("label", "") for shape in root.iterfind("image/skeleton"))
    tracks = (track for track in root.iterfind("track") if track.find("skeleton") is not None)
    found += Counter(track.get("label", "") for track in tracks)
    if len(found) > 1:
        kept = found.most_common(1)[0][0]
        text = f"{file}: skeletons of labels {sorted(found)}; keep one of them ({kept!r} is used)"
        bad(InputError(text))
    if not found and root.find("image/points") is None:
        return root.findtext("meta/*/labels/label/parent", "")
    return found.most_common(1)[0][0] if found else ""


def _names(root: ET.Element, label: str, pictures: list[NamedPicture]) -> list[str]:
    """Keypoints as the label is defined, else as they come."""
    labels = root.iterfind("meta/*/labels/label")
    declared = [e.findtext("name", "") for e in labels if label and e.findtext("parent") == label]
    seen = [name for p in pictures for person in p.people for name in person.points]
    if declared:
        return declared
    names = list(dict.fromkeys(seen))
    # Sub-labels may be called 1, 2, … 17.
    return sorted(names, key=int) if all(name.isdecimal() for name in names) else names


def _images(file: Path, root: ET.Element, label: str, bad: Bad) -> Iterator[NamedPicture]:
    for at, image in enumerate(root.iterfind("image")):
        with bad.record():
            where = f"{file}: image {image.get('id', at)} ({image.get('name', 'without a name')})"
            size = (_side(image, "height", where), _side(image, "width", where))
            people = list(_people(image, label, where, bad))
            yield NamedPicture(name=_attribute(image, "name", where), size=size, people=people)


def _people(image: ET.Element, label: str, where: str, bad: Bad) -> Iterator[NamedPerson]:
    boxes = {box.get("group_id", "0"): box for box in image.iterfind("box")}
    for n, shape in enumerate(image.iterfind("skeleton")):
        if shape.get("label", "") == label:
            with bad.record():
                here = f"{where}: skeleton {n}"
                box = boxes.get(shape.get("group_id", "0")) if shape.get("group_id") else None
                yield NamedPerson(points=_points(shape, here), box=_box(box, here))
    if not label:
        yield from _bare(image, boxes, where, bad)


def _bare(
    image: ET.Element, boxes: dict[str, ET.Element], where: str, bad: Bad
) -> Iterator[NamedPerson]:
    """People of ``<points>`` outside skeletons."""
    groups: dict[str, dict[str, tuple[float, float, int]]] = {}
    for n, shape in enumerate(image.iterfind("points")):
        here = f"{where}: points {n}"
        with bad.record():
            locations = _locations(shape, here)
            flag = 1 if shape.get("occluded") == "1" else 2
            group = shape.get("group_id", "0")
            if len(locations) > 1:
                named = {f"keypoint_{k}": (x, y, flag) for k, (x, y) in enumerate(locations)}
                yield NamedPerson(points=named, box=_box(boxes.get(group), here))
                continue
            name, person = _attribute(shape, "label", here), groups.setdefault(group, {})
            if name in person:
                raise InputError(f"{here}: a second {name!r}; give the points of a person a group")
            person[name] = (*locations[0], flag)
    for group, person in groups.items():
        yield NamedPerson(points=person, box=_box(boxes.get(group), where))


def _frames(
    file: Path, root: ET.Element, label: str, bad: Bad, folder: Path
) -> Iterator[NamedPicture]:
    """Frames of a video; a track is somebody, a shape in it that person in one frame."""
    people: dict[int, list[NamedPerson]] = {}
    for at, track in enumerate(root.iterfind("track")):
        if track.get("label", "") != label or not label:
            continue
        for n, shape in enumerate(track.iterfind("skeleton")):
            where = f"{file}: track {track.get('id', at)}: skeleton {n}"
            with bad.record():
                if shape.get("outside") != "1":
                    frame = _side(shape, "frame", where)
                    person = NamedPerson(
                        points=_points(shape, where), track=int(track.get("id", at))
                    )
                    people.setdefault(frame, []).append(person)
    if root.find("track") is None:
        return
    count = _meta(root, "size", file)
    size = (_meta(root, "original_size/height", file), _meta(root, "original_size/width", file))
    for frame in range(max(count, max(people, default=-1) + 1)):
        stem = f"frame_{frame:06}"
        files = (f"{stem}{ending}" for ending in _FRAME_ENDINGS)
        name = next((f for f in files if (folder / f).is_file()), f"{stem}.PNG")
        yield NamedPicture(name=name, size=size, people=people.get(frame, []))


def _meta(root: ET.Element, path: str, file: Path) -> int:
    """A number about the task; 0 when it is not there."""
    text = root.findtext(f"meta/*/{path}", "0")
    if not text.isdecimal():
        raise InputError(f"{file}: meta: {path} is {text!r}; expected a whole number")
    return int(text)


def _points(shape: ET.Element, where: str) -> dict[str, tuple[float, float, int]]:
    named: dict[str, tuple[float, float, int]] = {}
    for point in shape.iterfind("points"):
        name = _attribute(point, "label", where)
        if name in named:
            raise InputError(f"{where}: keypoint {name!r} twice; a skeleton has it once")
        if point.get("outside") != "1":
            (x, y), *more = _locations(point, f"{where}: {name}")
            if more:
                raise InputError(f"{where}: {name} has {1 + len(more)} locations; expected one")
            named[name] = (x, y, 1 if point.get("occluded") == "1" else 2)
    return named


def _locations(shape: ET.Element, where: str) -> list[tuple[float, float]]:
    text = _attribute(shape, "points", where)
    try:
        rows = [(float(x), float(y)) for x, y in (pair.split(",") for pair in text.split(";"))]
        if np.isfinite(rows).all():
            return rows
    except ValueError:
        pass
    raise InputError(f"{where}: points is {text[:60]!r}; expected 'x,y' or 'x,y;x,y;…'")


def _box(shape: ET.Element | None, where: str) -> tuple[float, float, float, float] | None:
    if shape is None:
        return None
    try:
        x0, y0, x1, y1 = (float(_attribute(shape, s, where)) for s in ("xtl", "ytl", "xbr", "ybr"))
    except ValueError as error:
        raise InputError(f"{where}: a side of its box is no number ({error})") from error
    return min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)


def _attribute(element: ET.Element, name: str, where: str) -> str:
    value = element.get(name)
    if value is None:
        raise InputError(f"{where}: <{element.tag}> has no {name!r}")
    return value


def _side(element: ET.Element, name: str, where: str) -> int:
    text = _attribute(element, name, where)
    if not re.fullmatch(r"\d+", text):
        raise InputError(f"{where}: {name} is {text!r}; expected a whole number")
    return int(text)


def write_cvat(table: Table, argument: str) -> None:
    """The labels as CVAT's XML 1.1 for images, at ``annotations.xml[@IMAGES]``.

    A person is a skeleton and a box of one group. File names stay relative to the table's folder.
    """
    table = table.only(~table.crowd)
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    _write_labels(ET.SubElement(ET.SubElement(root, "meta"), "task"), table.skeleton)
    group = 0
    for at, name in enumerate(table.names):
        sample = table[at]
        height, width = (str(side) for side in sample.size)
        image = ET.SubElement(root, "image", id=str(at), name=name, width=width, height=height)
        for n in range(len(sample)):
            group += 1
            _write_person(image, sample.skeleton, sample.xy[n], sample.visible[n], str(group))
            sides = zip(
                ("xtl", "ytl", "xbr", "ybr"), map(_text, sample.boxes[n].tolist()), strict=True
            )
            ET.SubElement(
                image, "box", dict(sides), label="person", occluded="0", group_id=str(group)
            )
    ET.indent(root)
    file = parse_where(argument).path
    ET.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)


def _write_labels(task: ET.Element, bones: Skeleton) -> None:
    labels = ET.SubElement(task, "labels")
    for name, kind, parent in [
        ("person", "skeleton", ""),
        *((k, "points", "person") for k in bones.keypoints),
    ]:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = name
        ET.SubElement(label, "type").text = kind
        if parent:
            ET.SubElement(label, "parent").text = parent


def _write_person(
    image: ET.Element, bones: Skeleton, xy: np.ndarray, visible: np.ndarray, group: str
) -> None:
    person = ET.SubElement(image, "skeleton", label="person", source="manual", group_id=group)
    for name, (x, y), flag in zip(bones.keypoints, xy.tolist(), visible, strict=True):
        outside = "1" if flag == 0 else "0"
        place = "0,0" if flag == 0 else f"{_text(x)},{_text(y)}"
        ET.SubElement(
            person, "points", label=name, outside=outside, occluded="1" if flag == 1 else "0",
            points=place,
        )  # fmt: skip


def _text(number: float) -> str:
    """Digits enough for every float32."""
    return f"{number:.9g}"
