"""SimplePose: networks, the codec ``limbs`` and its loss."""

import numpy as np
from torch import nn

from tests.parity.kinds import Family
from vitruvian.nets import simplepose

_SCALES = simplepose.SCALES


def _build(config: dict) -> nn.Module:
    """All outputs beyond the 20 maps that are no body parts are body parts."""
    return simplepose.simplepose(
        config["nstack"],
        config["oup_dim"] - 20,
        18,
        version="final" if config["file"].endswith("_final") else "posenet",
        width=config["inp_dim"],
        growth=config["increase"],
    )


def _finest_first(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    maps = [np.concatenate([*stage.values()], axis=1) for stage in stages]
    stacks = [maps[at : at + _SCALES] for at in range(0, len(maps), _SCALES)]
    return [scale for stack in stacks for scale in reversed(stack)]


NETS = {
    r"simplepose-": Family(
        build=_build,
        layouts=simplepose.LAYOUTS,
        enter=lambda image: np.ascontiguousarray(image.transpose(0, 3, 1, 2)),
        leave=_finest_first,
    )
}
