"""Heatmaps and tags of HigherHRNet: targets, losses, and people from fields."""

import re
from pathlib import Path

import numpy as np
import torch

from tests.parity.kinds import Check, Row
from vitruvian.codecs.tags import Tags
from vitruvian.core.skeleton import skeleton
from vitruvian.core.types import Fields
from vitruvian.systems.higher_hrnet import ORDER
from vitruvian.train.losses import associative, joints_mse

BONES = skeleton("coco17")
AUTHORS = Tags(skeleton=BONES, fine_stride=2, align="legacy", order=ORDER, faithful=True)


def fields(heat_and_tags: np.ndarray, fine: np.ndarray) -> dict[str, np.ndarray]:
    """Fields of a batch of one from the authors' two outputs."""
    coarse, count = heat_and_tags.astype(np.float32)[None], len(fine)
    return {
        "heatmap": coarse[:, :count],
        "tag": coarse[:, count:],
        "heatmap_fine": fine.astype(np.float32)[None],
    }


def with_flipped(plain: Fields, mirrored: Fields) -> dict[str, np.ndarray]:
    """Both views as the runtime hands them to ``decode``."""
    back = AUTHORS.flip(mirrored)
    return {**plain, **back} | {n: (plain[n] + back[n]) / 2 for n in plain.keys() & back.keys()}


def scenes(path: Path) -> dict[str, tuple[dict[str, np.ndarray], dict[str, np.ndarray]]]:
    """Fields, and what the authors answered, of every scene of a file."""
    with np.load(path) as file:
        found = {}
        for name in file.files:
            scene = re.fullmatch(r"out128_(\d+)", name)
            if scene:
                i = scene[1]
                given = fields(file[name], file[f"out256_{i}"])
                wanted = ("grouped", "grouped_norefine", "scores")
                found[i] = (given, {w: file[f"{w}_{i}"] for w in wanted if f"{w}_{i}" in file})
        if "flip_out128" in file:
            plain = fields(file["flip_out128"], file["flip_out256"])
            mirrored = fields(file["flip_out128_f"], file["flip_out256_f"])
            wanted = ("grouped", "grouped_norefine", "scores")
            found["flip"] = (
                with_flipped(plain, mirrored),
                {w: file[f"flip_{w}"] for w in wanted},
            )
    return found


def _decoded(path: Path) -> Row:
    ours = authors = 0
    worst: list[float] = []
    for given, wanted in scenes(path).values():
        theirs, scores = wanted["grouped"], wanted["scores"]
        size = tuple(2 * n for n in given["heatmap_fine"].shape[2:])
        (people,) = AUTHORS.decode(given, size)
        ours, authors = ours + len(people.xy), authors + len(theirs)
        if len(people.xy) != len(theirs):
            continue
        order = np.argsort(-scores, kind="stable")
        there = theirs[order][..., 2] > 0
        gap = np.where(there[..., None], people.xy - theirs[order][..., :2], 0)
        missed = (np.isfinite(people.xy).all(-1) != there).any()
        worst.append(np.inf if missed else float(np.abs(gap).max()) / 100)
        worst.append(float(np.abs(people.score - scores[order]).max()))
    return Row(name=path.stem, ours=ours, authors=authors, differences=tuple(worst))


def _encoded(path: Path) -> Row:
    compared, worst = 0, []
    with np.load(path) as file:
        for i in range(len(file["people"])):
            gt = file[f"gt_{i}"]
            for codec, names in _encoders(file, i):
                visible = (gt[..., 2] > 0).astype(np.uint8) * 2
                xy = np.where(visible[..., None] > 0, gt[..., :2], np.nan).astype(np.float32)
                targets = codec.encode(
                    xy,
                    visible,
                    (512, 512),
                    boxes=_boxes(file[f"scaleaware_joints_{i}"]),
                    trust=np.ones((512, 512), np.float32),
                )
                for field, name in names.items():
                    theirs = file[f"{name}_{i}"]
                    compared += theirs.size
                    worst.append(float(np.abs(targets[field].value - theirs).max()))
            worst.append(_lists_differ(targets["tag"].value, file[f"joints128_{i}"]))
    return Row(name=path.stem, ours=compared, authors=compared, differences=tuple(worst))


def _encoders(file: np.lib.npyio.NpzFile, i: int) -> list[tuple[Tags, dict[str, str]]]:
    plain = {"heatmap": "heat128", "heatmap_fine": "heat256"}
    aware = Tags(skeleton=BONES, fine_stride=2, align="legacy", sigma=1.0, reference=100.0)
    return [(aware, {"heatmap_fine": "scaleaware256"}), (AUTHORS, plain)]


def _boxes(joints: np.ndarray) -> np.ndarray:
    """Boxes of people whose side is 100 x their sigma."""
    side = 100 * joints[:, 0, 3]
    return np.stack([0 * side, 0 * side, side, side / 2], axis=1).astype(np.float32)


def _lists_differ(owners: np.ndarray, joints: np.ndarray) -> float:
    """0 if the people's cells are those of the authors' lists N K (flat index, there), else 1."""
    flat = owners.reshape(-1).astype(np.int64)
    ours = {
        (int(number) - 1, int(cell))
        for cell in np.flatnonzero(flat)
        for number in (flat[cell] % 128, flat[cell] // 128 % 128, flat[cell] // 128**2)
        if number
    }
    people = range(len(joints))
    theirs = {(p, int(at)) for p in people for at, there in joints[p] if there}
    return float(ours != theirs)


def _losses(path: Path) -> Row:
    file = torch.load(path, weights_only=True)
    heat, worst = file["heatmap"], []
    for pred, gt, mask, loss in zip(
        *(heat[k] for k in ("pred", "gt", "mask", "loss")), strict=True
    ):
        ours = 2 * joints_mse(pred[None], gt[None], mask[None, None].float())
        worst.append(float((ours - loss).abs() / loss))
    tags, joints = file["tags"], file["joints"]
    count, side = joints.shape[2], round((tags.shape[1] / joints.shape[2]) ** 0.5)
    for i, people in enumerate(joints):
        owners = torch.zeros(count * side * side)
        for person, row in enumerate(people):
            for at, there in row.tolist():
                if there:
                    owners[at] = owners[at] * 128 + person + 1
        shape = (1, count, side, side)
        ours = associative(tags[i].reshape(shape), owners.reshape(shape), torch.ones(1, 1, 1, 1))
        loss = float(file["ae_exp"]["push"][i]) + float(file["ae_exp"]["pull"][i])
        worst.append(abs(float(ours) - loss) / max(loss, 1e-12) if loss else float(ours))
    return Row(name=path.stem, ours=len(worst), authors=len(worst), differences=tuple(worst))


CHECKS: dict[str, Check] = {
    r"decode-higherhrnet": _decoded,
    r"fn-encoder-higherhrnet": _encoded,
    r"fn-higherhrnet-ae-loss": _losses,
}
