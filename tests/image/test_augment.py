"""Random views: half of a body."""

import numpy as np
import pytest

from vitruvian.core.view import View
from vitruvian.image.augment import Augment, half_body_box, random_view

HALVES = np.arange(3), np.arange(3, 6)
BOX = np.array([0, 0, 100, 200], np.float32)
XY = np.array([[0, 0], [30, 0], [60, 40], [0, 100], [30, 100], [60, 180]], np.float32)


class Chosen(np.random.Generator):
    """Answers one normal number; a subclass only because the annotation asks for a generator."""

    def __init__(self, value: float) -> None:
        super().__init__(np.random.PCG64())
        self.value = value

    def normal(self):
        return self.value


def half(value, labelled):
    visible = np.isin(np.arange(6), labelled).astype(np.uint8)
    return half_body_box(BOX, XY, visible, HALVES, Chosen(value))


@pytest.mark.parametrize(
    "value, centre, extent", [(0.4, (30, 40 / 3), 40), (0.6, (30, 380 / 3), 80)]
)
def test_a_view_of_a_half_is_one_and_a_half_times_its_keypoints_around_their_mean(
    value, centre, extent
):
    view = View.crop(half(value, range(6)).astype(float), (256, 192), align="legacy")

    assert view.to_image(np.array([96.0, 128.0])) == pytest.approx(centre, abs=1e-4)
    assert 256 / view.scale == pytest.approx(1.5 * max(extent, 60 / 0.75), rel=1e-5)


@pytest.mark.parametrize(
    "value, labelled, same",
    [(0.4, [0, 3, 4, 5], (0.6, range(6))), (0.6, [0, 1, 2, 3], (0.4, range(6)))],
)
def test_a_half_with_too_few_keypoints_gives_way_to_the_other(value, labelled, same):
    assert half(value, labelled).tolist() == half(*same).tolist()


def test_one_keypoint_leaves_the_box():
    assert half(0.4, [0]).tolist() == BOX.tolist()


def test_only_who_has_more_than_eight_keypoints_is_cropped_to_half():
    xy = np.random.default_rng(0).uniform(0, 100, (17, 2)).astype(np.float32)
    augment = Augment(flip=0.0, scale=0.0, rotation=0.0, half_body=1.0)
    halves = np.arange(11), np.arange(11, 17)

    def centre(count):
        visible = (np.arange(17) < count).astype(np.uint8)
        rng = np.random.default_rng(0)
        view = random_view(BOX, xy, visible, halves, (256, 192), augment, rng, align="legacy")
        return view.to_image(np.array([96.0, 128.0]))

    assert centre(8) == pytest.approx([50, 100])
    assert centre(9) != pytest.approx([50, 100])
