"""BlurredHeatmap: against the authors' programs, and answers known by hand."""

import numpy as np
import pytest

from vitruvian.codecs.blurred_heatmap import BlurredHeatmap
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.core.view import View

SIZE = (256, 192)
COCO = skeleton("coco17")
ONE = Skeleton(name="one", keypoints=("only",))
LEVELS = (15, 11, 9, 7, 5)


@pytest.fixture
def load(parity_data):
    return lambda name: dict(np.load(parity_data / f"{name}.npz"))


def encoded(codec, xy, visible, size=SIZE):
    return codec.encode(np.asarray(xy, np.float32), np.asarray(visible, np.uint8), size)


@pytest.mark.parametrize("steps, kernel", list(enumerate(reversed(LEVELS))))
def test_targets_equal_megviis_generate_heatmap(load, steps, kernel):
    data = load("fn-mspn-generate_heatmap")
    codec = BlurredHeatmap(skeleton=COCO, kernels=LEVELS, fine=(steps,))

    target = encoded(codec, data["joints"], data["valid"][:, 0])[f"fine_{steps}"]

    assert np.abs(target.value - data[f"k{kernel}"]).max() <= 1e-6 * 255
    assert np.array_equal(target.weight[:, 0], data["valid"] > 0)


@pytest.mark.parametrize("name", ["64_k15", "64_k11", "64_k9", "64_k7"])
def test_targets_equal_cpns_generate_heatmap(load, name):
    data = load("fn-cpn-generate_heatmap")
    codec = BlurredHeatmap(skeleton=ONE, kernels=(int(name[4:]),))

    target = encoded(codec, [data[f"{name}_pt"] * 4], [2])["heatmap"]

    assert np.abs(target.value[0] - data[name]).max() <= 1e-6 * 255


@pytest.mark.parametrize("name", ["96_k23", "96_k17", "96_k13", "96_k9"])
def test_targets_of_large_views_equal_cpns_generate_heatmap(load, name):
    data = load("fn-cpn-generate_heatmap")
    codec = BlurredHeatmap(skeleton=ONE, kernels=(int(name[4:]),))

    target = encoded(codec, [data[f"{name}_pt"] * 4], [2], (384, 288))["heatmap"]

    assert np.abs(target.value[0] - data[name]).max() <= 1e-6 * 255


def authors_frame(centre, extent):
    return View.around(np.asarray(centre, float), extent, SIZE, align="legacy")


@pytest.mark.parametrize("kernel", [5, 9, 11])
def test_decodes_equal_megviis_get_results(load, kernel):
    data = load("fn-mspn-get_results")
    codec = BlurredHeatmap(skeleton=COCO, blur_kernel=kernel)

    decoded = codec.decode({"heatmap": data["heatmaps"]}, SIZE)

    boxes = data["scales"][:, ::-1] * 200
    views = [authors_frame(c, tuple(b)) for c, b in zip(data["centers"], boxes, strict=True)]
    ours = np.stack([v.to_image(xy) for v, xy in zip(views, decoded.xy, strict=True)])
    assert np.abs(ours - data[f"preds_k{kernel}"]).max() <= 2e-4
    scores = (data[f"maxvals_k{kernel}"][:, :, 0] - 0.5).clip(0, 1)
    assert np.abs(decoded.scores - scores).max() <= 1e-6


def test_decodes_equal_cpns(load):
    data = load("fn-cpn-decode")

    decoded = BlurredHeatmap(skeleton=COCO).decode({"heatmap": data["heatmaps"]}, SIZE)

    boxes = data["crop_boxes_xyxy"]
    centres, sides = (boxes[:, 2:] + boxes[:, :2]) / 2, (boxes[:, 2:] - boxes[:, :2])[:, ::-1]
    views = [authors_frame(c, tuple(s)) for c, s in zip(centres, sides, strict=True)]
    ours = np.stack([v.to_image(xy) for v, xy in zip(views, decoded.xy, strict=True)])
    assert np.abs(ours - data["keypoints"][:, :, :2]).max() <= 2e-4
    assert np.abs(decoded.scores - (data["scores"] - 0.5).clip(0, 1)).max() <= 1e-6


def test_a_hidden_keypoint_is_asked_for_by_fine_targets_alone():
    codec = BlurredHeatmap(skeleton=ONE, kernels=(9, 5), coarse=(1, 0), fine=(1,))

    targets = encoded(codec, [[10, 10]], [1], (64, 64))

    assert list(targets) == ["heatmap", "coarse_1", "coarse_0", "fine_1"]
    assert {name: t.value.max() for name, t in targets.items()} == {
        "heatmap": 255,
        "coarse_1": 0,
        "coarse_0": 0,
        "fine_1": 255,
    }
    assert all(t.weight.item() == 1 for t in targets.values())


@pytest.mark.parametrize(
    "xy, visible", [([64.0, 3], 2), ([3, -0.1], 2), ([3, 3], 0), ([np.nan] * 2, 2)]
)
def test_a_keypoint_outside_the_view_or_not_labelled_has_no_target(xy, visible):
    codec = BlurredHeatmap(skeleton=ONE, kernels=(5,), coarse=(0,))

    targets = encoded(codec, [xy], [visible], (64, 64))

    assert targets["heatmap"].weight.item() == 0
    assert not targets["heatmap"].value.any()
    assert not targets["coarse_0"].value.any()
    assert targets["coarse_0"].weight.item() == 1


def test_a_map_without_a_positive_cell_gives_no_keypoint():
    decoded = BlurredHeatmap(skeleton=ONE).decode(
        {"heatmap": np.zeros((1, 1, 8, 8), "f4")}, (32, 32)
    )

    assert np.isnan(decoded.xy).all()
    assert decoded.scores.item() == 0


@pytest.mark.parametrize(
    "settings", [{"kernels": (4,)}, {"blur_kernel": 2}, {"kernels": ()}, {"coarse": (4,)}]
)
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match=r"odd|0 to 3"):
        BlurredHeatmap(skeleton=ONE, **settings)
