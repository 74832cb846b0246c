import numpy as np
import torch
from torch import nn

from vitruvian.systems.spec import Input
from vitruvian.train.device import Normalised


class _Twice(nn.Module):
    def forward(self, image: torch.Tensor) -> list[dict[str, torch.Tensor]]:
        return [{"map": image * 0}, {"map": image}]


def test_views_are_normalised_in_the_networks_channel_order_and_the_last_stage_counts() -> None:
    views = np.random.default_rng(0).integers(0, 256, (2, 8, 6, 3), np.uint8)
    rule = Input(size=(8, 6), mean=(10.0, 20.0, 30.0), std=(2.0, 4.0, 8.0), channels="bgr")
    found = Normalised(_Twice(), rule)(torch.from_numpy(views))["map"].numpy()
    expected = (views[..., ::-1].astype(np.float32) - [10, 20, 30]) / [2, 4, 8]
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), rtol=1e-5)
    assert found.dtype == np.float32
