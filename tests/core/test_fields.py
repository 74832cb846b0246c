"""What codecs ask a field before they read it."""

import logging

import numpy as np
import pytest

from vitruvian.core.errors import InputError
from vitruvian.core.fields import Field, finite

FIELD = Field(name="heatmap", channels=3, stride=4)


def test_a_field_is_found_among_the_outputs_as_it_is():
    maps = np.zeros((2, 3, 4, 5), np.float32)

    assert FIELD.of({"tag": maps[:, :1], "heatmap": maps}) is maps


@pytest.mark.parametrize("shape", [(2, 2, 4, 5), (3, 4, 5), (1, 3, 4, 5, 1)])
def test_another_shape_is_refused_and_the_error_says_what_was_needed(shape):
    outputs = {"heatmap": np.zeros(shape, np.float32)}

    with pytest.raises(InputError, match=r"heatmap has shape \(.*; the codec needs B 3 h w"):
        FIELD.of(outputs)
    with pytest.raises(InputError, match="the dog needs three"):
        FIELD.of(outputs, "the dog needs three")


def test_finite_maps_are_not_copied_even_where_their_sum_overflows():
    small, large = np.ones((1, 2), np.float32), np.full((1, 2), 3e38, np.float32)

    assert finite(small, "heatmap") is small
    assert finite(large, "heatmap") is large


def test_what_is_not_finite_counts_as_empty_and_the_log_says_how_many(caplog):
    maps = np.array([1, np.nan, np.inf, -np.inf], np.float32)

    with caplog.at_level(logging.WARNING):
        found = finite(maps, "heatmap", -1.0)

    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, [1, -1, -1, -1])
    assert np.isnan(maps[1])
    assert "heatmap: 3 values" in caplog.text
