import numpy as np
import pytest
import torch

from vitruvian.nets.roi import level_of, roi_align


def _bilinear(image: np.ndarray, y: float, x: float) -> float:
    """One sample of h w as He et al. 2017 and the published programs define it."""
    h, w = image.shape
    if y < -1 or y > h or x < -1 or x > w:
        return 0.0
    y, x = min(max(y, 0), h - 1), min(max(x, 0), w - 1)
    y0, x0 = int(y), int(x)
    y1, x1 = min(y0 + 1, h - 1), min(x0 + 1, w - 1)
    above = image[y0, x0] * (1 - (x - x0)) + image[y0, x1] * (x - x0)
    below = image[y1, x0] * (1 - (x - x0)) + image[y1, x1] * (x - x0)
    return above * (1 - (y - y0)) + below * (y - y0)


def _plain(image, box, stride, size, samples, aligned):
    """RoIAlign of one channel, in words."""
    low, high = (np.array(box[:2]) / stride, np.array(box[2:]) / stride)
    if aligned:
        low, high = low - 0.5, high - 0.5
    extent = high - low if aligned else np.maximum(high - low, 1)
    count = [samples or max(1, int(np.ceil(side / size))) for side in extent]
    out = np.zeros((size, size))
    for i in range(size):
        for j in range(size):
            values = [
                _bilinear(
                    image,
                    low[1] + extent[1] / size * (i + (a + 0.5) / count[1]),
                    low[0] + extent[0] / size * (j + (b + 0.5) / count[0]),
                )
                for a in range(count[1])
                for b in range(count[0])
            ]
            out[i, j] = np.mean(values)
    return out


BOXES = [
    [3.0, 5.0, 40.0, 60.0],
    [-30.0, -20.0, 20.0, 30.0],
    [50.0, 40.0, 130.0, 95.0],
    [10.0, 10.0, 10.5, 11.0],
    [0.0, 0.0, 0.0, 0.0],
    [200.0, 200.0, 260.0, 280.0],
]


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("samples", [2, 0])
def test_samples_equal_the_plain_definition(samples, aligned):
    rng = np.random.default_rng(0)
    maps = [rng.normal(size=(2, 3, 12, 16)), rng.normal(size=(2, 3, 6, 8))]
    boxes = np.array([BOXES, BOXES[::-1]])
    level = np.array([[0, 0, 1, 0, 1, 1], [0, 1, 0, 1, 0, 1]])

    found = roi_align(
        [torch.tensor(x) for x in maps],
        torch.tensor(boxes),
        torch.tensor(level),
        (8, 16),
        3,
        samples=samples,
        aligned=aligned,
    ).numpy()

    for view in range(2):
        for row in range(len(BOXES)):
            at = level[view, row]
            for channel in range(3):
                expected = _plain(
                    maps[at][view, channel], boxes[view, row], (8, 16)[at], 3, samples, aligned
                )
                np.testing.assert_allclose(found[view, row, channel], expected, atol=1e-10)


def test_gradients_equal_differences():
    torch.manual_seed(0)
    boxes, level = torch.tensor([BOXES[:3]]).double(), torch.tensor([[0, 1, 0]])
    maps = [torch.randn(1, 1, 8, 8).double().requires_grad_() for _ in range(2)]
    assert torch.autograd.gradcheck(
        lambda a, b: roi_align([a, b], boxes, level, (16, 32), 2), maps, fast_mode=True
    )


def test_a_box_is_read_from_the_level_of_its_size():
    sides = torch.tensor([0.0, 20, 111, 112, 223, 224, 447, 448, 5000])
    boxes = torch.stack([0 * sides, 0 * sides, sides, sides], dim=1)[None]
    assert level_of(boxes, 4)[0].tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 3]
