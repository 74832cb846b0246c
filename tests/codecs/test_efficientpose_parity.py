"""What EfficientPose's own program reads from its maps."""

import json

import numpy as np
import pytest

from vitruvian.codecs.heatmap import Heatmap
from vitruvian.core.skeleton import skeleton

CELLS = 64


def in_the_frame(xy, height, width):
    """Fractions of a picture that was centred in a square, outside clipped as the authors do."""
    whole = (xy + 0.5) / CELLS
    shares = np.array([width, height]) / max(height, width)
    place = (whole - (1 - shares) / 2) / shares
    return np.where(place < 0, -0.5 / CELLS, np.minimum(place, 1))


@pytest.mark.parametrize("case", [0, 2, 4])
def test_smoothed_maps_are_read_as_by_the_authors(parity_data, case):
    data = np.load(parity_data / "fn-efficientpose-extract.npz")
    expected = json.loads(str(data["cases"]))[case]
    codec = Heatmap(skeleton=skeleton("mpii16"), stride=1, decoding="argmax", smooth=1.0)
    assert not expected["real_time"]

    decoded = codec.decode({"heatmap": data["output"].transpose(2, 0, 1)[None]}, (CELLS, CELLS))

    ours = in_the_frame(decoded.xy[0], expected["frame_height"], expected["frame_width"])
    assert ours == pytest.approx(np.array(expected["coords"]), abs=1e-6)


def test_plain_maps_are_read_at_their_highest_cell():
    maps = np.zeros((1, 16, CELLS, CELLS), np.float32)
    maps[:, :, 20, 30] = 0.9
    maps[:, :, 40:44, 10:14] = 0.5
    plain = Heatmap(skeleton=skeleton("mpii16"), stride=1, decoding="argmax")

    assert plain.decode({"heatmap": maps}, (CELLS, CELLS)).xy[0, 0].tolist() == [30, 20]


def test_a_blur_prefers_the_wider_peak_and_scores_what_is_there():
    maps = np.zeros((1, 16, CELLS, CELLS), np.float32)
    maps[:, :, 20, 30] = 0.9
    maps[:, :, 40:43, 10:13] = 0.5
    codec = Heatmap(skeleton=skeleton("mpii16"), stride=1, decoding="argmax", smooth=1.0)

    decoded = codec.decode({"heatmap": maps}, (CELLS, CELLS))

    assert decoded.xy[0, 0].tolist() == [11, 41]
    assert decoded.scores[0, 0] == pytest.approx(0.5)
