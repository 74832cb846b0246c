from dataclasses import replace

import numpy as np
import pytest

from vitruvian.core.poses import Poses
from vitruvian.core.skeleton import Skeleton
from vitruvian.outputs.draw import CENTRE, LEFT, RIGHT, draw

BONES = Skeleton(
    name="arms",
    keypoints=("neck", "left_hand", "right_hand", "left_elbow"),
    swaps=(("left_hand", "right_hand"),),
    limbs=(("neck", "left_hand"), ("left_hand", "right_hand")),
)


def poses(xy, scores=None, box=(0, 0, 100, 100)) -> Poses:
    points = np.array([xy], np.float32)
    given = np.ones((1, len(xy))) if scores is None else np.array([scores])
    return Poses(
        xy=points,
        scores=given.astype(np.float32),
        boxes=np.array([box], np.float32),
        score=np.ones(1, np.float32),
        skeleton=BONES,
        size=(100, 100),
    )


POINTS = [[50, 20], [20, 60], [80, 60], [50, 90]]
BLANK = np.zeros((100, 100, 3), np.uint8)


def test_keypoints_have_the_colour_of_their_side():
    image = draw(BLANK, poses(POINTS))
    for (x, y), colour in zip(POINTS, (CENTRE, LEFT, RIGHT, CENTRE), strict=True):
        assert tuple(image[y, x]) == colour


def test_a_limb_across_the_body_has_the_colour_of_the_middle():
    image = draw(BLANK, poses(POINTS, box=(0, 0, 450, 450)))
    assert tuple(image[60, 50]) == CENTRE
    assert image[40, 35].any()


def test_the_picture_itself_is_not_drawn_on():
    image = BLANK.copy()
    assert draw(image, poses(POINTS)).any()
    assert not image.any()


@pytest.mark.parametrize("hidden", [np.nan, np.inf])
def test_what_was_not_found_is_not_drawn(hidden):
    xy = [POINTS[0], [hidden, hidden], POINTS[2], POINTS[3]]
    image = draw(BLANK, poses(xy))
    assert not image[55:65, 15:75].any()
    assert image[20, 50].any()


def test_keypoints_below_the_threshold_and_their_limbs_are_left_out():
    shown = poses(POINTS, scores=[1, 0.29, 1, 1])
    assert not draw(BLANK, shown)[40, 35].any()
    assert draw(BLANK, shown, kpt_thr=0.2)[40, 35].any()


def test_lines_are_thin_for_small_people_and_wider_for_large_ones():
    big = np.zeros((1000, 1000, 3), np.uint8)
    xy = [[10, 500], [990, 500], [990, 505], [500, 900]]
    widths = []
    for side in (60, 900):
        image = draw(big, poses(xy, box=(0, 0, side, side)))
        widths.append(int((image[480:520, 300].sum(-1) > 200).sum()))
    assert 1 <= widths[0] <= 2
    assert 5 <= widths[1] <= 8


def test_the_best_person_is_on_top():
    two = poses(POINTS)
    other = np.array([[50, 20], [50, 20], [50, 20], [50, 20]], np.float32)
    both = replace(
        two,
        xy=np.concatenate([other[None], two.xy]),
        scores=np.ones((2, 4), np.float32),
        boxes=np.repeat(two.boxes, 2, axis=0),
        score=np.array([0.1, 0.9], np.float32),
    )
    assert tuple(draw(BLANK, both)[20, 50]) == CENTRE


def test_keypoints_far_outside_and_nobody_at_all_do_no_harm():
    far = poses([[1e9, -1e9], [20, 60], [80, 60], [50, 90]])
    assert draw(BLANK, far)[60, 50].any()
    nobody = Poses.empty(BONES, (100, 100))
    np.testing.assert_array_equal(draw(BLANK + 7, nobody), BLANK + 7)
