from dataclasses import replace

import numpy as np
import pytest

from tests.painted import BONES, metadata, paint, person, pose_model
from vitruvian.core.types import Boxes, Keypoints
from vitruvian.kernels.parametric_nms import PoseNms
from vitruvian.runtime.backends import Network
from vitruvian.runtime.model import load_model
from vitruvian.runtime.topdown import TopDown, _averaged

MODEL = load_model(pose_model(), "pose.onnx", threads=1)
FIRST, SECOND = (100.0, 50.0, 220.0, 350.0), (300.0, 100.0, 400.0, 300.0)


def boxes(*rows, scores=None) -> Boxes:
    xyxy = np.array(rows, np.float32).reshape(-1, 4)
    given = np.ones(len(xyxy)) if scores is None else np.array(scores)
    return Boxes(xyxy=xyxy, scores=given.astype(np.float32))


def procedure(bones=BONES, **test) -> TopDown:
    return TopDown(model=replace(MODEL, metadata=metadata(bones, **test)))


MIRRORED = replace(BONES, swaps=())
"""A painted left hand keeps its colour in the mirror, so names must not be exchanged here."""


def test_keypoints_are_where_they_were_painted():
    image = paint((400, 500), FIRST, SECOND)
    (poses,) = TopDown(model=MODEL)([image], [boxes(FIRST, SECOND)], suppress=False)
    for found, box in zip(poses.xy, (FIRST, SECOND), strict=True):
        assert np.abs(found - person(box)).max() < 2
    assert (poses.scores > 0.5).all()
    np.testing.assert_array_equal(poses.boxes, np.array([FIRST, SECOND], np.float32))
    assert poses.size == (400, 500)
    assert poses.skeleton is MODEL.metadata.skeleton


def test_all_people_of_all_pictures_go_through_calls_of_the_batch_size():
    calls = []

    def counted(batch):
        calls.append(len(batch))
        return MODEL.backend(batch)

    images = [paint((400, 500), FIRST), paint((300, 300)), paint((400, 500), FIRST, SECOND)]
    given = [boxes(FIRST), boxes(), boxes(FIRST, SECOND)]
    model = replace(MODEL, backend=Network(name="counted", run=counted))
    calls.clear()
    together = TopDown(model=model)(images, given, suppress=False)
    assert calls == [3]
    calls.clear()
    apart = TopDown(model=model, batch=2)(images, given, suppress=False)
    assert calls == [2, 1]
    for a, b in zip(together, apart, strict=True):
        np.testing.assert_allclose(a.xy, b.xy, atol=1e-3)
    assert [len(p) for p in together] == [1, 0, 2]
    assert together[1].xy.shape == (0, 17, 2)


def test_the_flip_test_averages_views_and_is_chosen_by_metadata_or_caller():
    image = paint((400, 500), FIRST)
    (plain,) = procedure(MIRRORED)([image], [boxes(FIRST)])
    (flipped,) = replace(procedure(MIRRORED), flip=True)([image], [boxes(FIRST)])
    assert np.abs(flipped.xy - person(FIRST)).max() < 2
    assert np.abs(flipped.scores - plain.scores).max() > 0
    (asked,) = procedure(MIRRORED, flip=True)([image], [boxes(FIRST)])
    np.testing.assert_array_equal(asked.xy, flipped.xy)
    (refused,) = replace(procedure(MIRRORED, flip=True), flip=False)([image], [boxes(FIRST)])
    np.testing.assert_array_equal(refused.xy, plain.xy)


def test_the_flip_test_exchanges_left_and_right_by_name():
    image = paint((400, 500), FIRST)
    nose, left, right = (BONES.index(n) for n in ("nose", "left_wrist", "right_wrist"))
    (flipped,) = procedure(flip=True)([image], [boxes(FIRST)])
    (plain,) = procedure()([image], [boxes(FIRST)])
    np.testing.assert_allclose(flipped.scores[0, nose], plain.scores[0, nose], rtol=0.1)
    for wrist in (left, right):
        np.testing.assert_allclose(flipped.scores[0, wrist], plain.scores[0, wrist] / 2, rtol=0.1)


