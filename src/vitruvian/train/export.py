"""Export: one ONNX file with everything inference needs, compared with torch before it is kept.

The graph takes RGB views, B H W 3 uint8 with any B, normalises them itself and gives one float32
output per field of the last stage. Where the page's rule makes views of many sizes (``fit``), it
takes any H and W of that rule. Weights are stored in float16 unless asked otherwise; arithmetic
stays in the runtime's precision.
"""

import json
import logging
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import nn

from vitruvian.core.errors import WeightsError
from vitruvian.runtime.backends import open_network
from vitruvian.systems.metadata import KEY, Metadata
from vitruvian.systems.spec import Input, System
from vitruvian.train.device import Normalised

OPSET = 20

MOST = 2**31 - 1
"""Bytes that one ONNX file can hold, a protocol buffer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """How far an exported network is from the torch network it came from.

    Attributes:
        runtime: What ran the exported file.
        difference: Field name -> largest difference over the field's largest magnitude.
    """

    runtime: str
    difference: Mapping[str, float]

    @property
    def worst(self) -> float:
        """Largest relative difference of any field."""
        return max(self.difference.values())


def export_onnx(
    net: nn.Module,
    system: System,
    path: Path,
    *,
    metadata: Metadata,
    half: bool = True,
    tolerance: float = 5e-3,
) -> Parity:
    """Write the file, run it for batches of 1 and 3, compare with torch.

    Args:
        net: The network with its weights.
        system: What it is.
        path: Where to write; replaced only when the file agrees with torch.
        metadata: Stored in the file.
        half: Store weights in float16 (half the size; ``tolerance`` is met with them).
        tolerance: Largest accepted relative difference.

    Raises:
        WeightsError: The exported network disagrees with torch, or is too large for one file.
    """
    model = Normalised(net, system.input).eval()
    names = [field.name for field in system.codec.fields]
    proto = _to_onnx(model, system.input, names, metadata.given)
    if half:
        _store_half(proto)
    _require_small(proto, system.name, half)
    data = _described(proto, metadata)
    parity = compare(model, data, system.input.size, metadata.given)
    if system.input.fit != "box":
        other = (system.input.size[0], system.input.size[1] + 2 * system.input.divisor)
        parity = max(parity, compare(model, data, other, metadata.given), key=lambda p: p.worst)
    if parity.worst > tolerance:
        hint = "; weights kept in float32 lose nothing: --f32" if half else ""
        raise WeightsError(
            f"the exported {system.name} differs from torch by {parity.worst:.2g} of its outputs' "
            f"scale in {parity.runtime} (accepted: {tolerance:g}); nothing was written{hint}"
        )
    part = path.with_name(path.name + ".part")
    part.write_bytes(data)
    part.replace(path)
    return parity


def _require_small(proto: onnx.ModelProto, name: str, half: bool) -> None:
    size = sum(len(tensor.raw_data) for tensor in proto.graph.initializer)
    if size > MOST:
        hint = "" if half else "; leave out --f32 to halve it"
        raise WeightsError(
            f"{name} has {size / 1e9:.1f} GB of weights, more than the {MOST / 1e9:.1f} GB that "
            f"one ONNX file holds{hint}"
        )


def with_metadata(data: bytes, metadata: Metadata) -> bytes:
    """An exported file that says something else of itself; the network stays as it is."""
    return _described(onnx.load_model_from_string(data), metadata)


def _described(proto: onnx.ModelProto, metadata: Metadata) -> bytes:
    others = [entry for entry in proto.metadata_props if entry.key != KEY]
    del proto.metadata_props[:]
    proto.metadata_props.extend(others)
    entry = proto.metadata_props.add()
    entry.key, entry.value = KEY, json.dumps(metadata.to_json())
    data: bytes = proto.SerializeToString()
    return data


def compare(
    model: nn.Module,
    data: bytes,
    size: tuple[int, int],
    given: Mapping[str, tuple[int, ...]] = MappingProxyType({}),
    *,
    backend: str = "openvino",
) -> Parity:
    """Largest relative difference of an ONNX file from a torch model on random views.

    Args:
        model: Fields by name for views and what is given.
        data: The file's bytes.
        size: (H, W) of the views.
        given: Shapes, for one view, of coordinates that the network is given too.
        backend: What runs the file.
    """
    network = open_network(data, backend=backend, precision="f32")
    rng, worst = np.random.default_rng(0), {}
    for batch in (1, 3):
        views = rng.integers(0, 256, (batch, *size, 3), dtype=np.uint8)
        more = {
            name: rng.uniform(0, min(size), (batch, *shape)).astype(np.float32)
            for name, shape in given.items()
        }
        with torch.inference_mode():
            tensors = {name: torch.from_numpy(value) for name, value in more.items()}
            fields = model(torch.from_numpy(views), **tensors)
            truth = {name: out.numpy() for name, out in fields.items()}
        for name, ours in network(views, **more).items():
            scale = max(float(np.abs(truth[name]).max()), 1e-12)
            gap = float(np.abs(ours - truth[name]).max()) / scale
            worst[name] = max(worst.get(name, 0.0), gap)
    return Parity(runtime=network.name, difference=worst)


class _Listed(nn.Module):
    """Inputs and fields in the order of their names' lists, as the exporter wants them."""

    def __init__(self, model: nn.Module, given: list[str], names: list[str]) -> None:
        super().__init__()
        self.model, self.given, self.names = model, given, names

    def forward(self, image: torch.Tensor, *more: torch.Tensor) -> tuple[torch.Tensor, ...]:
        fields = self.model(image, **dict(zip(self.given, more, strict=True)))
        return tuple(fields[name] for name in self.names)


