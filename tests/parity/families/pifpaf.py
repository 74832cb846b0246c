"""PifPaf: networks, targets, losses and the decoder."""

import numpy as np
from torch import nn

from tests.parity.kinds import Family
from vitruvian.nets import pifpaf


def _net(config: dict) -> nn.Module:
    kind, size = config["base"].split("net", 1)
    build = pifpaf.pifpaf_resnet if kind == "res" else pifpaf.pifpaf_shufflenet
    return build(int(size.removeprefix("v2k")), upsample=16 // config["stride"])


def _read(stages: list[dict[str, np.ndarray]]) -> list[np.ndarray]:
    """The fields as the authors' network gives them when it is not training."""
    cif, caf = stages[-1]["cif"], stages[-1]["caf"]
    h, w = cif.shape[2:]
    cif, caf = cif.reshape(len(cif), -1, 5, h, w).copy(), caf.reshape(len(caf), -1, 8, h, w).copy()
    for field, last in ((cif, 4), (caf, 6)):
        field[:, :, 1] = 0.5 + 0.5 * np.tanh(field[:, :, 1] / 2)
        field[:, :, 2:last:2] += np.arange(w)
        field[:, :, 3:last:2] += np.arange(h)[:, None]
        field[:, :, last:] = np.logaddexp(0, field[:, :, last:])
    return [cif, caf]


NETS = {r"openpifpaf-": Family(build=_net, layouts=pifpaf.LAYOUTS, leave=_read)}
