"""Targets, decodes and flips of one person's heat maps: HRNet, DARK, UDP, AlphaPose, EfficientPose.

Sizes, numbers of keypoints, sigmas and widths of the blur come from each file. Our two declared
differences are undone here: where no cell is positive the authors answer cell (0, 0), or another
that the check names, and we NaN; scores of ours are clipped to [0, 1].
"""

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.parity.families.views import warped
from tests.parity.kinds import PIXELS, Check, Pair, Row, compared, numbered
from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.types import Target
from vitruvian.core.view import View
from vitruvian.kernels.peaks import gaussian_taps, highest, quarter_step, smoothed

Frame = Callable[[np.ndarray, tuple[float, float], tuple[int, int]], View]
"""Centre (x, y), box (w, h) and size (H, W) of a crop -> its view."""


def _load(path: Path) -> dict[str, np.ndarray]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def legacy(centre: np.ndarray, box: tuple[float, float], size: tuple[int, int]) -> View:
    """HRNet's crop."""
    return View.around(centre, (box[1], box[0]), size, align="legacy")


def udp(centre: np.ndarray, box: tuple[float, float], size: tuple[int, int]) -> View:
    """UDP's crop."""
    return View.around(centre, (box[1], box[0]), size, align="udp")


def dark(centre: np.ndarray, box: tuple[float, float], size: tuple[int, int]) -> View:
    """DARK measures boxes and maps from first to last pixel, and scales by the width."""
    height, width = size[0] // 4, size[1] // 4
    cell = (box[0] - 1) / (width - 1)
    return View.around(centre, (cell * (height - 1), cell * (width - 1)), size, align="udp")


def _target(codec: Heatmap, joints: np.ndarray, visible: np.ndarray, size) -> Target:
    seen = (visible.reshape(len(joints), -1)[:, 0] > 0).astype(np.uint8)
    return codec.encode(joints[:, :2].astype(np.float32), seen, size)["heatmap"]


def _decoded(
    maps: np.ndarray,
    frame: Frame,
    data: dict[str, np.ndarray],
    *,
    lost: float = 0.0,
    **settings: object,
) -> np.ndarray:
    """Image xy B K 2; ``lost`` is the cell (both coordinates) of a map without a positive cell."""
    size = (4 * maps.shape[2], 4 * maps.shape[3])
    codec = Heatmap(skeleton=numbered(maps.shape[1]), **settings)
    xy = codec.decode({codec.name: maps}, size).xy
    views = [
        frame(centre.astype(float), tuple((200 * scale.astype(float)).tolist()), size)
        for centre, scale in zip(data["center"], data["scale"], strict=True)
    ]
    found = np.where(np.isnan(xy), 4 * lost, xy)
    return np.stack([view.to_image(each) for view, each in zip(views, found, strict=True)])


def _generate_target(path: Path) -> Row:
    data, pairs = _load(path), []
    for case in sorted(key.removesuffix("target") for key in data if key.endswith("target")):
        width, height = map(int, data[f"{case}image_size"])
        joints = data[f"{case}joints"]
        codec = Heatmap(
            skeleton=numbered(len(joints)),
            stride=width // int(data[f"{case}heatmap_size"][0]),
            sigma=float(data[f"{case}sigma"]),
            align="legacy",
            encoding="quantised",
        )
        ours = _target(codec, joints, data[f"{case}vis"], (height, width))
        pairs.append(Pair(ours=ours.value, theirs=data[f"{case}target"]))
        pairs.append(Pair(ours=ours.weight[:, :, 0], theirs=data[f"{case}weight"]))
    return compared(path, pairs)


def _final_preds(path: Path) -> Row:
    data = _load(path)
    maps = data["heatmaps"]
    batch, count, h, w = maps.shape
    cell, value = highest(maps.reshape(-1, h, w))
    cell = (cell * (value > 0)[:, None]).reshape(batch, count, 2)
    codec = Heatmap(skeleton=numbered(count), align="legacy", decoding="quarter")
    scores = codec.decode({"heatmap": maps}, (4 * h, 4 * w)).scores
    pairs = [
        Pair(ours=cell, theirs=data["argmax_preds"], scale=PIXELS),
        Pair(ours=scores[..., None], theirs=data["maxvals"].clip(0, 1)),
    ]
    for decoding, key in (("quarter", "preds"), ("argmax", "preds_nopost")):
        ours = _decoded(maps, legacy, data, align="legacy", decoding=decoding)
        pairs.append(Pair(ours=ours, theirs=data[key], scale=PIXELS))
    return compared(path, pairs)


