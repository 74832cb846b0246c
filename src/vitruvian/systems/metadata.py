"""Metadata: what an exported model says about itself; all that inference needs to know.

It is JSON under the key ``vitruvian`` of the ONNX file's own metadata. It is read here, without a
runtime, so that a foreign or corrupt file is named as such before any runtime parses it.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import get_args

from vitruvian.codecs import codec_from_json, codec_to_json
from vitruvian.core.calibration import Calibration
from vitruvian.core.config import from_json, to_json
from vitruvian.core.errors import VitruvianError, WeightsError
from vitruvian.core.skeleton import Skeleton
from vitruvian.core.view import Align, Fit
from vitruvian.systems.spec import Codec, System, Task, Test

KEY = "vitruvian"
FORMAT = 1

_METADATA_PROPS = 14
"""Field of ``ModelProto`` in onnx.proto: repeated {1: key, 2: value}."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """One exported model.

    Attributes:
        name: The system it was exported from.
        task: What it finds, and from what.
        size: (H, W) of its input in pixels.
        codec: Reads its outputs.
        skeleton: Keypoints, or None for a detector.
        padding: Factor on the aspect-corrected box (top-down).
        align: Grid convention of the crop.
        fit: Which side of ``size`` a whole picture gets (bottom-up).
        divisor: See ``Input``.
        remainder: See ``Input``.
        test: The test-time procedure.
        calibration: From the codec's keypoint scores to chances; None leaves the scores alone.
        licence: Licence of the weights.
        training: Data, command, scores: free provenance.
        version: Version of the package that wrote the file.
    """

    name: str
    task: Task
    size: tuple[int, int]
    codec: Codec
    skeleton: Skeleton | None = None
    padding: float = 1.25
    align: Align = "centre"
    fit: Fit = "box"
    divisor: int = 64
    remainder: int = 0
    test: Test = field(default_factory=Test)
    calibration: Calibration | None = None
    licence: str = ""
    training: Mapping[str, object] = field(default_factory=dict)
    version: str = ""

    @property
    def given(self) -> dict[str, tuple[int, ...]]:
        """What the network is given beside views: name -> shape for one view.

        A refiner is given a pose, K 2 in view pixels, NaN where nobody found the keypoint.
        """
        if self.task != "refine" or self.skeleton is None:
            return {}
        return {"pose": (len(self.skeleton), 2)}

    @staticmethod
    def of(
        system: System,
        *,
        training: Mapping[str, object] | None = None,
        version: str = "",
    ) -> "Metadata":
        """Metadata of a system, for export and for validation while it trains."""
        return Metadata(
            name=system.name,
            task=system.task,
            size=system.input.size,
            codec=system.codec,
            skeleton=system.skeleton,
            padding=system.input.padding,
            align=system.input.align,
            fit=system.input.fit,
            divisor=system.input.divisor,
            remainder=system.input.remainder,
            test=system.test,
            licence=system.licence,
            training=training or {},
            version=version,
        )

    def to_json(self) -> dict[str, object]:
        """The dictionary that is stored under :data:`KEY`; :meth:`from_json` reads it back."""
        return {
            "format": FORMAT,
            "name": self.name,
            "task": self.task,
            "size": list(self.size),
            "padding": self.padding,
            "align": self.align,
            "fit": self.fit,
            "divisor": self.divisor,
            "remainder": self.remainder,
            "skeleton": self.skeleton.to_json() if self.skeleton else None,
            "codec": codec_to_json(self.codec),
            "test": to_json(self.test),
            "calibration": to_json(self.calibration) if self.calibration else None,
            "licence": self.licence,
            "training": dict(self.training),
            "version": self.version,
        }

    @staticmethod
    def from_json(data: Mapping[str, object]) -> "Metadata":
        """Metadata from the dictionary that :meth:`to_json` made.

        Raises:
            WeightsError: It is of another format, or something in it is missing or wrong.
        """
        if data.get("format") != FORMAT:
            raise WeightsError(
                f"model metadata has format {data.get('format')!r}, this version reads {FORMAT}; "
                "install the version that wrote it or export the model again"
            )
        try:
            bones = data["skeleton"]
            skeleton = Skeleton.from_json(bones) if bones is not None else None  # type: ignore[arg-type]
            knots = data.get("calibration")
            height, width = map(int, data["size"])  # type: ignore[call-overload]
            metadata = Metadata(
                name=str(data["name"]),
                task=_choice(data["task"], *get_args(Task)),  # type: ignore[arg-type]
                size=(height, width),
                codec=codec_from_json(data["codec"], skeleton),  # type: ignore[arg-type]
                skeleton=skeleton,
                padding=float(data["padding"]),  # type: ignore[arg-type]
                align=_choice(data["align"], "centre", "legacy", "udp"),  # type: ignore[arg-type]
                fit=_choice(data.get("fit", "box"), *get_args(Fit)),  # type: ignore[arg-type]
                divisor=int(data.get("divisor", 64)),  # type: ignore[call-overload]
                remainder=int(data.get("remainder", 0)),  # type: ignore[call-overload]
                test=from_json(Test, data["test"], where="test."),  # type: ignore[arg-type]
                calibration=from_json(Calibration, knots, where="calibration.") if knots else None,  # type: ignore[arg-type]
                licence=str(data.get("licence", "")),
                training=dict(data.get("training") or {}),  # type: ignore[call-overload]
                version=str(data.get("version", "")),
            )
        except (VitruvianError, KeyError, TypeError, ValueError) as error:
            lost = f"{error} is missing" if type(error) is KeyError else str(error)
            raise WeightsError(f"model metadata cannot be used: {lost}") from error
        if (metadata.task == "detector") != (skeleton is None):
            raise WeightsError(
                f"model {metadata.name!r}: a {metadata.task} model has "
                f"{'a' if skeleton else 'no'} skeleton; export it again"
            )
        return metadata


def read_metadata(data: bytes, name: str = "model") -> Metadata:
    """Metadata of an ONNX file.

    Args:
        data: The file's bytes.
        name: What to call it in errors.

    Raises:
        WeightsError: It is no ONNX file, or not one that this package exported.
    """
    try:
        text = onnx_properties(data).get(KEY)
    except (IndexError, ValueError) as error:
        raise WeightsError(f"{name} is not an ONNX file, or a corrupt one: {error}") from error
    if text is None:
        raise WeightsError(
            f"{name} was not exported by this package: its metadata have no {KEY!r}; "
            "use `vitruvian export` or a bundled model"
        )
    try:
        values = json.loads(text)
    except json.JSONDecodeError as error:
        raise WeightsError(f"{name} has corrupt metadata: {error}") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{name} has corrupt metadata: {type(values).__name__}, not an object")
    return Metadata.from_json(values)


def onnx_properties(data: bytes) -> dict[str, str]:
    """The ``metadata_props`` of an ONNX file.

    Raises:
        ValueError: The bytes are not a protocol-buffer message from end to end.
        IndexError: They end in the middle of one.
    """
    properties = {}
    for number, body in _protobuf(memoryview(data)):
        if number == _METADATA_PROPS and isinstance(body, memoryview):
            entry = dict(_protobuf(body))
            properties[_text(entry.get(1))] = _text(entry.get(2))
    return properties


def _protobuf(data: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """(field number, value) of one message; protobuf.dev/programming-guides/encoding."""
    if not data:
        raise ValueError("it is empty")
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire not in (1, 2, 5) or not number:
            raise ValueError(f"wire type {wire} at byte {at}")
        length, at = _varint(data, at) if wire == 2 else ({1: 8, 5: 4}[wire], at)
        if at + length > len(data):
            raise IndexError("it is truncated")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 70:
        if at >= len(data):
            raise IndexError("it is truncated")
        value |= (data[at] & 127) << shift
        at, shift = at + 1, shift + 7
        if data[at - 1] < 128:
            return value, at
    raise ValueError(f"number without end at byte {at}")


def _text(body: memoryview | int | None) -> str:
    return bytes(body).decode() if isinstance(body, memoryview) else ""


def _choice(value: object, *accepted: str) -> str:
    if value not in accepted:
        raise ValueError(f"{value!r} is none of {', '.join(accepted)}")
    return str(value)