def test_shifted_flips_move_the_mirrored_maps():
    image = paint((400, 500), FIRST)
    (straight,) = procedure(MIRRORED, flip=True)([image], [boxes(FIRST)])
    (shifted,) = procedure(MIRRORED, flip=True, shift_flipped=True)([image], [boxes(FIRST)])
    moved = (shifted.xy - straight.xy)[0, :, 0].mean()
    cell = 4 * (FIRST[3] - FIRST[1]) * 1.25 / 256
    assert 0.2 * cell < moved < 0.8 * cell


def test_a_pose_scores_its_box_times_the_mean_of_its_sure_keypoints():
    image = paint((400, 500), FIRST)
    (poses,) = TopDown(model=MODEL)([image], [boxes(FIRST, scores=[0.5])])
    assert poses.score[0] == pytest.approx(0.5 * poses.scores[0].mean(), rel=1e-5)
    (half,) = procedure(keypoint_floor=0.87)([image], [boxes(FIRST, scores=[0.5])])
    sure = poses.scores[0][poses.scores[0] > 0.87]
    assert half.score[0] == pytest.approx(0.5 * sure.mean(), rel=1e-5)
    (none,) = procedure(keypoint_floor=1.0)([image], [boxes(FIRST, scores=[0.5])])
    assert none.score[0] == 0
    (kept,) = procedure(rescore=False)([image], [boxes(FIRST, scores=[0.5])])
    assert kept.score[0] == 0.5


def test_duplicates_go_and_the_best_come_first():
    image = paint((400, 500), FIRST, SECOND)
    near = tuple(v + 3 for v in FIRST)
    given = boxes(FIRST, near, SECOND, scores=[0.6, 0.5, 0.9])
    (poses,) = TopDown(model=MODEL)([image], [given])
    np.testing.assert_array_equal(poses.boxes, np.array([SECOND, FIRST], np.float32))
    assert (np.diff(poses.score) <= 0).all()
    (everyone,) = procedure(oks_nms=1.0)([image], [given])
    assert len(everyone) == 3
    (ordered,) = TopDown(model=MODEL)([image], [given], suppress=False)
    np.testing.assert_array_equal(ordered.boxes, given.xyxy)


def test_who_scores_too_low_is_nobody_unless_the_box_was_given():
    image = paint((400, 500), FIRST, SECOND)
    given = boxes(FIRST, SECOND, scores=[0.1, 0.9])
    (poses,) = procedure(min_score=0.2)([image], [given])
    np.testing.assert_array_equal(poses.boxes, np.array([SECOND], np.float32))
    (both,) = procedure(min_score=0.2)([image], [given], suppress=False)
    assert len(both) == 2
    (nobody,) = procedure(min_score=0.95)([image], [given])
    assert len(nobody) == 0


def test_a_skeleton_without_sigmas_keeps_duplicates():
    bones = replace(BONES, sigmas=())
    model = replace(MODEL, metadata=metadata(bones))
    image = paint((400, 500), FIRST)
    (poses,) = TopDown(model=model)([image], [boxes(FIRST, FIRST, scores=[0.3, 0.8])])
    np.testing.assert_allclose(poses.score[0] / poses.score[1], 0.8 / 0.3, rtol=1e-5)


def test_keypoints_below_the_threshold_were_not_found():
    image = paint((400, 500), FIRST)
    (poses,) = TopDown(model=MODEL, kpt_thr=0.87)([image], [boxes(FIRST)])
    low = poses.scores < 0.87
    assert low.any()
    assert not low.all()
    np.testing.assert_array_equal(np.isnan(poses.xy).all(-1), low)


def test_stages_are_timed():
    runner = TopDown(model=MODEL)
    runner([paint((400, 500), FIRST)], [boxes(FIRST)])
    assert set(runner.watch.seconds) == {"warp", "pose", "decode"}
    assert all(seconds > 0 for seconds in runner.watch.seconds.values())


def test_duplicates_can_lend_their_keypoints_to_the_best():
    image = paint((400, 500), FIRST, SECOND)
    near = (106.0, 44.0, 226.0, 344.0)
    given = boxes(near, SECOND, FIRST, scores=[0.5, 0.6, 0.9])
    pose_nms = PoseNms(floor=0.0)
    (poses,) = procedure(oks_nms=1.0, pose_nms=pose_nms)([image], [given])
    assert len(poses) == 2
    assert (np.diff(poses.score) <= 0).all()
    for found, box in zip(poses.xy[poses.xy[:, 0, 0].argsort()], (FIRST, SECOND), strict=True):
        assert np.abs(found - person(box)).max() < 2.5
    (all_three,) = procedure(oks_nms=1.0, pose_nms=pose_nms)([image], [given], suppress=False)
    assert len(all_three) == 3


