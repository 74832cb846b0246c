"""Inverted residuals with squeeze-and-excitation, as Keras builds them.

Tan and Le, "EfficientNet", ICML 2019. EfficientPose and EvoPose2D are made of these blocks.
"""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from torch import Tensor, nn

Activation = Callable[[Tensor], Tensor]

batch_norm = partial(nn.BatchNorm2d, eps=1e-3, momentum=0.01)
"""Keras' defaults; its momentum .99 is PyTorch's .01."""


def same_pad(x: Tensor, kernel: int, stride: int) -> Tensor:
    """What TensorFlow's SAME adds before a convolution of an input that ``stride`` divides.

    At stride 2 the odd row and column come last: the second half of the border is wider.
    """
    total = kernel - stride
    before, after = total // 2, total - total // 2
    return F.pad(x, (before, after, before, after))


class MBConv(nn.Module):
    """1x1 expansion, depth-wise convolution, channel gate, 1x1 projection (Sandler et al. 2018).

    Args:
        inputs: Channels that come in.
        outputs: Channels that come out.
        expansion: Width of the depth-wise convolution, as a multiple of ``inputs``.
        kernel: Odd.
        stride: 1 or 2.
        width: Width of the depth-wise convolution itself, instead of ``expansion``.
        squeeze: Channels of the gate's bottleneck; a quarter of ``inputs`` unless given.
        activation: Between the convolutions, and in the gate.
        residual: Add the input where the shapes agree.
        drop: Chance, in training, that a sample skips a residual block (Huang et al. 2016).
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        expansion: int = 6,
        kernel: int = 3,
        stride: int = 1,
        width: int = 0,
        squeeze: int = 0,
        activation: Activation = F.silu,
        residual: bool = True,
        drop: float = 0.0,
    ) -> None:
        super().__init__()
        width = width or inputs * expansion
        squeeze = squeeze or max(1, inputs // 4)
        self.kernel, self.stride, self.activation, self.drop = kernel, stride, activation, drop
        self.residual = residual and stride == 1 and inputs == outputs
        self.expand_conv = self.expand_bn = None
        if width != inputs:
            self.expand_conv = nn.Conv2d(inputs, width, 1, bias=False)
            self.expand_bn = batch_norm(width)
        self.dwconv = nn.Conv2d(width, width, kernel, stride, groups=width, bias=False)
        self.bn = batch_norm(width)
        self.se_reduce = nn.Conv2d(width, squeeze, 1)
        self.se_expand = nn.Conv2d(squeeze, width, 1)
        self.project_conv = nn.Conv2d(width, outputs, 1, bias=False)
        self.project_bn = batch_norm(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h/stride w/stride."""
        y = x
        if self.expand_conv is not None:
            y = self.activation(self.expand_bn(self.expand_conv(y)))
        y = self.dwconv(same_pad(y, self.kernel, self.stride))
        y = self.activation(self.bn(y))
        y = y * self._gate(y)
        y = self.project_bn(self.project_conv(y))
        if not self.residual:
            return y
        return x + self._survivors(y)

    def _gate(self, y: Tensor) -> Tensor:
        """B width 1 1 in (0, 1): squeeze and excitation (Hu et al. 2018)."""
        pooled = y.mean(dim=(2, 3), keepdim=True)
        return self.se_expand(self.activation(self.se_reduce(pooled))).sigmoid()

    def _survivors(self, y: Tensor) -> Tensor:
        if not (self.training and self.drop):
            return y
        keep = y.new_empty(len(y), 1, 1, 1).bernoulli_(1 - self.drop)
        return y * keep / (1 - self.drop)


def init_efficientnet(net: nn.Module) -> None:
    """Keras' ``conv_kernel_initializer``: N(0, 2 / fan out), biases 0."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
