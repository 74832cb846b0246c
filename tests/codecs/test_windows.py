import numpy as np
import pytest

from vitruvian.codecs.windows import Windows
from vitruvian.core.errors import ConfigError
from vitruvian.core.skeleton import Skeleton

PAIR = Skeleton(name="pair", keypoints=("left", "right"), swaps=(("left", "right"),))
SIZE = (32, 48)


def test_windows_near_the_keypoint_show_it_and_weigh_as_much_as_all_others():
    codec = Windows(skeleton=PAIR)
    xy = np.array([[17.5, 9.5], [200.0, 5.0]], np.float32)
    target = codec.encode(xy, np.array([2, 2], np.uint8), SIZE)["heatmap"]
    assert np.argwhere(target.value[0]).tolist() == [[2, 4]]
    weight = target.weight[0]
    assert weight[2, 4] == pytest.approx(1)
    assert weight[2, 5] == 0  # 4 pixels away: neither
    assert weight.sum() == pytest.approx(2)
    assert target.value[1].max() == 0
    assert target.weight[1].sum() == pytest.approx(1)


def test_the_best_window_is_the_answer_and_its_probability_the_score():
    logits = np.full((1, 2, 8, 12), -9.0, np.float32)
    logits[0, 0, 3, 5], logits[0, 1, 7, 0] = np.log(3.0), -2.0
    found = Windows(skeleton=PAIR).decode({"heatmap": logits}, SIZE)
    np.testing.assert_allclose(found.xy[0], [[21.5, 13.5], [1.5, 29.5]])
    np.testing.assert_allclose(found.scores[0], [0.75, 1 / (1 + np.exp(2))], rtol=1e-5)


def test_a_radius_that_leaves_keypoints_without_a_window_is_refused():
    with pytest.raises(ConfigError, match=r"at least 5\.66"):
        Windows(skeleton=PAIR, stride=8)
