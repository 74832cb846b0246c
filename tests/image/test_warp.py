import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vitruvian.core.view import View
from vitruvian.image.warp import warp, warp_batch


def ramp(height: int, width: int) -> np.ndarray:
    """Red is x, green is y: the picture names its own coordinates."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x, y, np.zeros_like(x)], axis=-1).astype(np.uint8)


def test_the_identity_view_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    np.testing.assert_array_equal(warp(image, View.letterbox((20, 30), (20, 30))), image)


def test_a_mirrored_view_is_the_mirrored_picture():
    image = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    view = View.letterbox((20, 30), (20, 30)).mirrored()
    np.testing.assert_array_equal(warp(image, view), image[:, ::-1])


def test_a_mirrored_crop_is_the_crop_mirrored():
    image = np.random.default_rng(1).integers(0, 256, (90, 120, 3), np.uint8)
    view = View.crop(np.array([20.0, 10, 70, 80]), (64, 48))
    there, back = warp(image, view), warp(image, view.mirrored())[:, ::-1]
    assert np.abs(there.astype(int) - back).max() <= 1


@settings(max_examples=40, deadline=None)
@given(st.floats(0, 90), st.floats(0, 90), st.floats(20, 200), st.floats(-180, 180), st.booleans())
def test_every_pixel_of_a_view_shows_the_place_the_view_says(x, y, side, rotation, flip):
    image = ramp(100, 100)
    box = np.array([x - side / 2, y - side / 2, x + side / 2, y + side / 2])
    view = View.crop(box, (32, 24), rotation=rotation, flip=flip)
    shown = warp(image, view).astype(float)
    cells = np.stack(np.meshgrid(np.arange(24), np.arange(32)), axis=-1).astype(float)
    expected = view.to_image(cells)
    margin = 2 + 2 / view.scale
    inside = ((expected > margin) & (expected < 99 - margin)).all(-1)
    outside = ((expected < -margin) | (expected > 99 + margin)).any(-1)
    assert np.abs(shown[..., :2] - expected)[inside].max(initial=0) <= 1.1
    assert (shown[outside] == 0).all()


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 8, 13])
def test_shrinking_does_not_alias(divisor):
    stripes = np.zeros((832, 832, 3), np.uint8)
    stripes[:, ::2] = 255
    view = View.letterbox((832, 832), (832 // divisor, 832 // divisor))
    shown = warp(stripes, view)[4:-4, 4:-4]
    if divisor == 1:
        assert shown.std() > 120
    else:
        assert np.abs(shown.astype(int) - 127).max() <= 2


def test_a_large_photograph_keeps_its_geometry():
    image = np.zeros((3001, 4003, 3), np.uint8)
    image[1480:1520, 2980:3020] = 255
    view = View.letterbox((3001, 4003), (320, 320))
    shown = warp(image, view)[..., 0].astype(float)
    y, x = np.mgrid[:320, :320]
    centre = np.array([(shown * x).sum(), (shown * y).sum()]) / shown.sum()
    np.testing.assert_allclose(centre, view.to_view(np.array([2999.5, 1499.5])), atol=0.05)


def test_a_view_beside_the_picture_is_black():
    view = View.crop(np.array([500.0, 500, 600, 600]), (16, 16))
    assert not warp(np.full((50, 50, 3), 255, np.uint8), view).any()


def test_a_single_pixel_fills_its_place():
    view = View.letterbox((1, 1), (32, 32))
    shown = warp(np.full((1, 1, 3), 200, np.uint8), view)
    assert shown[15:17, 15:17].min() > 180
    assert warp(np.full((1, 400, 3), 200, np.uint8), View.letterbox((1, 400), (32, 32))).shape == (
        32,
        32,
        3,
    )


def test_a_batch_is_its_views_and_can_fill_a_slice():
    image = ramp(60, 80)
    views = [View.crop(np.array([5.0 * i, 3, 40 + i, 50]), (32, 24)) for i in range(3)]
    whole = np.zeros((5, 32, 24, 3), np.uint8)
    warp_batch(image, views, out=whole[1:4])
    for index, view in enumerate(views):
        np.testing.assert_array_equal(whole[1 + index], warp(image, view))
    assert not whole[[0, 4]].any()