def _dark(path: Path) -> Row:
    data = _load(path)
    maps, theirs = data["heatmaps"], data["target"]
    count, h, w = theirs.shape
    codec = Heatmap(skeleton=numbered(count), align="legacy", sigma=h / 32)
    target = _target(codec, data["joints_heatmap_space"] * 4, data["vis"], (4 * h, 4 * w))
    pairs = [
        Pair(ours=target.value, theirs=theirs),
        Pair(ours=target.weight[:, :, 0], theirs=data["target_weight"]),
    ]
    for key in (key for key in data if key.startswith("dark_preds_k")):
        kernel = int(key.rsplit("k", 1)[1])
        ours = _decoded(maps, dark, data, align="udp", decoding="dark", blur_kernel=kernel)
        pairs.append(Pair(ours=ours, theirs=data[key], scale=PIXELS))
    return compared(path, pairs)


def _udp(path: Path) -> Row:
    data = _load(path)
    pairs = [*_udp_views(data), *_udp_targets(data)]
    for key in (key for key in data if key.startswith("udp_gauss_k")):
        maps, kernel = np.maximum(data["heatmaps"], np.float32(1e-6)), int(key.split("_k")[1])
        ours = _decoded(maps, udp, data, align="udp", decoding="udp", blur_kernel=kernel)
        pairs.append(Pair(ours=ours, theirs=data[key], scale=PIXELS))
    return compared(
        path,
        pairs + _mmpose(path, data),
        note="without the combined maps, which no system here has",
    )


def _mmpose(path: Path, data: dict[str, np.ndarray]) -> list[Pair]:
    """MMPose's decodes: they saw the maps before UDP's floor of 1e-6 was put under them.

    Those are in HRNet's fixture of the same maps, if it lies beside; only the decode that takes
    logarithms needs them.
    """
    raw, floored = np.where(data["heatmaps"] <= 1e-6, np.float32(0), data["heatmaps"]), True
    beside = path.with_name("fn-get_final_preds.npz")
    if beside.is_file():
        maps = _load(beside)["heatmaps"][: len(raw)]
        if np.array_equal(np.maximum(maps, np.float32(1e-6)), data["heatmaps"]):
            raw, floored = maps, False
    given = {"heatmaps": raw, "center": data["center"], "scale": data["scale"]}
    pairs = []
    for key in (key for key in data if key.startswith("mmpose")):
        kernel = int((re.search(r"_k(\d+)", key) or [0, 0])[1])
        if key.startswith("mmpose_megvii"):
            ours = _megvii(given, kernel)
        elif key == "mmpose_default":
            ours = _as_mmpose(given, decoding="quarter")
        elif not floored:
            ours = _as_mmpose(given, decoding="dark", blur_kernel=kernel)
        else:
            continue
        pairs.append(Pair(ours=ours, theirs=data[key], scale=PIXELS))
    return pairs


def _as_mmpose(data: dict[str, np.ndarray], **settings: object) -> np.ndarray:
    return _decoded(data["heatmaps"], legacy, data, lost=-1.0, align="legacy", **settings)


def _udp_views(data: dict[str, np.ndarray]) -> list[Pair]:
    """Warp matrices and moved points; UDP turns the other way, its theta is our -rotation."""
    pairs = []
    rows = zip(data["warp_rows"], data["warp_joints_in"], data["warp_joints_out"], strict=True)
    for row, xy, mapped in rows:
        theta, size_input, size_dst, size_target = row[0], row[1:3], row[3:5], row[5:7]
        view = View.around(
            size_input / 2,
            (float(size_target[1]), float(size_target[0])),
            (round(size_dst[1]) + 1, round(size_dst[0]) + 1),
            rotation=-float(theta),
            align="udp",
        )
        pairs.append(Pair(ours=view.matrix, theirs=row[7:].reshape(2, 3)))
        pairs.append(Pair(ours=view.to_view(xy), theirs=mapped, scale=PIXELS))
    size = (int(data["crop_size"][1]), int(data["crop_size"][0]))
    box = tuple((200 * data["crop_scale"]).tolist())
    views = [
        View.around(data["crop_center"], box[::-1], size, rotation=-float(turn), align="udp")
        for turn in data["crop_rots"]
    ]
    return [*pairs, warped(views, data["crop_img"], data["crop_out"])]


def _udp_targets(data: dict[str, np.ndarray]) -> list[Pair]:
    pairs = []
    for key in (key for key in data if key.startswith("target_gauss_sigma")):
        count, h, w = data[key].shape
        sigma = float(key.removeprefix("target_gauss_sigma"))
        codec = Heatmap(skeleton=numbered(count), sigma=sigma, align="udp", encoding="windowed")
        ours = _target(codec, data["joints"], data["vis"], (4 * h, 4 * w))
        pairs.append(Pair(ours=ours.value, theirs=data[key]))
        pairs.append(Pair(ours=ours.weight[:, :, 0], theirs=data["weight1"]))
    return pairs


