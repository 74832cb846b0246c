"""load: names and files to a predictor."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import cast

from vitruvian.core.errors import ConfigError, UnknownName, WeightsError
from vitruvian.core.lookup import names
from vitruvian.core.skeleton import Skeleton
from vitruvian.image.read import MAX_PIXELS
from vitruvian.runtime.backends import Precision
from vitruvian.runtime.bottomup import BottomUp
from vitruvian.runtime.detect import Detector
from vitruvian.runtime.model import Model, load_model, read_model_file
from vitruvian.runtime.predictor import Predictor
from vitruvian.runtime.refine import Refiner, shared
from vitruvian.runtime.stopwatch import Stopwatch
from vitruvian.runtime.topdown import TopDown
from vitruvian.runtime.weights import bundled, bundled_model

_DEFAULTS = {"topdown": "pose", "detector": "detector"}
"""Bundled model that ``"default"`` stands for."""


def load(
    model: str | os.PathLike[str] = "default",
    *,
    detector: str | os.PathLike[str] | None = "default",
    refine: str | os.PathLike[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    device: str = "cpu",
    backend: str = "openvino",
    threads: int = 0,
    precision: Precision = "auto",
    flip: bool | None = None,
    conf: float | None = None,
    kpt_thr: float = 0.0,
    max_people: int = 0,
    batch: int = 0,
    max_pixels: int = MAX_PIXELS,
) -> Predictor:
    """A predictor, ready to run.

    Args:
        model: ``"default"``, a bundled model, an ``.onnx`` file that this package exported, or the
            name of the system that ``weights`` are of.
        detector: The same for the person detector; None for a predictor that is given boxes. A
            bottom-up model takes none, and the default is not loaded.
        refine: A model that finds the keypoints of the people anew (PoseFix); None for none.
        weights: The ``.onnx`` file of ``model``.
        device: ``cpu``, or another device that the backend finds.
        backend: ``openvino`` or ``onnxruntime``.
        threads: Processor threads; 0 leaves it to the backend.
        precision: ``auto`` or ``f32``.
        flip: Average with the mirrored views; None does what the model was tested with.
        conf: People whose boxes score lower are dropped (bottom-up: who score lower themselves);
            None does what the detector recommends.
        kpt_thr: Keypoints that score lower count as not found: NaN.
        max_people: Most people of one picture, by score; 0 keeps all.
        batch: Most views of one network call; 0 is 32 views of people or 4 of whole pictures.
        max_pixels: Larger pictures are refused before they are decoded.

    Raises:
        UnknownName: No model answers to the name.
        WeightsError: The model is missing, foreign, corrupt or not the one that was shipped.
        ConfigError: The backend or device does not exist, or a setting makes no sense.
        MissingExtra: The backend is not installed.
    """
    if not 0 <= kpt_thr <= 1 or not 0 <= (conf or 0) <= 1 or batch < 0 or max_people < 0:
        raise ConfigError(
            f"conf {conf}, kpt_thr {kpt_thr}, batch {batch}, max_people {max_people}; "
            "thresholds lie in [0, 1], batch and max_people are at least 0"
        )
    opened = partial(
        load_model, backend=backend, device=device, threads=threads, precision=precision
    )
    watch, network = Stopwatch(), _model(model, weights, ("topdown", "bottomup"), opened)
    refiner = None
    if refine is not None:
        again = _model(refine, None, ("refine",), opened)
        refiner = Refiner(model=again, flip=flip, batch=batch or 32, watch=watch)
        shared(refiner.skeleton, cast(Skeleton, network.metadata.skeleton))
    if network.metadata.task == "bottomup":
        if detector not in (None, "default"):
            raise ConfigError(
                f"{network.metadata.name!r} is a bottom-up model and takes no detector; "
                f"leave {str(detector)!r} out, or take a top-down model"
            )
        whole = BottomUp(
            model=network,
            flip=flip,
            conf=conf or 0.0,
            kpt_thr=kpt_thr,
            max_people=max_people,
            batch=batch or 4,
            watch=watch,
        )
        return Predictor(pose=whole, refiner=refiner, max_pixels=max_pixels, watch=watch)
    people = None
    if detector is not None:
        finder = _model(detector, None, ("detector",), opened)
        people = Detector(model=finder, conf=conf, max_people=max_people, watch=watch)
    pose = TopDown(model=network, flip=flip, kpt_thr=kpt_thr, batch=batch or 32, watch=watch)
    return Predictor(
        pose=pose, detector=people, refiner=refiner, max_pixels=max_pixels, watch=watch
    )


def _model(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    tasks: tuple[str, ...],
    opened: Callable[[bytes, str], Model],
) -> Model:
    data, where = model_bytes(os.fspath(name), weights, tasks[0])
    model = opened(data, where)
    if model.metadata.task not in tasks:
        raise WeightsError(
            f"{where} is a {model.metadata.task} model ({model.metadata.name!r}); "
            f"a {' or '.join(tasks)} model is needed here"
        )
    if weights is not None and name not in ("default", model.metadata.name):
        raise WeightsError(f"{where} holds {model.metadata.name!r}, not {str(name)!r}")
    return model


def model_bytes(
    name: str, weights: str | os.PathLike[str] | None = None, task: str = "topdown"
) -> tuple[bytes, str]:
    """The ONNX file that a name stands for, and what to call it; see :func:`load`."""
    if weights is not None or name.endswith(".onnx"):
        path = Path(name if weights is None else weights)
        return read_model_file(path), str(path)
    if name == "default" and task in _DEFAULTS:
        return bundled_model(_DEFAULTS[task]), f"bundled model {_DEFAULTS[task]!r}"
    if name in bundled():
        return bundled_model(name), f"bundled model {name!r}"
    systems = names("vitruvian.systems")
    if name in systems:
        raise WeightsError(
            f"no weights of {name!r} ship with the package; train or convert it, "
            f"`vitruvian export` it, and give the file: weights='{name}.onnx'"
        )
    raise UnknownName("model", name, ["default", *bundled(), *systems])