def test_a_pose_can_score_by_its_keypoints_alone():
    image = paint((400, 500), FIRST)
    given = [boxes(FIRST, scores=[0.5])]
    (poses,) = procedure(rescoring="pose", keypoint_floor=-1.0)([image], given)
    assert poses.score[0] == pytest.approx(poses.scores[0].mean(), rel=1e-5)
    (offset,) = procedure(rescoring="pose", keypoint_floor=-1.0, score_offset=0.5)([image], given)
    assert offset.score[0] == pytest.approx(poses.scores[0].mean() + 0.5, rel=1e-5)


def test_a_pose_can_score_the_sum_of_box_mean_and_best():
    image = paint((400, 500), FIRST)
    (poses,) = procedure(rescoring="sum", keypoint_floor=-1.0)(
        [image], [boxes(FIRST, scores=[0.5])]
    )
    wanted = 0.5 + poses.scores[0].mean() + 1.25 * poses.scores[0].max()
    assert poses.score[0] == pytest.approx(wanted, rel=1e-5)


def test_soft_suppression_keeps_duplicates_with_lower_scores():
    image = paint((400, 500), FIRST, SECOND)
    near = tuple(v + 3 for v in FIRST)
    given = boxes(FIRST, near, SECOND, scores=[0.6, 0.5, 0.9])
    (hard,) = procedure()([image], [given])
    (soft,) = procedure(soft_oks=0.5)([image], [given])
    assert (len(hard), len(soft)) == (2, 3)
    np.testing.assert_allclose(soft.score[:2], hard.score, rtol=0.01)
    assert soft.score[2] < 0.3 * hard.score[1]


def test_several_crops_are_averaged():
    image = paint((400, 500), FIRST)
    (one,) = procedure()([image], [boxes(FIRST)])
    (other,) = procedure(scales=(1.0, 1.3))([image], [boxes(FIRST)])
    assert np.abs(other.xy - person(FIRST)).max() < 2
    assert not np.array_equal(one.xy, other.xy)
    (alone,) = procedure(scales=(1.0,))([image], [boxes(FIRST)])
    np.testing.assert_array_equal(one.xy, alone.xy)
    (nobody,) = procedure(scales=(1.0, 1.3))([image], [boxes()])
    assert len(nobody) == 0


def test_crops_weigh_as_their_scores_and_ignore_what_was_not_found():
    nan = np.nan
    xy = np.array([[[[0, 0], [4, 0], [nan, nan]]], [[[8, 0], [nan, nan], [nan, nan]]]], np.float32)
    scores = np.array([[[0.75, 0.5, 0]], [[0.25, 0, 0]]], np.float32)
    score = np.zeros(1, np.float32)
    both = [Keypoints(xy=a, scores=b, score=score) for a, b in zip(xy, scores, strict=True)]
    mean = _averaged(both)
    np.testing.assert_array_equal(mean.xy, np.array([[[2, 0], [4, 0], [nan, nan]]], np.float32))
    np.testing.assert_allclose(mean.scores, [[0.5, 0.25, 0]])


def test_many_boxes_never_make_a_larger_batch():
    calls = []

    def counted(batch):
        calls.append(len(batch))
        return MODEL.backend(batch)

    model = replace(MODEL, backend=Network(name="counted", run=counted))
    calls.clear()
    given = boxes(*[(float(i), 0.0, i + 40.0, 90.0) for i in range(70)])
    TopDown(model=model, batch=32)([paint((100, 200))], [given])
    assert calls == [32, 32, 6]


def test_a_score_that_is_no_number_is_not_the_best():
    image = paint((400, 500), FIRST, SECOND)
    given = boxes(FIRST, SECOND, scores=[np.nan, 0.9])
    (poses,) = TopDown(model=MODEL)([image], [given])
    np.testing.assert_array_equal(poses.boxes, np.array([SECOND], np.float32))
