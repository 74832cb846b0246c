"""Validation while training, through the predictor that users get."""

from collections.abc import Callable

import numpy as np
from torch import nn

from vitruvian.core.errors import ConfigError
from vitruvian.datasets import Dataset
from vitruvian.evaluate import evaluate
from vitruvian.image.read import read
from vitruvian.metrics.box_ap import box_ap, recalled
from vitruvian.metrics.report import ALL, Report
from vitruvian.runtime.backends import torch_network
from vitruvian.runtime.bottomup import BottomUp
from vitruvian.runtime.detect import Detector
from vitruvian.runtime.model import Model
from vitruvian.runtime.predictor import Predictor
from vitruvian.runtime.topdown import TopDown
from vitruvian.systems.metadata import Metadata
from vitruvian.systems.spec import System
from vitruvian.train.device import Device, Normalised

Validate = Callable[[nn.Module], dict[str, float]]
"""Scores of a network in evaluation mode; the one named ``score`` chooses the best weights."""


def validator(system: System, data: Dataset, device: Device, *, limit: int = 0) -> Validate:
    """Validation of a system on labelled pictures.

    A pose network is scored with the true boxes by the mean OKS fraction (PCK without sigmas), a
    bottom-up one by AP on the fully annotated pictures (by the same fraction where there are none),
    a detector by box AP there (by recall at IoU .5).

    Args:
        system: What is trained.
        data: Validation pictures.
        device: Where the network is.
        limit: Only the first so many pictures; 0 is all.

    Raises:
        ConfigError: The system refines poses of others.
    """
    metadata = Metadata.of(system)
    precision = "bf16" if device.bf16 else "f32"

    def model(net: nn.Module) -> Model:
        views = Normalised(net, system.input).to(device.name).eval()
        backend = torch_network(views, device=device.name, precision=precision)
        return Model(metadata=metadata, backend=backend)

    def score_poses(net: nn.Module) -> dict[str, float]:
        predictor = Predictor(pose=TopDown(model=model(net)))
        scores = _scores(evaluate(predictor, data, boxes=("gt",), limit=limit))
        return {"score": scores.get("val_oks", scores["val_pck"]), **scores}

    def score_scenes(net: nn.Module) -> dict[str, float]:
        predictor = Predictor(pose=BottomUp(model=model(net)))
        report = evaluate(predictor, data, boxes=("detector",), limit=limit)
        scores = _scores(report)
        if report.rows[0].coco:
            scores |= {"val_ap": report.rows[0].coco.ap, "val_ap50": report.rows[0].coco.ap50}
        best = scores.get("val_ap", scores.get("val_oks", scores["val_pck"]))
        return {"score": best, **scores}

    def score_boxes(net: nn.Module) -> dict[str, float]:
        samples = [data[i] for i in range(min(len(data), limit or len(data)))]
        detector = Detector(model=model(net))
        found = [detector([read(sample.path)])[0] for sample in samples]
        people = [recalled(s.boxes[~s.crowd], b) for s, b in zip(samples, found, strict=True)]
        scores = {"val_recall": float(np.concatenate(people).mean())}
        whole = [i for i, sample in enumerate(samples) if sample.fully_annotated]
        if whole:
            ap = box_ap([samples[i] for i in whole], [found[i] for i in whole])
            scores |= {"val_ap": ap.ap, "val_ap50": ap.ap50}
        return {"score": scores.get("val_ap", scores["val_recall"]), **scores}

    if system.task == "refine":
        raise ConfigError(
            f"{system.name} refines poses of another system, which validation while training does "
            "not have; leave the validation data out and evaluate it afterwards"
        )
    kinds = {"bottomup": score_scenes, "detector": score_boxes}
    return kinds.get(system.task, score_poses)


def _scores(report: Report) -> dict[str, float]:
    """PCK and, where there are sigmas, the OKS fraction, of all pictures and of each source."""
    scores = {}
    for row in report.rows:
        at = "" if row.source == ALL else f"_{row.source}"
        scores[f"val_pck{at}"] = row.pck.value
        if row.oks_fraction is not None:
            scores[f"val_oks{at}"] = row.oks_fraction.value
    return scores