def _megvii(data: dict[str, np.ndarray], kernel: int) -> np.ndarray:
    """MMPose's version of Megvii's decode: the blurred map's quarter cell, and half a cell.

    Neither is added near the sides.
    """
    maps = data["heatmaps"]
    batch, count, h, w = maps.shape
    blurred = smoothed(maps.reshape(-1, h, w), gaussian_taps(kernel))
    cell, value = highest(blurred)
    inner = ((cell > 1) & (cell < (w - 1, h - 1))).all(axis=1, keepdims=True)
    place = np.where(value[:, None] > 0, cell + quarter_step(blurred, cell) + 0.5 * inner, -1.0)
    size = (4 * h, 4 * w)
    views = [
        legacy(c.astype(float), tuple((200 * s.astype(float)).tolist()), size)
        for c, s in zip(data["center"], data["scale"], strict=True)
    ]
    xy = 4 * place.reshape(batch, count, 2)
    return np.stack([view.to_image(each) for view, each in zip(views, xy, strict=True)])


def _flip_back(path: Path) -> Row:
    data = _load(path)
    pairs_of = tuple((int(a), int(b)) for a, b in data["pairs"])
    codec = Heatmap(skeleton=numbered(data["heatmaps"].shape[1], pairs_of))
    pairs = []
    for shift, key in ((False, "flipped"), (True, "flipped_shifted")):
        ours = codec.flip({"heatmap": data["heatmaps"]}, shift=shift)["heatmap"]
        pairs.append(Pair(ours=ours, theirs=data[key]))
    identity = View(matrix=np.eye(2, 3), size=(int(data["width"]), int(data["width"])))
    order = codec.skeleton.flip_index
    seen = data["vis"][order]
    xy = identity.mirrored().to_view(data["joints"][:, :2])[order] * seen[:, :2]
    pairs.append(Pair(ours=seen, theirs=data["flipped_vis"]))
    pairs.append(Pair(ours=xy, theirs=data["flipped_joints"][:, :2], scale=PIXELS))
    return compared(path, pairs)


def _alphapose(path: Path) -> Row:
    """One person's maps alone, and averaged with those of the mirrored view, given unmirrored."""
    data = _load(path)
    plain, box = data["heatmaps"][None], data["bbox"].astype(float)
    _, count, h, w = plain.shape
    codec = Heatmap(skeleton=numbered(count), align="legacy", decoding="quarter")
    width = float(box[2] - box[0])
    view = legacy((box[:2] + box[2:]) / 2, (width, width * h / w), (4 * h, 4 * w))
    pairs = []
    for maps, end in ((plain, ""), ((plain + data["heatmaps_flip"][None]) / 2, "_flip")):
        found = codec.decode({"heatmap": maps}, (4 * h, 4 * w))
        xy = view.to_image(np.nan_to_num(found.xy[0]))
        pairs.append(Pair(ours=xy, theirs=data[f"preds{end}"], scale=PIXELS))
        pairs.append(Pair(ours=found.scores[0][:, None], theirs=data[f"maxvals{end}"].clip(0, 1)))
    return compared(path, pairs)


def _efficientpose(path: Path) -> Row:
    """As shares of a picture that was centred in a square; "real time" is without the blur."""
    data, pairs = _load(path), []
    for case in json.loads(str(data["cases"])):
        quick = case["real_time"]
        maps = data["output"].transpose(2, 0, 1)[None] * np.float32(0.25 if quick else 1)
        cells = maps.shape[2]
        codec = Heatmap(
            skeleton=numbered(maps.shape[1]),
            stride=1,
            decoding="argmax",
            smooth=0.0 if quick else 1.0,
        )
        found = codec.decode({"heatmap": maps}, (cells, cells))
        place = (found.xy[0] + 0.5) / cells
        if quick:
            place[found.scores[0] < 0.3] = -1
        extent = np.array([case["frame_width"], case["frame_height"]])
        shares = extent / extent.max()
        place = (place - (1 - shares) / 2) / shares
        place = np.where(place < 0, -0.5 / cells, np.minimum(place, 1))
        pairs.append(Pair(ours=place, theirs=np.array(case["coords"])))
    return compared(path, pairs)


CHECKS: dict[str, Check] = {
    r"fn-generate_target": _generate_target,
    r"fn-get_(final|max)_preds": _final_preds,
    r"fn-dark": _dark,
    r"fn-udp": _udp,
    r"fn-flip_back": _flip_back,
    r"fn-alphapose-heatmap_to_coord_simple": _alphapose,
    r"fn-efficientpose-extract": _efficientpose,
}
"""Start of a fixture's file name -> what runs it."""
