"""View: hand-made answers, properties, and the authors' affine maps and crops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitruvian.core.errors import InputError
from vitruvian.core.view import View, cell_to_view, view_to_cell

SIZE = (256, 192)
ALIGN = ("centre", "legacy", "udp")

coordinate = st.floats(-500, 1500)
side = st.floats(2, 1000)
views = st.builds(
    lambda x, y, w, h, rotation, flip, align: View.crop(
        np.array([x, y, x + w, y + h]), SIZE, rotation=rotation, flip=flip, align=align
    ),
    *(coordinate, coordinate, side, side, st.floats(-180, 180), st.booleans()),
    st.sampled_from(ALIGN),
)


def pixel_std_view(center, scale, rotation, size, align):
    """View of the authors' centre and scale, a box of 200 ``scale`` pixels."""
    extent = (float(scale[1]) * 200, float(scale[0]) * 200)
    return View.around(
        np.asarray(center, float), extent, size, rotation=float(rotation), align=align
    )


def test_centre_crop_lays_pixel_edges_on_pixel_edges():
    view = View.crop(np.array([9.5, 19.5, 109.5, 119.5]), (50, 50), padding=1.0)

    assert view.to_view(np.array([[9.5, 19.5], [109.5, 119.5]])) == pytest.approx(
        np.array([[-0.5, -0.5], [49.5, 49.5]])
    )


@pytest.mark.parametrize(
    "align, middle, scale",
    [
        ("centre", (95.5, 127.5), 192 / 200),
        ("legacy", (96, 128), 192 / 200),
        ("udp", (95.5, 127.5), 191 / 200),
    ],
)
def test_each_alignment_has_its_scale_and_its_middle(align, middle, scale):
    view = View.around(np.array([40.0, 70.0]), (200 * 256 / 192, 200.0), SIZE, align=align)

    assert view.to_view(np.array([40.0, 70.0])) == pytest.approx(middle)
    assert view.matrix[0, 0] == pytest.approx(scale)


def test_crop_widens_the_short_side_and_pads():
    view = View.crop(np.array([0.0, 0, 10, 100]), SIZE, padding=1.25)

    assert view.scale == pytest.approx(256 / 125)


def test_positive_rotation_turns_the_picture_counter_clockwise():
    view = View.around(np.array([50.0, 50.0]), (100.0, 100.0), (101, 101), rotation=90.0)

    right, middle = view.to_view(np.array([[60.0, 50.0], [50, 50]]))

    assert right[0] == pytest.approx(middle[0])
    assert right[1] < middle[1]


def test_mirrored_view_counts_columns_from_the_other_side():
    view = View.crop(np.array([0.0, 0, 300, 400]), SIZE)
    xy = np.array([[12.0, 34.0], [200, 300]])

    mirrored = view.mirrored()

    assert mirrored.flipped
    assert mirrored.to_view(xy)[:, 0] == pytest.approx(191 - view.to_view(xy)[:, 0])
    assert mirrored.to_view(xy)[:, 1] == pytest.approx(view.to_view(xy)[:, 1])


def test_letterbox_fills_one_side_from_the_top_left_corner():
    view = View.letterbox((100, 200), (300, 300))

    corners = view.to_view(np.array([[-0.5, -0.5], [199.5, 99.5]]))

    assert corners == pytest.approx(np.array([[-0.5, -0.5], [299.5, 149.5]]))


@given(view=views, x=coordinate, y=coordinate)
def test_to_image_undoes_to_view(view, x, y):
    xy = np.array([[x, y]])

    assert view.to_image(view.to_view(xy)) == pytest.approx(xy, abs=1e-6)


@given(view=views)
def test_mirroring_twice_changes_nothing(view):
    again = view.mirrored().mirrored()

    assert again.matrix == pytest.approx(view.matrix)
    assert again.flipped == view.flipped


@given(x=coordinate, y=coordinate, w=side, h=side, rotation=st.floats(-180, 180))
@pytest.mark.parametrize("align", ALIGN)
def test_flipped_crop_is_the_mirrored_crop(align, x, y, w, h, rotation):
    box = np.array([x, y, x + w, y + h])

    flipped = View.crop(box, SIZE, rotation=rotation, flip=True, align=align)
    mirrored = View.crop(box, SIZE, rotation=rotation, align=align).mirrored()

    assert flipped.matrix == pytest.approx(mirrored.matrix)
    assert flipped.flipped
    assert mirrored.flipped


@given(height=st.integers(1, 4000), width=st.integers(1, 4000))
def test_letterbox_shows_every_pixel(height, width):
    view = View.letterbox((height, width), (416, 608))

    corners = view.to_view(np.array([[-0.5, -0.5], [width - 0.5, height - 0.5]]))

    assert corners[0] == pytest.approx([-0.5, -0.5])
    assert (corners[1] <= np.array([607.5, 415.5]) + 1e-9).all()
    assert np.isclose(corners[1], [607.5, 415.5]).any()


def test_points_keep_their_dtype_and_absent_points_stay_absent():
    view = View.crop(np.array([0.0, 0, 300, 400]), SIZE)

    xy = view.to_view(np.array([[np.nan, np.nan], [1, 2]], np.float32))

    assert xy.dtype == np.float32
    assert np.isnan(xy[0]).all()
    assert np.isfinite(xy[1]).all()


@pytest.mark.parametrize(
    "box", [(0, 0, 0, 10), (5, 5, 1, 9), (0, 0, np.nan, 10), (0, 0, np.inf, 9)]
)
def test_a_box_without_area_is_refused(box):
    with pytest.raises(InputError, match="no area"):
        View.crop(np.array(box, float), SIZE)


@pytest.mark.parametrize(
    "align, first, last", [("centre", -0.375, 47.375), ("legacy", 0, 47.75), ("udp", 0, 47)]
)
def test_cells_of_the_outermost_pixels(align, first, last):
    xy = np.array([[0.0, 0.0], [191, 255]])

    cell = view_to_cell(xy, SIZE, (64, 48), align)

    assert cell[:, 0] == pytest.approx([first, last])
    assert cell_to_view(cell, SIZE, (64, 48), align) == pytest.approx(xy)
