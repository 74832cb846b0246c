"""Where and in what precision to compute."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.systems.spec import Input


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A torch device and whether bfloat16 is the fast way there.

    Attributes:
        name: ``cpu``, ``cuda`` or ``cuda:N``.
        bf16: Compute matrix products in bfloat16.
    """

    name: str
    bf16: bool

    def autocast(self) -> AbstractContextManager[object]:
        """Mixed precision where it pays."""
        kind = torch.device(self.name).type
        return torch.autocast(kind, torch.bfloat16) if self.bf16 else nullcontext()


def choose_device(name: str = "auto", precision: str = "auto", *, threads: int = 0) -> Device:
    """The device to train on.

    Args:
        name: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        precision: ``bf16``, ``f32``, or ``auto``: bfloat16 where the hardware multiplies it (CUDA,
            AMX, AVX-512 BF16); any other processor emulates it and takes ten times as long.
        threads: Processor threads of the whole program; 0 leaves them to torch.

    Raises:
        ConfigError: The device or the precision does not exist here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    kind = name.split(":")[0]
    if kind not in ("cpu", "cuda") or (kind == "cuda" and not torch.cuda.is_available()):
        raise ConfigError(f"device {name!r} is not here; accepted: auto, cpu, cuda, cuda:N")
    if precision not in ("auto", "bf16", "f32"):
        raise ConfigError(f"precision {precision!r}; accepted: auto, bf16, f32")
    fast = kind == "cuda" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    torch.set_flush_denormal(True)
    if threads:
        torch.set_num_threads(threads)
    return Device(name=name, bf16=precision == "bf16" or (precision == "auto" and fast))


class Normalised(nn.Module):
    """A network behind its input rule: uint8 views in, fields of the last stage out.

    This is what is validated and exported, so that nobody else has to know mean, deviation and
    channel order.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, net: nn.Module, rule: Input) -> None:
        super().__init__()
        self.net = net
        self.reverse = rule.channels == "bgr"
        self.register_buffer("mean", torch.tensor(rule.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("scale", 1 / torch.tensor(rule.std).view(1, 3, 1, 1), persistent=False)

    def stages(self, images: Tensor, **given: Tensor) -> list[dict[str, Tensor]]:
        """All stages for B H W 3 uint8 RGB views, and what else the network is given."""
        x = images.permute(0, 3, 1, 2)
        if self.reverse:
            x = x.flip(1)
        return self.net((x.float() - self.mean) * self.scale, **given)

    def forward(self, images: Tensor, **given: Tensor) -> dict[str, Tensor]:
        """Fields of the last stage, float32, for B H W 3 uint8 RGB views."""
        return {name: x.float() for name, x in self.stages(images, **given)[-1].items()}
