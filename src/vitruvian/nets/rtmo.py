"""RTMO: everybody's boxes on two grids, in each a classification of every keypoint's x and y.

Lu, Jiang, Li, Li, Chen and Yang, "RTMO: towards high-performance one-stage real-time multi-person
pose estimation", CVPR 2024. ``codecs/located.py`` reads the outputs.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from vitruvian.core.errors import ConfigError
from vitruvian.nets.blocks import require_divisible
from vitruvian.nets.boxes import pair_iou, unsuppressed
from vitruvian.nets.convert import Layout
from vitruvian.nets.cspnext import SPP, ConvUnit, CSPLayer
from vitruvian.nets.rtmpose import GatedAttention

STRIDES = (16, 32)
VARIANTS = {"t": (0.375, 0.33), "s": (0.5, 0.33), "m": (0.75, 0.67), "l": (1.0, 1.0)}
"""Factors on channels and blocks."""

LAYOUTS: dict[str, Layout] = {
    "mmpose": (
        (r"backbone\.", "trunk."),
        (r"neck\.encoder\.0\.layers\.0\.self_attn\.attn\.", "neck.encoder.attention."),
        (r"neck\.encoder\.0\.layers\.0\.ffn\.layers\.0\.0\.", "neck.encoder.wide."),
        (r"neck\.encoder\.0\.layers\.0\.ffn\.layers\.1\.", "neck.encoder.narrow."),
        (r"neck\.encoder\.0\.layers\.0\.norms\.", "neck.encoder.norms."),
        (r"neck\.projector\.convs\.", "neck.projector."),
        (r"neck\.(sincos_)?pos_enc\.", None),
        (r"head\.head_module\.", "head."),
        (r"head\.dcc\.(spe\.dim_t|x_bins|y_bins)$", None),
        (r"head\.dcc\.", "dcc."),
        (r"head\.loss_oks\.|data_preprocessor\.", None),
    )
}
"""How public checkpoints name the parameters of :class:`RTMO`."""

IMAGENET: dict[str, Layout] = {
    "mmdetection": (
        (r"backbone\.", ""),
        (r"(neck|bbox_head|head|data_preprocessor)\.", None),
    )
}
"""How YOLOX checkpoints name the trunk."""


class ConvNorm(nn.Module):
    """Convolution and normalisation without activation."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h w."""
        return self.bn(self.conv(x))


class Focus(nn.Module):
    """Four pixels a cell, then one convolution."""

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.conv = ConvUnit(12, outputs, 3)

    def forward(self, x: Tensor) -> Tensor:
        """B 3 H W -> B outputs H/2 W/2; pixels in the order left column, right column."""
        columns = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        return self.conv(torch.cat(columns, dim=1))


