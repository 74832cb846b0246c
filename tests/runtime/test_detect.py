import numpy as np
import pytest

from tests.painted import detector_model, paint
from vitruvian.core.errors import ConfigError
from vitruvian.core.types import Boxes
from vitruvian.runtime.detect import Detector
from vitruvian.runtime.model import load_model
from vitruvian.systems.pipelines import BoxRule

MODEL = load_model(detector_model(), "detector.onnx", threads=1)
TWO = ((20.0, 60.0, 120.0, 260.0), (180.0, 50.0, 280.0, 250.0))


def test_people_are_found_in_image_pixels():
    (found,) = Detector(model=MODEL)([paint((320, 320), *TWO)])
    order = found.xyxy[:, 0].argsort()
    np.testing.assert_allclose(found.xyxy[order], TWO, atol=10)
    assert (found.scores > 0.5).all()


def test_pictures_of_different_sizes_share_a_call_and_keep_their_boxes():
    wide = paint((480, 640), (100, 40, 300, 440))
    found = Detector(model=MODEL)([paint((320, 320), *TWO), paint((64, 64)), wide])
    assert [len(boxes) for boxes in found] == [2, 0, 1]
    centre = (found[2].xyxy[0, :2] + found[2].xyxy[0, 2:]) / 2
    np.testing.assert_allclose(centre, (200, 240), atol=17)


def test_small_batches_give_the_same_boxes():
    images = [paint((320, 320), *TWO[: i % 3]) for i in range(5)]
    together, apart = Detector(model=MODEL)(images), Detector(model=MODEL, batch=2)(images)
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.xyxy, b.xyxy, atol=1e-3)


def test_boxes_stay_inside_the_picture():
    (found,) = Detector(model=MODEL)([paint((320, 320), (-45, 150, 55, 350))])
    assert len(found) == 1
    assert found.xyxy[0, 0] == -0.5
    assert found.xyxy[0, 3] == 319.5


def test_nobody_is_nobody():
    (found,) = Detector(model=MODEL)([paint((200, 320))])
    assert found.xyxy.shape == (0, 4)
    assert Detector(model=MODEL)([]) == []


@pytest.mark.parametrize(("conf", "count"), [(0.01, 2), (0.9999, 0)])
def test_the_threshold_can_be_moved_both_ways(conf, count):
    image = paint((320, 320), *TWO)
    found = Detector(model=MODEL, rule=BoxRule(threshold=conf))([image])[0]
    assert len(found) >= count
    if not count:
        assert len(found) == 0


def test_the_best_people_stay_when_only_some_may():
    image = paint((320, 320), *TWO)
    (both,) = Detector(model=MODEL)([image])
    (one,) = Detector(model=MODEL, rule=BoxRule(most=1))([image])
    np.testing.assert_array_equal(one.xyxy, both.xyxy[:1])


def test_boxes_that_are_too_small_are_nobody():
    image = paint((320, 320), *TWO)
    (all_,) = Detector(model=MODEL, rule=BoxRule(least=50.0))([image])
    (none,) = Detector(model=MODEL, rule=BoxRule(least=150.0))([image])
    assert (len(all_), len(none)) == (2, 0)


CLOSE = ((20.0, 60.0, 120.0, 260.0), (60.0, 60.0, 160.0, 260.0))
"""Two people whose boxes overlap by 0.43."""


def _ruled(**rule) -> Detector:
    return Detector(model=MODEL, rule=BoxRule(**rule))


def test_a_rule_moves_the_suppression_of_the_codec():
    image = paint((320, 320), *CLOSE)
    assert [len(_ruled(nms=nms)([image])[0]) for nms in (1.0, 0.2)] == [2, 1]


def test_soft_suppression_lowers_the_scores_of_duplicates_and_drops_who_is_nobody_then():
    image = paint((320, 320), *CLOSE)
    (hard,), (soft,) = _ruled(nms=1.0)([image]), _ruled(soft=True)([image])
    np.testing.assert_array_equal(soft.xyxy, hard.xyxy)
    assert soft.scores[0] == hard.scores[0]
    assert 0.3 * hard.scores[1] < soft.scores[1] < 0.9 * hard.scores[1]
    (strict,) = _ruled(soft=True, threshold=float(soft.scores[1]) + 0.01)([image])
    assert len(strict) == 1


def test_the_best_box_stays_and_its_duplicates_go():
    boxes = _ruled(nms=0.3)._best(
        Boxes(
            xyxy=np.array([[0, 0, 10, 10], [1, 0, 11, 10], [30, 0, 40, 10]], np.float32),
            scores=np.array([0.5, 0.9, 0.4], np.float32),
        )
    )
    np.testing.assert_array_equal(boxes.scores, np.array([0.9, 0.4], np.float32))


@pytest.mark.parametrize(
    "wrong", [{"nms": 1.5}, {"threshold": -0.1}, {"least": -1.0}, {"most": -1}]
)
def test_a_rule_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(ConfigError, match="thresholds lie in"):
        BoxRule(**wrong)
