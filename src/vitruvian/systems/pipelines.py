"""Whole pipelines: which detector, which boxes, which pose network, which duplicates, which score.

A pipeline is data; ``runtime/load.py`` puts its parts together and ``runtime/topdown.py`` runs them
all. Every part can be exchanged: ``vitruvian predict --system grmi --model hrnet.onnx --detector
rtmdet.onnx --set boxes.nms=0.7 --set test.oks_nms=0.9 --refine posefix.onnx``.

Parts are named in order of preference, the paper's own first, and the first whose weights ship is
taken. The papers' networks do not ship: small heads taught here stand in for them, with the same
targets, decoding, suppression and scores (``nets/small.py``), and the bundled detector for theirs.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import isfunction, signature

from vitruvian.core.errors import ConfigError, UnknownName
from vitruvian.core.lookup import find
from vitruvian.systems.cpn import cpn_res101_384x288
from vitruvian.systems.g_rmi import g_rmi_res101_353x257
from vitruvian.systems.mask_rcnn import mask_rcnn_res50_800x1344
from vitruvian.systems.mspn import mspn_4stg_384x288
from vitruvian.systems.rmpe import rmpe_res50_256x192
from vitruvian.systems.spec import System, Test


@dataclass(frozen=True, slots=True, kw_only=True)
class BoxRule:
    """Which boxes of a detector are looked at.

    Attributes:
        threshold: Boxes that score lower are nobody; None is what the detector recommends.
        nms: Boxes that overlap a better one by more are duplicates; None is the detector's own.
        soft: They lose score by exp(-IoU^2 / 0.5) instead (Bodla et al. 2017).
        least: Boxes with a shorter side are nobody, image pixels.
        most: Largest number of boxes of a picture, the best; 0 keeps all.
    """

    threshold: float | None = None
    nms: float | None = None
    soft: bool = False
    least: float = 0.0
    most: int = 0

    def __post_init__(self) -> None:
        shares = [x for x in (self.threshold, self.nms) if x is not None]
        if any(not 0 <= x <= 1 for x in shares) or self.least < 0 or self.most < 0:
            raise ConfigError(
                f"boxes.threshold {self.threshold}, boxes.nms {self.nms}, boxes.least "
                f"{self.least}, boxes.most {self.most}; thresholds lie in [0, 1], the others are "
                "at least 0"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """One pipeline.

    Attributes:
        name: What ``--system`` calls it; "" for the bundled default.
        model: Pose networks in order of preference.
        detector: Detectors in order of preference; none where the model finds people itself.
        boxes: Which boxes are looked at.
        test: The test-time procedure; None is the model's own.
        paper: Authors, title, venue.
        url: Where to read it.
    """

    name: str = ""
    model: tuple[str, ...] = ("pose",)
    detector: tuple[str, ...] = ("detector",)
    boxes: BoxRule = field(default_factory=BoxRule)
    test: Test | None = None
    paper: str = ""
    url: str = ""


def pipeline(name: str) -> Pipeline:
    """The pipeline of a name, or of ``their_pkg.module:function``.

    Raises:
        UnknownName: Nothing answers to it.
    """
    if ":" not in name and name not in pipeline_names():
        raise UnknownName("pipeline", name, pipeline_names())
    found: Callable[[], Pipeline] = find(
        "vitruvian.systems", name if ":" in name else f"pipelines:{name}"
    )
    return found()


def pipeline_names() -> list[str]:
    """Names of the pipelines of this file."""
    module = vars(sys.modules[__name__])
    functions = {n: f for n, f in module.items() if isfunction(f) and not signature(f).parameters}
    return sorted(n for n, f in functions.items() if signature(f).return_annotation is Pipeline)


def grmi() -> Pipeline:
    """G-RMI: boxes by IoU 0.6, votes of discs and offsets, their mean as score, OKS 0.5."""
    return _of(
        "grmi",
        g_rmi_res101_353x257(),
        small="g_rmi_s",
        detector="faster_rcnn_g_rmi_800x1200",
        boxes=BoxRule(nms=0.6),
    )


def megvii2018() -> Pipeline:
    """Megvii's entry to COCO 2018: recall first, four stages, flip test, box x mean score.

    Their detector finds 80 classes with a feature pyramid; what counts is that nobody is missed, so
    even unlikely boxes are looked at, and duplicates are left to the ranking.
    """
    return _of(
        "megvii2018",
        mspn_4stg_384x288(),
        small="mspn_s",
        detector="faster_rcnn_coco91_800x1344",
        boxes=BoxRule(threshold=0.1),
    )


def cpn() -> Pipeline:
    """CPN behind a detector with a feature pyramid: no further box suppression, flip test."""
    return _of("cpn", cpn_res101_384x288(), small="cpn_s", detector="faster_rcnn_coco91_800x1344")


def rmpe() -> Pipeline:
    """RMPE, as AlphaPose has it: an SSD's boxes, poses merged by the parametric pose NMS."""
    return _of(
        "rmpe",
        rmpe_res50_256x192(),
        small="rmpe_s",
        detector="ssd_512",
        boxes=BoxRule(threshold=0.09, nms=0.45),
    )


def mask_rcnn() -> Pipeline:
    """Mask R-CNN's keypoint branch, which finds the people itself."""
    return _of("mask_rcnn", mask_rcnn_res50_800x1344(), small="mask_rcnn_s")


def _of(
    name: str, page: System, *, small: str = "", detector: str = "", boxes: BoxRule | None = None
) -> Pipeline:
    """The pipeline of a page and its paper's detector.

    Args:
        name: See ``Pipeline``.
        page: The paper's pose network, whose test-time procedure it is.
        small: What stands in for it.
        detector: The paper's; "" where the network finds people itself.
        boxes: See ``Pipeline``.
    """
    return Pipeline(
        name=name,
        model=(page.name, small) if small else (page.name,),
        detector=(detector, "detector") if detector else (),
        boxes=boxes or BoxRule(),
        test=page.test,
        paper=page.paper,
        url=page.url,
    )
