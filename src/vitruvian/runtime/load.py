"""load: names and files to a predictor."""

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from vitruvian.core.config import override
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
from vitruvian.systems.metadata import Metadata, read_metadata
from vitruvian.systems.pipelines import BoxRule, Pipeline, pipeline
from vitruvian.systems.spec import Task, Test

_log = logging.getLogger(__name__)

_OPTIONS = {"detector": "--detector", "topdown": "--model", "refine": "--refine"}
"""Where the command line takes a model of some task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Procedure:
    """What ``changes`` change.

    Attributes:
        boxes: Which boxes of the detector are looked at.
        test: The test-time procedure.
    """

    boxes: BoxRule
    test: Test


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runtime:
    """What runs every model, and what every part of a predictor is told; see :func:`load`."""

    backend: str
    device: str
    threads: int
    precision: Precision
    flip: bool | None
    conf: float | None
    kpt_thr: float
    max_people: int
    batch: int
    watch: Stopwatch = field(default_factory=Stopwatch)

    def __post_init__(self) -> None:
        thresholds = (self.kpt_thr, self.conf or 0)
        if not all(0 <= t <= 1 for t in thresholds) or self.batch < 0 or self.max_people < 0:
            raise ConfigError(
                f"conf {self.conf}, kpt_thr {self.kpt_thr}, batch {self.batch}, max_people "
                f"{self.max_people}; thresholds lie in [0, 1], batch and max_people are at least 0"
            )

    def open(self, file: "_File") -> Model:
        return load_model(
            file.data,
            file.where,
            backend=self.backend,
            device=self.device,
            threads=self.threads,
            precision=self.precision,
            metadata=file.metadata,
        )

    def pose(self, network: Model) -> BottomUp | TopDown:
        if network.metadata.task == "topdown":
            return TopDown(
                model=network,
                flip=self.flip,
                kpt_thr=self.kpt_thr,
                batch=self.batch or 32,
                watch=self.watch,
            )
        return BottomUp(
            model=network,
            flip=self.flip,
            conf=self.conf or 0.0,
            kpt_thr=self.kpt_thr,
            max_people=self.max_people,
            batch=self.batch or 4,
            watch=self.watch,
        )

    def detector(self, finder: Model, rule: BoxRule) -> Detector:
        rule = rule if self.conf is None else replace(rule, threshold=self.conf)
        rule = replace(rule, most=self.max_people) if self.max_people else rule
        return Detector(model=finder, rule=rule, watch=self.watch)

    def refiner(self, again: Model, first: Model) -> Refiner:
        refiner = Refiner(model=again, flip=self.flip, batch=self.batch or 32, watch=self.watch)
        shared(refiner.skeleton, cast(Skeleton, first.metadata.skeleton))
        return refiner


@dataclass(frozen=True, slots=True, kw_only=True)
class _File:
    """A model that was read and not opened: bytes, what to call it, what it says of itself."""

    data: bytes
    where: str
    metadata: Metadata


def load(
    model: str | os.PathLike[str] = "default",
    *,
    system: str | None = None,
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
    changes: Sequence[str] = (),
) -> Predictor:
    """A predictor, ready to run.

    Args:
        model: ``"default"``, a bundled model, an ``.onnx`` file that this package exported, or the
            name of the system that ``weights`` are of.
        system: A whole pipeline, ``grmi`` (see ``systems/pipelines.py``): what ``"default"`` stands
            for as model and as detector, which boxes are looked at, how people score, what is a
            duplicate. Where the weights of the paper's network do not ship, a small one stands in,
            and a warning says so. None is the bundled default.
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
            None does what the models recommend, which may ask for less of a box if the pose in
            it scores well (``test.min_score``).
        kpt_thr: Keypoints that score lower count as not found: NaN.
        max_people: Most people of one picture, by score; 0 keeps all.
        batch: Most views of one network call; 0 is 32 views of people or 4 of whole pictures.
        max_pixels: Larger pictures are refused before they are decoded.
        changes: ``KEY=VALUE`` settings of ``boxes`` and ``test``, as ``"test.oks_nms=0.7"``.

    Raises:
        UnknownName: No model answers to the name.
        WeightsError: The model is missing, foreign, corrupt or not the one that was shipped.
        ConfigError: The backend or device does not exist, or a setting makes no sense.
        MissingExtra: The backend is not installed.
    """
    runtime = _Runtime(
        backend=backend,
        device=device,
        threads=threads,
        precision=precision,
        flip=flip,
        conf=conf,
        kpt_thr=kpt_thr,
        max_people=max_people,
        batch=batch,
    )
    plan = Pipeline() if system is None else pipeline(system)
    file = _first(model, weights, plan.model, ("topdown", "bottomup"), plan.name)
    rules = _procedure(plan, file.metadata, conf, changes)
    network = runtime.open(replace(file, metadata=replace(file.metadata, test=rules.test)))
    refiner = people = None
    if refine is not None:
        again = runtime.open(_first(refine, None, (), ("refine",), plan.name))
        refiner = runtime.refiner(again, network)
    if _takes_boxes(network, detector) and detector is not None:
        preferred = plan.detector or Pipeline().detector
        finder = runtime.open(_first(detector, None, preferred, ("detector",), plan.name))
        people = runtime.detector(finder, rules.boxes)
    return Predictor(
        pose=runtime.pose(network),
        detector=people,
        refiner=refiner,
        max_pixels=max_pixels,
        watch=runtime.watch,
        system=plan.name,
    )


def _takes_boxes(network: Model, detector: str | os.PathLike[str] | None) -> bool:
    """Whether the model needs a detector; one that was named for a bottom-up model is an error."""
    if network.metadata.task == "bottomup" and detector not in (None, "default"):
        raise ConfigError(
            f"{network.metadata.name!r} is a bottom-up model and takes no detector; "
            f"leave {str(detector)!r} out, or take a top-down model"
        )
    return network.metadata.task == "topdown"


def _procedure(
    plan: Pipeline, metadata: Metadata, conf: float | None, changes: Sequence[str]
) -> Procedure:
    """The pipeline's procedure, or the model's own, with the changes.

    Whether mirrored maps are shifted depends on the grid that the network was trained on.
    """
    own = metadata.test
    test = own if plan.test is None else replace(plan.test, shift_flipped=own.shift_flipped)
    if conf is not None:
        test = replace(test, min_score=0.0)
    return override(Procedure(boxes=plan.boxes, test=test), changes)


def _first(
    name: str | os.PathLike[str],
    weights: str | os.PathLike[str] | None,
    preferred: Sequence[str],
    tasks: tuple[Task, ...],
    system: str,
) -> _File:
    """The model that a name stands for; ``"default"`` is the first of ``preferred`` that ships."""
    chosen = os.fspath(name)
    if chosen == "default" and weights is None and system and preferred:
        chosen = next((n for n in preferred if n in bundled()), preferred[-1])
        if chosen != preferred[0]:
            _log.warning(
                "%s: %r stands in for %r, whose weights do not ship; give them with %s FILE",
                system,
                chosen,
                preferred[0],
                _OPTIONS[tasks[0]],
            )
    data, where = model_bytes(chosen, weights, tasks[0])
    metadata = read_metadata(data, where)
    if metadata.task not in tasks:
        raise WeightsError(
            f"{where} is a {metadata.task} model ({metadata.name!r}); "
            f"a {' or '.join(tasks)} model is needed here"
        )
    if weights is not None and name not in ("default", metadata.name):
        raise WeightsError(f"{where} holds {metadata.name!r}, not {str(name)!r}")
    return _File(data=data, where=where, metadata=metadata)


def model_bytes(
    name: str, weights: str | os.PathLike[str] | None = None, task: str = "topdown"
) -> tuple[bytes, str]:
    """The ONNX file that a name stands for, and what to call it; see :func:`load`."""
    if weights is not None or name.endswith(".onnx"):
        path = Path(name if weights is None else weights)
        return read_model_file(path), str(path)
    if name == "default" and task != "refine":
        name = (Pipeline().detector if task == "detector" else Pipeline().model)[0]
        return bundled_model(name), f"bundled model {name!r}"
    if name in bundled():
        return bundled_model(name), f"bundled model {name!r}"
    systems = names("vitruvian.systems")
    if name in systems:
        option = _OPTIONS.get(task, "--model")
        raise WeightsError(
            f"no weights of {name!r} ship with the package; train them (`vitruvian train {name} "
            "--data …`) or convert published ones (`vitruvian convert`), then `vitruvian export` "
            f"them and give the file: {option} {name}.onnx, in Python "
            f"{option.removeprefix('--')}='{name}.onnx'"
        )
    raise UnknownName("model", name, ["default", *bundled(), *systems])
