"""Simcc: against MMPose's and the authors' programs, and answers known by hand."""

import numpy as np
import pytest

from vitruvian.codecs.simcc import Simcc
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton, skeleton

SIZE = (256, 192)
COCO = skeleton("coco17")
PAIR = Skeleton(name="pair", keypoints=("left", "right"), swaps=(("left", "right"),))


def test_a_flip_that_shifts_goes_one_bin_left():
    row = np.arange(12, dtype=np.float32).reshape(1, 2, 1, 6)
    given = {"simcc_x": row, "simcc_y": np.zeros((1, 2, 6, 1), np.float32)}

    flipped = Simcc(skeleton=PAIR).flip(given, shift=True)

    assert flipped["simcc_x"][0, :, 0].tolist() == [[10, 9, 8, 7, 6, 6], [4, 3, 2, 1, 0, 0]]


def test_half_a_pixel_is_one_bin():
    codec = Simcc(skeleton=PAIR)

    targets = codec.encode(
        np.array([[3.5, 8], [2, 2.2]], np.float32), np.full(2, 2, np.uint8), SIZE
    )

    assert targets["simcc_x"].value.argmax(axis=2).ravel().tolist() == [7, 4]
    assert targets["simcc_y"].value.argmax(axis=1).ravel().tolist() == [16, 4]


@pytest.mark.parametrize("settings", [{"split": 0.0}, {"sigma": (0.0, 1.0)}, {"epsilon": 1.0}])
def test_settings_that_mean_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match="above 0"):
        Simcc(skeleton=PAIR, **settings)
