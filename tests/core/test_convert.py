"""Conversion between skeletons: copied, derived, missing."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.core.convert import convert, convert_keypoints, inputs, missing
from vitruvian.core.errors import InputError
from vitruvian.core.poses import Poses
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton, skeleton, skeleton_names

SHIPPED = st.sampled_from([skeleton(name) for name in skeleton_names()])


def _person(bones: Skeleton, **joints: tuple[float, float]) -> np.ndarray:
    xy = np.full((1, len(bones), 2), np.nan, np.float32)
    for name, point in joints.items():
        xy[0, bones.index(name)] = point
    return xy


def test_openpose_neck_is_the_middle_of_the_coco_shoulders():
    coco, body = skeleton("coco17"), skeleton("body18")
    xy = _person(coco, left_shoulder=(30, 10), right_shoulder=(10, 14), nose=(20, 1))
    scores = np.zeros((1, 17), np.float32)
    scores[0, [coco.index("left_shoulder"), coco.index("right_shoulder")]] = 0.9, 0.4
    moved, kept = convert_keypoints(xy, scores, coco, body)
    assert moved[0, body.index("neck")].tolist() == [20, 12]
    assert moved[0, body.index("nose")].tolist() == [20, 1]
    assert kept[0, body.index("neck")] == np.float32(0.4)


def test_a_mean_is_unlabelled_when_one_input_is():
    coco, mpii = skeleton("coco17"), skeleton("mpii16")
    xy = _person(coco, left_hip=(30, 10), left_shoulder=(1, 2), right_shoulder=(3, 4))
    visible = np.where(np.isnan(xy[..., 0]), 0, 2).astype(np.uint8)
    visible[0, coco.index("left_shoulder")] = 1
    moved, kept = convert_keypoints(xy, visible, coco, mpii)
    assert np.isnan(moved[0, mpii.index("pelvis")]).all()
    assert kept[0, mpii.index("pelvis")] == 0
    assert moved[0, mpii.index("thorax")].tolist() == [2, 3]
    assert kept[0, mpii.index("thorax")] == 1
    assert kept.dtype == np.uint8


def test_the_labelled_neck_and_the_derived_neck_are_different_joints():
    lsp, body = skeleton("lsp14"), skeleton("body18")
    xy = _person(lsp, neck=(50, 50), left_shoulder=(60, 60), right_shoulder=(40, 60))
    moved, _ = convert_keypoints(xy, np.ones((1, 14), np.float32), lsp, body)
    assert moved[0, body.index("neck")].tolist() == [50, 60]
    assert "neck" in missing(body, lsp)
    assert dict(zip(lsp.keypoints, inputs(skeleton("mpii16"), lsp), strict=True))["neck"] == (
        "neck",
    )


@pytest.mark.parametrize(
    ("source", "target", "lost"),
    [
        ("coco17", "body18", ()),
        ("body18", "coco17", ()),
        ("body25", "body18", ()),
        ("lsp14", "mpii16", ()),
        ("mpii16", "lsp14", ()),
        ("coco17", "mpii16", ("neck", "head_top")),
        ("mpii16", "coco17", ("nose", "left_eye", "right_eye", "left_ear", "right_ear")),
        ("coco17", "jhmdb15", ("neck", "belly", "face")),
        ("aic14", "crowdpose14", ()),
        ("coco_wholebody133", "coco17", ()),
        ("penn13", "flic11", ("left_eye", "right_eye", "nose")),
    ],
)
def test_missing_names_what_the_source_cannot_give(source, target, lost):
    assert missing(skeleton(source), skeleton(target)) == lost


@given(bones=SHIPPED, seed=st.integers(0, 2**32 - 1), people=st.integers(0, 3))
def test_conversion_to_itself_changes_nothing(bones, seed, people):
    random = np.random.default_rng(seed)
    xy = random.uniform(-50, 500, (people, len(bones), 2)).astype(np.float32)
    scores = random.uniform(0, 1, (people, len(bones))).astype(np.float32)
    moved, kept = convert_keypoints(xy, scores, bones, bones)
    assert (moved == xy).all()
    assert (kept == scores).all()


@given(source=SHIPPED, target=SHIPPED, seed=st.integers(0, 2**32 - 1))
def test_conversion_commutes_with_mirroring_and_with_moving_the_picture(source, target, seed):
    random = np.random.default_rng(seed)
    xy = random.integers(0, 500, (2, len(source), 2)).astype(np.float32)
    scores = random.uniform(0, 1, (2, len(source))).astype(np.float32)
    moved, kept = convert_keypoints(xy, scores, source, target)
    flipped = convert_keypoints(
        xy[:, source.flip_index], scores[:, source.flip_index], source, target
    )
    np.testing.assert_array_equal(flipped[0], moved[:, target.flip_index])
    np.testing.assert_array_equal(flipped[1], kept[:, target.flip_index])
    shifted, _ = convert_keypoints(xy + 8, scores, source, target)
    np.testing.assert_array_equal(shifted, moved + 8)


@given(source=SHIPPED, target=SHIPPED)
def test_a_keypoint_is_lost_exactly_where_it_is_nan_with_score_zero(source, target):
    xy = np.ones((1, len(source), 2), np.float32)
    moved, kept = convert_keypoints(xy, np.ones((1, len(source)), np.float32), source, target)
    lost = tuple(np.array(target.keypoints)[np.isnan(moved[0]).all(1)])
    assert lost == missing(source, target)
    assert ((kept[0] == 0) == np.isnan(moved[0, :, 0])).all()


def test_poses_keep_their_boxes_scores_and_identities():
    coco, body = skeleton("coco17"), skeleton("body18")
    people = Poses(
        xy=np.ones((2, 17, 2), np.float32),
        scores=np.full((2, 17), 0.5, np.float32),
        boxes=np.arange(8, dtype=np.float32).reshape(2, 4),
        score=np.array([0.9, 0.8], np.float32),
        skeleton=coco,
        size=(48, 64),
        ids=np.array([7, 9]),
    )
    moved = convert(people, body)
    assert moved.skeleton is body
    assert moved.xy.shape == (2, 18, 2)
    assert (moved.boxes == people.boxes).all()
    assert moved.ids.tolist() == [7, 9]
    assert people.xy.shape == (2, 17, 2)


def test_samples_are_converted_with_their_visibility():
    lsp, mpii = skeleton("lsp14"), skeleton("mpii16")
    sample = Sample(
        path="a.jpg",
        size=(48, 64),
        skeleton=lsp,
        xy=np.ones((1, 14, 2), np.float32),
        visible=np.full((1, 14), 1, np.uint8),
        boxes=np.zeros((1, 4), np.float32),
        area=np.ones(1, np.float32),
        crowd=np.zeros(1, bool),
    )
    moved = convert(sample, mpii)
    assert moved.skeleton is mpii
    assert (moved.visible == 1).all()
    assert moved.path == "a.jpg"


def test_nobody_converts_to_nobody():
    empty = Poses.empty(skeleton("coco17"), (4, 4))
    assert convert(empty, skeleton("body25")).xy.shape == (0, 25, 2)


def test_arrays_that_do_not_fit_the_skeleton_are_refused():
    coco = skeleton("coco17")
    with pytest.raises(InputError, match="do not fit skeleton 'coco17'"):
        convert_keypoints(
            np.zeros((1, 16, 2), np.float32), np.zeros((1, 16), np.float32), coco, coco
        )
