"""System: what a page of this folder returns, free of torch."""

from dataclasses import dataclass, field
from typing import Literal

from vitruvian.core.errors import ConfigError
from vitruvian.core.protocols import BoxCodec, PersonCodec, SceneCodec
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.view import Align, Fit
from vitruvian.image.augment import Augment
from vitruvian.kernels.parametric_nms import PoseNms

Task = Literal["topdown", "bottomup", "detector", "refine"]
Codec = PersonCodec | SceneCodec | BoxCodec


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """What the network sees.

    Attributes:
        size: (H, W) in pixels.
        padding: Factor on the aspect-corrected box (top-down).
        align: Grid convention of the crop.
        fit: Which side of ``size`` a whole picture gets (bottom-up); with ``box`` every view has
            ``size``, else the other side follows from the picture's.
        divisor: The sides of such a view are multiples of it …
        remainder: … plus this.
        mean: Per-channel mean in [0, 255], in the order of ``channels``.
        std: Per-channel standard deviation in [0, 255].
        channels: Channel order the network was trained with.
    """

    size: tuple[int, int]
    padding: float = 1.25
    align: Align = "centre"
    fit: Fit = "box"
    divisor: int = 64
    remainder: int = 0
    mean: tuple[float, float, float] = (123.675, 116.28, 103.53)
    std: tuple[float, float, float] = (58.395, 57.12, 57.375)
    channels: Literal["rgb", "bgr"] = "rgb"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a network is trained; defaults are overridden on each page.

    Attributes:
        epochs: Passes over ``samples_per_epoch`` draws.
        samples_per_epoch: Draws of an epoch; 0 is the size of the data.
        batch: Samples of one optimiser step.
        optimizer: ``adamw``, ``adam``, ``rmsprop`` or ``sgd``.
        lr: Peak learning rate.
        momentum: Momentum of SGD.
        weight_decay: Decoupled for AdamW, on matrices only; L2 elsewhere.
        layer_decay: Factor on AdamW's rate from each layer to the one before it, for networks that
            count their layers (``layers_above``).
        schedule: ``cosine`` or ``linear`` down to ``floor``, or ``step``.
        hold: Epochs at the peak before ``cosine`` or ``linear`` begins to fall.
        floor: Where they end, as a share of ``lr``.
        milestones: Epochs after which ``step`` multiplies the rate by ``gamma``.
        gamma: Factor of ``step``.
        warmup: Optimiser steps of linear warm-up.
        clip_norm: Largest norm of the gradient; 0 never clips.
        ema: Decay of the weight average that is validated and exported; 0 for none.
        loss: Name in ``train/losses.py`` for every field, or ``field=name*factor,…``.
        stage_weights: Weight of each stage's loss; empty weighs them alike.
        freeze: Modules of the network that stay as they are, normalisation statistics included.
        weights: Data set name -> share of the draws; sets that are not named keep their size.
        hard: Only people are drawn whose OKS under the judge is lower (``train/hard.py``); 1 draws
            everybody and needs no judge.
        augment: Ranges of the random view and of the picture's distortion.
        seed: Seeds the feed and the network.
    """

    epochs: int
    batch: int = 32
    samples_per_epoch: int = 0
    optimizer: Literal["adamw", "adam", "rmsprop", "sgd"] = "adam"
    lr: float = 1e-3
    momentum: float = 0.9
    weight_decay: float = 0.0
    layer_decay: float = 1.0
    schedule: Literal["cosine", "linear", "step"] = "step"
    hold: int = 0
    floor: float = 0.0
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    warmup: int = 0
    clip_norm: float = 0.0
    ema: float = 0.0
    loss: str = "joints_mse"
    stage_weights: tuple[float, ...] = ()
    freeze: tuple[str, ...] = ()
    weights: dict[str, float] = field(default_factory=dict)
    hard: float = 1.0
    augment: Augment = field(default_factory=Augment)
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """The test-time procedure.

    Attributes:
        flip: Average the outputs of the view and of its mirror image.
        scales: Sizes of the views of a picture, whose outputs are averaged (bottom-up), or of the
            crops of a person, whose keypoints are averaged by score (top-down); 1 is that of
            ``Input``.
        shift_flipped: Move mirrored maps one cell right before averaging (legacy alignment).
        rescore: A pose scores by its keypoints, as ``rescoring`` says, else as its box (top-down; a
            bottom-up codec scores people itself).
        rescoring: With m the mean of the keypoint scores above ``keypoint_floor``, plus
            ``score_offset``: box score x m, the ``product`` (Xiao et al. 2018); m of the ``pose``
            alone (G-RMI); or the ``sum`` of box score, m and 1.25 x best keypoint (AlphaPose).
        keypoint_floor: See ``rescore``.
        score_offset: Added to that mean (0.5 in CPN and MSPN).
        min_score: Who was found by a detector and scores lower is nobody: a box that hardly looks
            like a person can hold a pose that plainly is one (top-down).
        oks_nms: Poses that overlap a better one by more OKS than this are duplicates; 1 keeps all.
        soft_oks: Poses lose score by exp(-OKS^2 / this) to each better one instead, and the 20 best
            stay (Sun et al. 2019); 0 does not.
        pose_nms: Find and merge duplicates by this rule instead (RMPE).
    """

    __test__ = False

    flip: bool = False
    scales: tuple[float, ...] = (1.0,)
    shift_flipped: bool = False
    rescore: bool = True
    rescoring: Literal["product", "pose", "sum"] = "product"
    keypoint_floor: float = 0.2
    score_offset: float = 0.0
    min_score: float = 0.0
    oks_nms: float = 0.9
    soft_oks: float = 0.0
    pose_nms: PoseNms | None = None

    def __post_init__(self) -> None:
        if 1 not in self.scales or min(self.scales) <= 0:
            raise ConfigError(f"test.scales {self.scales}; give factors above 0, 1 among them")
        if self.soft_oks < 0:
            raise ConfigError(f"test.soft_oks {self.soft_oks}; give 0 for none, or a width above 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """One published set-up.

    Attributes:
        name: The function's name on its page.
        task: What it finds, and from what.
        net: ``file:function`` in ``nets/``.
        net_args: Keyword arguments of that function.
        input: Size, crop rule and normalisation.
        codec: Representation; its ``fields`` are the network's outputs.
        skeleton: Keypoints, or None for a detector.
        recipe: How it is trained.
        test: How it is tested.
        paper: Authors, title, venue.
        url: Where to read it.
        licence: Licence of our weights, if there are any.
    """

    name: str
    task: Task
    net: str
    input: Input
    codec: Codec
    recipe: Recipe = field(metadata={"set": "train"})
    skeleton: Skeleton | None = None
    net_args: dict[str, object] = field(default_factory=dict)
    test: Test = field(default_factory=Test)
    paper: str = ""
    url: str = ""
    licence: str = ""
