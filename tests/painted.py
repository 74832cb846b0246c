"""A world in which the right answer is known: people are coloured dots on grey.

Keypoint k of a person is a disc of colour k, the middle of the box a disc of yet another colour.
The models are real ONNX networks whose maps are how close the
colours around a pixel are to a colour. The detector knows people of one size: 50 x 100 of its
pixels.
"""

import itertools
import json
from collections.abc import Sequence

import cv2
import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper

from vitruvian.codecs.centres import Centres
from vitruvian.codecs.heatmap import Heatmap
from vitruvian.codecs.spatial_softmax import SpatialSoftmax
from vitruvian.codecs.tags import Tags
from vitruvian.core.skeleton import Skeleton, skeleton
from vitruvian.systems.metadata import KEY, Metadata
from vitruvian.systems.spec import Test

BONES = skeleton("coco17")
GREY = 128
COLOURS = np.array([c for c in itertools.product((0, 128, 255), repeat=3) if len(set(c)) > 1])[:18]
SIZE = (256, 192)
SEEN = (160, 160)
PERSON = (50, 100)
FIGURE = np.array(
    [
        [0.50, 0.08], [0.58, 0.03], [0.42, 0.03], [0.68, 0.08], [0.32, 0.08],
        [0.75, 0.25], [0.25, 0.25], [0.90, 0.40], [0.10, 0.40], [0.97, 0.55], [0.03, 0.55],
        [0.65, 0.55], [0.35, 0.55], [0.68, 0.76], [0.32, 0.76], [0.70, 0.97], [0.30, 0.97],
    ]
)  # fmt: skip
"""A standing person in a unit box, COCO order."""


def person(box: tuple[float, float, float, float]) -> np.ndarray:
    """17 2 keypoints of the figure in an xyxy box."""
    x0, y0, x1, y1 = box
    return np.array([x0, y0]) + FIGURE * [x1 - x0, y1 - y0]