class Bottleneck(nn.Module):
    """1x1, then 3x3, beside a shortcut unless told otherwise."""

    def __init__(self, width: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv1, self.conv2 = ConvUnit(width, width, 1), ConvUnit(width, width, 3)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        y = self.conv2(self.conv1(x))
        return x + y if self.shortcut else y


class CSPDarknet(nn.Module):
    """The trunk of YOLOX (Ge et al. 2021).

    Attributes:
        widths: Channels of the four stages.
    """

    def __init__(self, widen: float, deepen: float) -> None:
        super().__init__()
        self.widths = tuple(int(width * widen) for width in (128, 256, 512, 1024))
        inputs = self.widths[0] // 2
        self.stem = Focus(inputs)
        for number, (width, blocks) in enumerate(zip(self.widths, (3, 9, 9, 3), strict=True), 1):
            layer = CSPLayer(width, width, 0, shortcut=False, attention=False)
            layer.blocks = nn.Sequential(
                *(
                    Bottleneck(width // 2, shortcut=number < 4)
                    for _ in range(max(round(blocks * deepen), 1))
                )
            )
            layers: list[nn.Module] = [ConvUnit(inputs, width, 3, 2)]
            layers += [SPP(width), layer] if number == 4 else [layer]
            setattr(self, f"stage{number}", nn.Sequential(*layers))
            inputs = width
        _normalise_as_yolox(self)

    def forward(self, x: Tensor) -> list[Tensor]:
        """B 3 H W -> the stages, at stride 4, 8, 16 and 32."""
        x, levels = self.stem(x), []
        for stage in (self.stage1, self.stage2, self.stage3, self.stage4):
            x = stage(x)
            levels.append(x)
        return levels


def _normalise_as_yolox(module: nn.Module) -> None:
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eps, part.momentum = 1e-3, 0.03


class Rep(nn.Module):
    """3x3 and 1x1 side by side (Ding et al. 2021, RepVGG)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.branch_3x3, self.branch_1x1 = ConvNorm(width, width, 3), ConvNorm(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        return F.silu(self.branch_3x3(x) + self.branch_1x1(x))


class CSPRep(nn.Module):
    """Half of the channels through blocks, added to the other half (RT-DETR)."""

    def __init__(self, inputs: int, outputs: int, width: int, blocks: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = ConvUnit(inputs, width, 1), ConvUnit(inputs, width, 1)
        self.bottlenecks = nn.Sequential(*(Rep(width) for _ in range(blocks)))
        self.conv3 = ConvUnit(width, outputs, 1) if width != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """B inputs h w -> B outputs h w."""
        return self.conv3(self.bottlenecks(self.conv1(x)) + self.conv2(x))


def sine(position: Tensor, width: int, temperature: float) -> Tensor:
    """Cosines, then sines of positions ``...`` at width / 2 frequencies: ``... width``."""
    half = width // 2
    power = torch.arange(half, device=position.device, dtype=position.dtype) / half
    angle = position[..., None] / temperature**power
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class Encoder(nn.Module):
    """One layer of a transformer over the cells of a map (Vaswani et al. 2017)."""

    def __init__(self, width: int, wide: int, heads: int = 8) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.wide, self.narrow = nn.Linear(width, wide), nn.Linear(wide, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """B C h w -> B C h w."""
        h, w = x.shape[-2:]
        half = x.shape[1] // 2
        y, column = (torch.arange(n, device=x.device, dtype=x.dtype) for n in (h, w))
        down = sine(y, half, 10000.0)[:, None].expand(h, w, half)
        across = sine(column, half, 10000.0)[None].expand(h, w, half)
        place = torch.cat([down, across], dim=-1).flatten(0, 1)
        tokens = x.flatten(2).transpose(1, 2)
        where = tokens + place
        found, _ = self.attention(where, where, tokens, need_weights=False)
        tokens = self.norms[0](tokens + found)
        tokens = self.norms[1](tokens + self.narrow(F.gelu(self.wide(tokens))))
        return tokens.transpose(1, 2).unflatten(2, (h, w))


class Neck(nn.Module):
    """A transformer on the coarsest level, then a path down and up again (RT-DETR)."""

    def __init__(
        self,
        widths: tuple[int, ...],
        outputs: int,
        *,
        hidden: int = 256,
        wide: int = 1024,
        width: int,
        blocks: int,
    ) -> None:
        super().__init__()
        steps = range(len(widths) - 1)
        self.input_proj = nn.ModuleList(ConvNorm(inputs, hidden) for inputs in widths)
        self.encoder = Encoder(hidden, wide)
        self.lateral_convs = nn.ModuleList(ConvUnit(hidden, hidden, 1) for _ in steps)
        self.fpn_blocks = nn.ModuleList(CSPRep(2 * hidden, hidden, width, blocks) for _ in steps)
        self.downsample_convs = nn.ModuleList(ConvUnit(hidden, hidden, 3, 2) for _ in steps)
        self.pan_blocks = nn.ModuleList(CSPRep(2 * hidden, hidden, width, blocks) for _ in steps)
        self.projector = nn.ModuleList(ConvNorm(hidden, outputs) for _ in steps)

    def forward(self, levels: list[Tensor]) -> list[Tensor]:
        """Levels at stride 8, 16 and 32 -> two at 16 and 32, B outputs h w."""
        maps = [project(x) for project, x in zip(self.input_proj, levels, strict=True)]
        x, coarse = self.encoder(maps[-1]), []
        for below, lateral, block in zip(
            maps[-2::-1], self.lateral_convs, self.fpn_blocks, strict=True
        ):
            coarse.append(lateral(x))
            up = F.interpolate(coarse[-1], scale_factor=2.0, mode="nearest")
            x = block(torch.cat([up, below], dim=1))
        found = []
        for above, down, block in zip(
            reversed(coarse), self.downsample_convs, self.pan_blocks, strict=True
        ):
            x = block(torch.cat([down(x), above], dim=1))
            found.append(x)
        return [project(x) for project, x in zip(self.projector, found, strict=True)]


class Head(nn.Module):
    """Per level: score, box, visibilities, a vector of the pose, and keypoints as a side line."""

    def __init__(self, inputs: int, channels: int, vector: int, group: int, depth: int = 2) -> None:
        super().__init__()
        half, wide = inputs // 2, 8 * group

        def chain(first: int, width: int, count: int, groups: int) -> nn.Sequential:
            later = (ConvUnit(width, width, 3, groups=groups) for _ in range(count - 1))
            return nn.Sequential(ConvUnit(first, width, 3), *later)

        def out(width: int, outputs: int) -> nn.ModuleList:
            return nn.ModuleList(nn.Conv2d(width, outputs, 1) for _ in STRIDES)

        self.conv_cls = nn.ModuleList(chain(half, half, depth, 1) for _ in STRIDES)
        self.conv_pose = nn.ModuleList(chain(half, wide, 2 * depth, 8) for _ in STRIDES)
        self.out_cls, self.out_bbox = out(half, 1), out(wide, 4)
        self.out_kpt_reg, self.out_kpt_vis = out(wide, 2 * channels), out(wide, channels)
        self.out_pose = out(wide, vector)
        _normalise_as_yolox(self)
        for layer in self.out_cls:  # a cell scores 0.01 at first
            nn.init.constant_(layer.bias, -4.595)

    def forward(self, levels: list[Tensor]) -> dict[str, list[Tensor]]:
        """Maps by name, one per level."""
        halves = [x.chunk(2, dim=1) for x in levels]
        person = [conv(x) for conv, (x, _) in zip(self.conv_cls, halves, strict=True)]
        pose = [conv(x) for conv, (_, x) in zip(self.conv_pose, halves, strict=True)]
        outs = {
            "box": self.out_bbox,
            "visible": self.out_kpt_vis,
            "vector": self.out_pose,
            "proxy": self.out_kpt_reg,
        }
        found = {"score": [out(x) for out, x in zip(self.out_cls, person, strict=True)]}
        for name, layers in outs.items():
            found[name] = [out(x) for out, x in zip(layers, pose, strict=True)]
        return found


class Scalar(nn.Module):
    """A learnt factor."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(value))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape."""
        return x * self.scale


class Classifier(nn.Module):
    """Which bins across an enlarged box hold each keypoint (dynamic coordinate classifier).

    Args:
        inputs: Channels of the vector of a pose.
        channels: Number of keypoints K.
        width: Channels of a token and of a bin.
        bins: Number of bins (x, y).
    """

    def __init__(
        self, inputs: int, channels: int, width: int = 128, bins: tuple[int, int] = (192, 256)
    ) -> None:
        super().__init__()
        self.channels, self.bins = channels, bins
        self.pos_enc = nn.Parameter(torch.randn(channels, width) * width**-0.5)
        self.pose_to_kpts = nn.Sequential(
            nn.Linear(inputs, channels * width), nn.BatchNorm1d(channels * width)
        )
        self.gau = GatedAttention(width, width)
        self.x_fc, self.y_fc = nn.Linear(width, width), nn.Linear(width, width)
        self.sigma_fc = nn.Sequential(nn.Linear(inputs, channels), nn.Sigmoid(), Scalar(0.1))

    def forward(
        self, vector: Tensor, boxes: Tensor, points: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Keypoints N K 2 in view pixels, and logits of the bins N K X and N K Y.

        Args:
            vector: N C.
            boxes: N 4, middle, width and height; already enlarged.
            points: N 2, the points that answer.
        """
        tokens = self.pose_to_kpts(vector).unflatten(1, (self.channels, -1))
        tokens = self.gau(tokens, self.pos_enc)
        logits, places = [], []
        for axis, layer in enumerate((self.x_fc, self.y_fc)):
            place = self.places(boxes, axis)
            code = sine(place - points[:, axis, None], tokens.shape[-1], 300.0)
            logits.append((tokens @ layer(code).transpose(1, 2)).clamp(-5e4, 5e4))
            places.append((logits[-1].softmax(dim=-1) * place[:, None]).sum(dim=-1))
        return torch.stack(places, dim=-1), logits[0], logits[1]

    def places(self, boxes: Tensor, axis: int) -> Tensor:
        """Where the bins lie, N bins in view pixels."""
        step = torch.linspace(-0.5, 0.5, self.bins[axis], device=boxes.device, dtype=boxes.dtype)
        return boxes[:, 2 + axis, None] * step + boxes[:, axis, None]


def rtmo_points(cells: tuple[int, int], stride: int, device: torch.device) -> Tensor:
    """Middles of (h, w) cells, row by row: hw 2, (x, y) in view pixels."""
    y, x = torch.meshgrid(
        torch.arange(cells[0], device=device), torch.arange(cells[1], device=device), indexing="ij"
    )
    return (torch.stack([x, y], dim=-1).reshape(-1, 2).float() + 0.5) * stride - 0.5


def rtmo_boxes(deltas: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Xyxy B P 4 from answers B P 4 at points P 2 of strides P."""
    middle = points + deltas[..., :2] * strides[:, None]
    half = deltas[..., 2:].exp() * strides[:, None] / 2
    return torch.cat([middle - half, middle + half], dim=-1)


class RTMO(nn.Module):
    """Scores and boxes at two grids, suppression, and the keypoints of who is left.

    Args:
        trunk: Its last three stages are read.
        channels: Number of keypoints K.
        neck: Between trunk and head.
        head: Answers at every cell.
        dcc: Locates the keypoints in a box.
        people: Number of people D that are answered.
        candidates: Most cells that are considered for them.
        taught: Number of cells of a view whose keypoints are located while training.
    """

    looks_at = ("boxes",)
    """Targets that :meth:`forward` is given while training."""

    def __init__(
        self,
        trunk: CSPDarknet,
        neck: Neck,
        head: Head,
        dcc: Classifier,
        *,
        people: int = 50,
        candidates: int = 500,
        taught: int = 64,
    ) -> None:
        super().__init__()
        self.trunk, self.neck, self.head, self.dcc = trunk, neck, head, dcc
        self.people, self.candidates, self.taught = people, candidates, taught

    def forward(self, x: Tensor, boxes: Tensor | None = None) -> list[dict[str, Tensor]]:
        """B 3 H W normalised -> one stage, for the D best people of each view.

        ``person``: B 4 D 1 xyxy, without area where there are fewer. ``chance``: B 1 D 1 in [0, 1].
        ``keypoint``: B 3K D 1, x, y and visibility in [0, 1] of each.
        Training, instead, all P cells and T of them, see :meth:`_lesson`.
        """
        require_divisible(x, 32)
        flat, points, strides = self.cells(x)
        found = rtmo_boxes(flat["box"], points, strides)
        if self.training:
            return [self._lesson(flat, found, points, strides, boxes)]
        chance, index = (
            flat["score"][..., 0].sigmoid().topk(min(self.candidates, len(points)), dim=1)
        )
        keep = unsuppressed(_pick(found, index), 0.65)
        chance, best = (chance * keep).topk(min(self.people, chance.shape[1]), dim=1)
        index = index.gather(1, best)
        people = _pick(found, index)
        xy = self._locate(flat, people, points, index)[0]
        seen = _pick(flat["visible"], index).sigmoid()[..., None]
        real = (chance > 0)[..., None]
        stage = {
            "person": people * real,
            "chance": chance[..., None],
            "keypoint": torch.cat([xy, seen], dim=-1).flatten(2) * real,
        }
        short = self.people - chance.shape[1]
        return [{n: F.pad(x.transpose(1, 2), (0, short))[..., None] for n, x in stage.items()}]

    def cells(self, x: Tensor) -> tuple[dict[str, Tensor], Tensor, Tensor]:
        """Answers B P C by name, points P 2 and strides P of the cells of both grids."""
        maps = self.head(self.neck(self.trunk(x)[1:]))
        grids = [
            rtmo_points(level.shape[-2:], stride, x.device)
            for level, stride in zip(maps["score"], STRIDES, strict=True)
        ]
        flat = {
            name: torch.cat([level.flatten(2) for level in levels], dim=2).transpose(1, 2)
            for name, levels in maps.items()
        }
        strides = [torch.full_like(g[:, 0], s) for g, s in zip(grids, STRIDES, strict=True)]
        return flat, torch.cat(grids), torch.cat(strides)

    def _locate(
        self, flat: dict[str, Tensor], boxes: Tensor, points: Tensor, index: Tensor
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Keypoints B D K 2, logits of bins B D K X and Y, enlarged boxes B D 4 of cells B D."""
        frame = torch.cat(
            [(boxes[..., :2] + boxes[..., 2:]) / 2, 1.25 * (boxes[..., 2:] - boxes[..., :2])], -1
        )
        vector, grid = _pick(flat["vector"], index), points[index]
        parts = self.dcc(vector.flatten(0, 1), frame.flatten(0, 1), grid.flatten(0, 1))
        xy, x, y = (part.unflatten(0, index.shape) for part in parts)
        return xy, x, y, frame

    def _lesson(
        self,
        flat: dict[str, Tensor],
        found: Tensor,
        points: Tensor,
        strides: Tensor,
        boxes: Tensor | None,
    ) -> dict[str, Tensor]:
        """What the loss reads.

        ``point``: 1 3 P 1, x, y and stride. ``score``: B 1 P 1 logits. ``box``: B 4 P 1 xyxy.
        ``visible``: B K P 1 logits. ``proxy``: B 2K P 1 view pixels. Of the T cells whose boxes
        overlap people most: ``index``: B 1 T 1, ``frame``: B 4 T 1, ``sigma``: B K T 1, ``bins_x``:
        B KX T 1 logits, and ``bins_y``.
        """
        scale = strides[:, None]
        proxy = points[:, None] + flat["proxy"].unflatten(2, (-1, 2)) * scale[..., None]
        near = flat["score"][..., 0].detach()
        if boxes is not None:
            near = pair_iou(found.detach(), boxes[:, 0].to(found)).amax(dim=2)
        index = near.topk(min(self.taught, near.shape[1]), dim=1).indices
        _, x, y, frame = self._locate(flat, _pick(found, index).detach(), points, index)
        sigma = self.dcc.sigma_fc(_pick(flat["vector"], index).flatten(0, 1))
        stage = {
            "point": torch.cat([points, scale], dim=1)[None],
            "score": flat["score"],
            "box": found,
            "visible": flat["visible"],
            "proxy": proxy.flatten(2),
            "index": index[..., None].float(),
            "frame": frame,
            "sigma": sigma.unflatten(0, index.shape),
            "bins_x": x.flatten(2),
            "bins_y": y.flatten(2),
        }
        return {name: value.transpose(1, 2)[..., None] for name, value in stage.items()}


def _pick(x: Tensor, index: Tensor) -> Tensor:
    """Rows B D C of B P C."""
    return x.gather(1, index[..., None].expand(-1, -1, x.shape[2]))


def rtmo(variant: str = "s", channels: int = 17, people: int = 50) -> RTMO:
    """RTMO ``t``, ``s``, ``m`` or ``l``."""
    if variant not in VARIANTS:
        raise ConfigError(f"no RTMO {variant!r}; there are {', '.join(VARIANTS)}")
    widen, deepen = VARIANTS[variant]
    trunk, vector = CSPDarknet(widen, deepen), int(512 * widen)
    blocks = max(round(3 * deepen), 1)
    neck = Neck(trunk.widths[1:], vector, width=int(256 * widen), blocks=blocks)
    head = Head(vector, channels, vector, int(36 * widen))
    return RTMO(trunk, neck, head, Classifier(vector, channels), people=people)