def _to_onnx(
    model: nn.Module,
    rule: Input,
    names: list[str],
    given: Mapping[str, tuple[int, ...]],
) -> onnx.ModelProto:
    views = torch.zeros((2, *rule.size, 3), dtype=torch.uint8)
    more = [torch.zeros(2, *shape) for shape in given.values()]
    batch = {0: torch.export.Dim("batch", min=1, max=1024)}
    view = batch if rule.fit == "box" else batch | _sides(rule)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter's own internals
        program = torch.onnx.export(
            _Listed(model, list(given), names).eval(),
            (views, *more),
            input_names=["image", *given],
            output_names=names,
            dynamic_shapes=(view, tuple(batch for _ in more)) if more else (view,),
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    proto: onnx.ModelProto = program.model_proto
    _forget_where(proto)
    return proto


def _sides(rule: Input) -> dict[int, object]:
    """Dimensions of a view whose sides are multiples of the rule's divisor, and its remainder."""
    sides = (torch.export.Dim(name, min=1, max=256) for name in ("rows", "columns"))
    return {i: rule.divisor * side + rule.remainder for i, side in enumerate(sides, start=1)}


def _forget_where(proto: onnx.ModelProto) -> None:
    """Drop the exporter's notes: they name source lines and folders of this machine."""
    graphs = [proto.graph]
    for graph in graphs:  # grows by the bodies of its loops
        graphs += [part.g for node in graph.node for part in node.attribute if part.HasField("g")]
        for part in (*graph.node, *graph.value_info, *graph.initializer):
            part.doc_string = ""
            del part.metadata_props[:]


def _store_half(proto: onnx.ModelProto) -> None:
    """Keep large weights in float16, each followed by a cast that runtimes fold away."""
    casts = []
    for tensor in proto.graph.initializer:
        if tensor.data_type != onnx.TensorProto.FLOAT or np.prod(tensor.dims) < 256:
            continue
        name, value = tensor.name, numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(value, f"{name}.half"))
        casts.append(
            onnx.helper.make_node("Cast", [f"{name}.half"], [name], to=onnx.TensorProto.FLOAT)
        )
    nodes = [*casts, *proto.graph.node]
    del proto.graph.node[:]
    proto.graph.node.extend(nodes)