def paint(size: tuple[int, int], *boxes: tuple[float, float, float, float]) -> np.ndarray:
    """A picture of (H, W) ``size`` with a figure in each box."""
    image = np.full((*size, 3), GREY, np.uint8)
    for box in boxes:
        radius = round((box[3] - box[1]) * 8 * 0.022)
        middle = [[(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]]
        dots = np.concatenate([person(box), middle])
        for (x, y), colour in zip(dots, COLOURS.tolist(), strict=True):
            centre = (round(x * 8), round(y * 8))
            cv2.circle(image, centre, radius, colour, -1, cv2.LINE_AA, shift=3)
    return image


def metadata(bones: Skeleton = BONES, **test: object) -> Metadata:
    """What the pose model says about itself."""
    return Metadata(
        name="painted",
        task="topdown",
        size=SIZE,
        codec=Heatmap(skeleton=bones, decoding="quarter"),
        skeleton=bones,
        test=Test(**test),
        licence="CC0-1.0",
        training={"data": "none"},
        version="0.0.0",
    )


def detector_metadata() -> Metadata:
    """What the detector says about itself."""
    return Metadata(name="painted_people", task="detector", size=SEEN, codec=Centres(stride=8))


def pose_model(about: Metadata | dict[str, object] | None = None, channels: int = 17) -> bytes:
    """An ONNX file: uint8 B 256 192 3 -> ``heatmap`` B K 64 48."""
    nodes, constants = closeness(COLOURS[:channels], "pooled", kernel=12, stride=4)
    constants["gain"] = np.array(2.0, np.float32)
    nodes.append(helper.make_node("Mul", ["pooled", "gain"], ["heatmap"]))
    outputs = {"heatmap": (channels, 64, 48)}
    return packed(nodes, constants, SIZE, outputs, metadata() if about is None else about)


def detector_model(about: Metadata | None = None) -> bytes:
    """An ONNX file: uint8 B 160 160 3 -> ``centre`` B 1 20 20 and ``box`` B 4 20 20."""
    nodes, constants = closeness(COLOURS[17:], "pooled", kernel=8, stride=8)
    sides = np.log(np.array([*PERSON, *PERSON], np.float32) / 2 / 8)
    constants |= {
        "gain": np.array(60.0, np.float32),
        "bias": np.array(-4.0, np.float32),
        "nothing": np.array(0.0, np.float32),
        "sides": sides.reshape(1, 4, 1, 1),
    }
    nodes += [
        helper.make_node("Mul", ["pooled", "gain"], ["gained"]),
        helper.make_node("Add", ["gained", "bias"], ["centre"]),
        helper.make_node("Mul", ["centre", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "sides"], ["box"]),
    ]
    outputs = {"centre": (1, 20, 20), "box": (4, 20, 20)}
    return packed(nodes, constants, SEEN, outputs, about or detector_metadata())


def refiner_model() -> bytes:
    """An ONNX file: the same with logits, which is given a pose as well and makes no use of it."""
    nodes, constants = closeness(COLOURS[:17], "pooled", kernel=12, stride=4)
    constants |= {
        "gain": np.array(200.0, np.float32),
        "nothing": np.array(0.0, np.float32),
        "cells": np.array([2, 3], np.int64),
        "last": np.array([2], np.int64),
    }
    nodes += [
        helper.make_node("Mul", ["pooled", "gain"], ["logits"]),
        helper.make_node("IsNaN", ["pose"], ["lost"]),
        helper.make_node("Cast", ["lost"], ["lost_xy"], to=TensorProto.FLOAT),
        helper.make_node("ReduceSum", ["lost_xy", "last"], ["lost_k"], keepdims=0),
        helper.make_node("Unsqueeze", ["lost_k", "cells"], ["lost_maps"]),
        helper.make_node("Mul", ["lost_maps", "nothing"], ["zeros"]),
        helper.make_node("Add", ["logits", "zeros"], ["heatmap"]),
    ]
    about = Metadata(
        name="painted_again",
        task="refine",
        size=SIZE,
        codec=SpatialSoftmax(skeleton=BONES),
        skeleton=BONES,
    )
    given = [helper.make_tensor_value_info("pose", TensorProto.FLOAT, ["B", 17, 2])]
    return packed(nodes, constants, SIZE, {"heatmap": (17, 64, 48)}, about, given)


def closeness(
    colours: np.ndarray, output: str, *, kernel: int, stride: int
) -> tuple[list[object], dict[str, np.ndarray]]:
    """Nodes and constants: the mean of exp(-|rgb - colour|^2 / 30^2) around each cell."""
    colours, pad = colours.astype(np.float32), (kernel - stride) // 2
    constants = {
        "twice": -2 * colours.reshape(-1, 3, 1, 1),
        "squares": (colours**2).sum(1),
        "sharp": np.array(-1 / 30**2, np.float32),
        "axis": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Transpose", ["float"], ["x"], perm=[0, 3, 1, 2]),
        helper.make_node("Mul", ["x", "x"], ["xx"]),
        helper.make_node("ReduceSum", ["xx", "axis"], ["norm"], keepdims=1),
        helper.make_node("Conv", ["x", "twice", "squares"], ["cross"]),
        helper.make_node("Add", ["cross", "norm"], ["distance"]),
        helper.make_node("Mul", ["distance", "sharp"], ["scaled"]),
        helper.make_node("Exp", ["scaled"], ["near"]),
        helper.make_node(
            "AveragePool", ["near"], [output], kernel_shape=[kernel] * 2, strides=[stride] * 2,
            pads=[pad] * 4, count_include_pad=1,
        ),
    ]  # fmt: skip
    return nodes, constants


def packed(
    nodes: list[object],
    constants: dict[str, np.ndarray],
    size: tuple[int | str, int | str],
    outputs: dict[str, tuple[int | str, ...]],
    about: Metadata | dict[str, object],
    given: Sequence[object] = (),
) -> bytes:
    """The bytes of an ONNX file that carries metadata."""
    graph = helper.make_graph(
        nodes,
        "painted",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, ["B", *size, 3]), *given],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["B", *shape])
            for name, shape in outputs.items()
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    checker.check_model(model)
    values = about.to_json() if isinstance(about, Metadata) else about
    helper.set_model_props(model, {KEY: json.dumps(values)})
    return bytes(model.SerializeToString())


def scene_metadata(**test: object) -> Metadata:
    """What the bottom-up model says about itself."""
    return Metadata(
        name="painted_scene",
        task="bottomup",
        size=(160, 160),
        codec=Tags(skeleton=BONES, search=4, radius=1, refine=False),
        skeleton=BONES,
        fit="short",
        divisor=32,
        test=Test(**{"oks_nms": 1.0, **test}),
    )


def scene_model(about: Metadata | None = None) -> bytes:
    """An ONNX file: uint8 B H W 3 -> ``heatmap`` and ``tag``, B 17 H/4 W/4.

    The tag of a cell is its x, in units of a person's width and a half.
    """
    nodes, constants = closeness(COLOURS[:17], "pooled", kernel=8, stride=4)
    constants |= {
        "gain": np.array(2.0, np.float32),
        "nothing": np.array(0.0, np.float32),
        "step": np.array(4 / 75, np.float32),
        "columns": np.array(3, np.int64),
    }
    nodes += [
        helper.make_node("Mul", ["pooled", "gain"], ["heatmap"]),
        helper.make_node("Mul", ["pooled", "nothing"], ["zeros"]),
        helper.make_node("Add", ["zeros", "step"], ["steps"]),
        helper.make_node("CumSum", ["steps", "columns"], ["tag"]),
    ]
    outputs = {name: (17, "h", "w") for name in ("heatmap", "tag")}
    return packed(nodes, constants, ("H", "W"), outputs, about or scene_metadata())
