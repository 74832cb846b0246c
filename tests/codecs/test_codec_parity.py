"""What the authors' programs compute, from the fixtures in ``tests/parity/data``.

The heat maps of ``fn-get_final_preds`` are those of every decode and flip fixture here, so the
other files do not repeat them (UDP's own decode saw them with 1e-6 as the least value). ``fn-udp``
is without the combined targets, ``fn-flip_back`` keeps the first of three.
Tolerances: targets 1e-6 of a peak of 1; decodes 2e-4 image pixels, in float32.
"""

from functools import cache

import numpy as np
import pytest

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton
from vitruvian.core.view import View

SIZE, CELLS = (256, 192), (64, 48)
COCO = skeleton("coco17")


@pytest.fixture(scope="session")
def load(parity_data):
    return cache(lambda name: dict(np.load(parity_data / f"{name}.npz")))


@pytest.fixture
def maps(load):
    return load("fn-get_final_preds")["heatmaps"]


def encoded(codec, joints, visible, size=SIZE):
    xy, visible = joints[:, :2].astype(np.float32), visible[:, 0].astype(np.uint8)
    return codec.encode(xy, visible, size)["heatmap"]


def predictions(codec, maps, data, view):
    """Image xy of each picture, B K 2, through ``view`` (centre, box (w, h)) -> View."""
    decoded = codec.decode({"heatmap": maps}, SIZE)
    boxes = (data["scale"].astype(float) * 200).tolist()
    views = [view(c.astype(float), b) for c, b in zip(data["center"], boxes, strict=True)]
    return np.stack([v.to_image(xy) for v, xy in zip(views, decoded.xy, strict=True)])


def legacy(centre, box):
    return View.around(centre, (box[1], box[0]), SIZE, align="legacy")


def udp(centre, box):
    return View.around(centre, (box[1], box[0]), SIZE, align="udp")


def dark_pose(centre, box):
    """DarkPose measures boxes and maps from first to last pixel, and scales by the width."""
    cell = (box[0] - 1) / (CELLS[1] - 1)
    return View.around(centre, (cell * (CELLS[0] - 1), cell * (CELLS[1] - 1)), SIZE, align="udp")


def assert_equal_where_found(ours, theirs, maps, lost):
    """Equal but where no cell is positive: there the authors answer cell ``lost``, we NaN."""
    found = maps.max(axis=(2, 3)) > 0

    assert (~found).sum() == 2
    assert np.isnan(ours[~found]).all()
    assert theirs[~found] == pytest.approx(np.broadcast_to(lost, (2, 2)), abs=1e-3)
    assert np.abs(ours - theirs)[found].max() <= 2e-4


@pytest.mark.parametrize("case", ["a", "b", "c"])
def test_quantised_targets_equal_hrnets_generate_target(load, case):
    data = {k[2:]: v for k, v in load("fn-generate_target").items() if k.startswith(case)}
    size = (int(data["image_size"][1]), int(data["image_size"][0]))
    codec = Heatmap(skeleton=COCO, sigma=float(data["sigma"]), align="legacy", encoding="quantised")

    target = encoded(codec, data["joints"], data["vis"], size)

    assert np.abs(target.value - data["target"]).max() <= 1e-6
    assert np.array_equal(target.weight[:, :, 0], data["weight"])


def test_sub_pixel_targets_equal_dark(load):
    data = load("fn-dark-decode")
    joints = data["joints_heatmap_space"] * 4

    target = encoded(Heatmap(skeleton=COCO, align="legacy"), joints, data["vis"])

    assert np.abs(target.value - data["target"]).max() <= 1e-6
    assert np.array_equal(target.weight[:, :, 0], data["target_weight"])


def test_windowed_targets_equal_udp(load):
    data = load("fn-udp")
    codec = Heatmap(skeleton=COCO, align="udp", encoding="windowed")

    target = encoded(codec, data["joints"], data["vis"])

    assert np.abs(target.value - data["target_gauss_sigma2"]).max() <= 1e-6
    assert np.array_equal(target.weight[:, :, 0], data["weight1"])


@pytest.mark.parametrize("decoding, key", [("quarter", "preds"), ("argmax", "preds_nopost")])
def test_decodes_equal_hrnets_get_final_preds(load, maps, decoding, key):
    data = load("fn-get_final_preds")
    codec = Heatmap(skeleton=COCO, align="legacy", decoding=decoding)

    ours = predictions(codec, maps, data, legacy)

    corner = data["center"][0] - data["scale"][0] * 100
    assert_equal_where_found(ours, data[key], maps, lost=corner)
    scores = codec.decode({"heatmap": maps}, SIZE).scores
    assert np.array_equal(scores, data["maxvals"][:, :, 0].clip(0, 1))


@pytest.mark.parametrize("blur", [11, 17])
def test_decodes_equal_dark(load, maps, blur):
    data = load("fn-dark-decode")
    codec = Heatmap(skeleton=COCO, align="udp", decoding="dark", blur_kernel=blur)

    ours = predictions(codec, maps, data, dark_pose)

    corner = dark_pose(
        data["center"][0].astype(float), (data["scale"][0] * 200.0).tolist()
    ).to_image(np.zeros(2))
    assert_equal_where_found(ours, data[f"dark_preds_k{blur}"], maps, lost=corner)


@pytest.mark.parametrize(
    "decoding, key", [("dark", "mmpose_unbiased_k11"), ("quarter", "mmpose_default")]
)
def test_decodes_equal_mmpose(load, maps, decoding, key):
    data = load("fn-udp")
    codec = Heatmap(skeleton=COCO, align="legacy", decoding=decoding)

    ours = predictions(codec, maps, data, legacy)

    cell_before_first = np.full(2, -4.0)
    lost = legacy(data["center"][0], (data["scale"][0] * 200).tolist()).to_image(cell_before_first)
    assert_equal_where_found(ours, data[key], maps, lost=lost)


@pytest.mark.parametrize("blur", [3, 11])
def test_decodes_equal_udp(load, maps, blur):
    data = load("fn-udp")
    codec = Heatmap(skeleton=COCO, align="udp", decoding="udp", blur_kernel=blur)

    ours = predictions(codec, np.maximum(maps, np.float32(1e-6)), data, udp)

    assert np.abs(ours - data[f"udp_gauss_k{blur}"]).max() <= 2e-4


@pytest.mark.parametrize("shift, key", [(False, "flipped"), (True, "flipped_shifted")])
def test_flips_equal_hrnets_flip_back(load, maps, shift, key):
    flipped = Heatmap(skeleton=COCO).flip({"heatmap": maps[:1]}, shift=shift)

    assert np.array_equal(flipped["heatmap"], load("fn-flip_back")[key])
