"""BlurredHeatmap: against the authors' programs, and answers known by hand."""

import numpy as np
import pytest

from vitruvian.codecs.blurred_heatmap import BlurredHeatmap
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton, skeleton

SIZE = (256, 192)
COCO = skeleton("coco17")
ONE = Skeleton(name="one", keypoints=("only",))
LEVELS = (15, 11, 9, 7, 5)


def encoded(codec, xy, visible, size=SIZE):
    return codec.encode(np.asarray(xy, np.float32), np.asarray(visible, np.uint8), size)


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
