"""PersonLab: the decoder of KerasPersonLab."""

import json
from pathlib import Path

import numpy as np

from tests.parity.kinds import Row
from vitruvian.codecs.offsets import Offsets
from vitruvian.core.skeleton import skeleton


def _decoder(path: Path) -> Row:
    """Every pixel votes; people in any order, keypoints in pixels / 100, heights as they are."""
    ours = authors = 0
    differences = []
    with np.load(path) as file:
        meta = json.loads(str(file["meta"]))
        names = [_name(short) for short in meta["keypoints"]]
        codec = Offsets(
            skeleton=skeleton("coco17"),
            stride=meta["stride"],
            radius=float(meta["kp_radius"]),
            peak=meta["peak_thresh"],
            step=1,
            floor=-1.0,
            activated=True,
        )
        order = [names.index(name) for name in codec.skeleton.keypoints]
        forward = [tuple(edge) for edge in meta["edges"]]
        edges = forward + [(b, a) for a, b in forward]
        ways = [edges.index((order[a], order[b])) for a, b in codec.edges.tolist()]
        for scene in range(int(file["n_scenes"])):
            fields = {
                field.name: _channels(file[f"{theirs}_{scene}"], rows)
                for field, theirs, rows in zip(
                    codec.fields, ("kp", "short", "mid"), (order, order, ways), strict=True
                )
            }
            (found,) = codec.decode(fields, (meta["canvas"], meta["canvas"]))
            wanted = file[f"skeletons_{scene}"][:, order]
            ours, authors = ours + len(found.xy), authors + len(wanted)
            if len(found.xy) == len(wanted):
                mine = np.dstack([np.nan_to_num(found.xy), found.scores])
                gap = (np.abs(mine[:, None] - wanted[None]) / [100, 100, 1]).max(axis=(2, 3))
                differences.append(max(gap.min(axis=0).max(), gap.min(axis=1).max()))
    return Row(name=path.stem, ours=ours, authors=authors, differences=tuple(differences))


def _name(short: str) -> str:
    side = {"R": "right_", "L": "left_"}.get(short[0])
    return side + short[1:] if side else short


def _channels(maps: np.ndarray, order: list[int]) -> np.ndarray:
    """h w C to 1 C h w, in our order of keypoints or edges."""
    h, w, _ = maps.shape
    parts = maps.astype(np.float32).transpose(2, 0, 1).reshape(len(order), -1, h, w)
    return parts[order].reshape(1, -1, h, w)


CHECKS = {r"decode-personlab": _decoder}
