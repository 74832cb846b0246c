"""Crops: the affine maps, the warped pictures, and the choice of half a body."""

import json
from pathlib import Path

import cv2
import numpy as np

from tests.parity.families.rmpe import Theirs
from tests.parity.kinds import PIXELS, Check, Pair, Row, compared
from vitruvian.core.view import View
from vitruvian.image.augment import half_body_box


def _view(centre, scale, rotation, size, align="legacy") -> View:
    """A crop whose scale is in units of 200 pixels, (w, h)."""
    extent = (200 * float(scale[1]), 200 * float(scale[0]))
    centre = np.asarray(centre, np.float64)
    return View.around(centre, extent, size, rotation=float(rotation), align=align)


def _affine(path: Path) -> Row:
    """HRNet's ``get_affine_transform``, which looks at the width alone."""
    pairs = []
    for case in json.loads(path.read_text(encoding="utf-8"))["cases"]:
        width, height = case["output_size"]
        scale = (case["scale"][0], case["scale"][0] * height / width)
        centre = np.array(case["center"]) + 200 * np.array(case["scale"]) * case["shift"]
        view = _view(centre, scale, case["rot"], (height, width))
        points, mapped = np.array(case["points"]), np.array(case["mapped"])
        pairs += [
            Pair(ours=view.matrix, theirs=np.array(case["fwd"])),
            Pair(ours=view.inverse(), theirs=np.array(case["inv"])),
            Pair(ours=view.to_view(points), theirs=mapped, scale=PIXELS),
        ]
    return compared(path, pairs)


def _crop(path: Path) -> Row:
    with np.load(path, allow_pickle=False) as file:
        data = dict(file)
    size = (int(data["output_size"][1]), int(data["output_size"][0]))
    views = [_view(data["center"], data["scale"], turn, size) for turn in data["rots"]]
    return compared(path, [warped(views, data["img"], data["out"])])


def warped(views: list[View], image: np.ndarray, theirs: np.ndarray) -> Pair:
    """Pictures, a grey level of 255 as the scale; what differs by rounding to one level is equal.

    A matrix that differs in its last bits may round a grey level the other way.
    """
    ours = [
        cv2.warpAffine(image, view.matrix, view.size[::-1], flags=cv2.INTER_LINEAR)
        for view in views
    ]
    gap = np.stack(ours).astype(float) - theirs
    return Pair(ours=np.where(np.abs(gap) <= 1, 0, gap), theirs=np.zeros(theirs.shape), scale=255)


def _half_body(path: Path) -> Row:
    """Centre and scale of the crop, the authors' normal numbers drawn."""
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    halves = np.arange(11), np.arange(11, 17)
    pairs = []
    for case in cases:
        xy = np.array(case["joints"], np.float32)[:, :2]
        visible = (np.array(case["vis"])[:, 0] > 0).astype(np.uint8)
        whole = np.array([0, 0, 1, 1], np.float32)
        box = half_body_box(whole, xy, visible, halves, Theirs(case["seed"]))
        if case["center"] is None:
            pairs.append(Pair(ours=box, theirs=whole))
            continue
        size = (1000, round(1000 * case["scale"][0] / case["scale"][1]))
        view = View.crop(box.astype(float), size, padding=1.25, align="legacy")
        centre = view.to_image(np.array(size[::-1]) / 2)
        scale = np.array(size[::-1]) / view.scale / 200
        pairs.append(Pair(ours=centre, theirs=np.array(case["center"]), scale=PIXELS))
        pairs.append(Pair(ours=scale, theirs=np.array(case["scale"])))
    return compared(path, pairs)


CHECKS: dict[str, Check] = {
    r"fn-get_affine_transform": _affine,
    r"fn-affine-crop": _crop,
    r"fn-half_body_transform": _half_body,
}
"""Start of a fixture's file name -> what runs it."""
