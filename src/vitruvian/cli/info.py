"""Say what is known of a system, a model file, a bundled model or a skeleton."""

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitruvian.core.errors import MissingExtra, UnknownName

if TYPE_CHECKING:
    from vitruvian.core.skeleton import Skeleton
    from vitruvian.systems.spec import System

Facts = Iterator[tuple[str, object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("name", help="system, .onnx file, bundled model or skeleton")


def run(args: argparse.Namespace) -> int:
    """Print one fact per line."""
    for key, value in _facts(args.name):
        text = value if isinstance(value, str) else json.dumps(value)
        print(f"{key + ':':<14} {text}")
    return 0


def _facts(name: str) -> Facts:
    from vitruvian.core.lookup import find, names
    from vitruvian.core.skeleton import skeleton, skeleton_names
    from vitruvian.runtime.model import read_model_file
    from vitruvian.runtime.weights import bundled, bundled_model

    systems = names("vitruvian.systems")
    if name.endswith(".onnx"):
        return _model(read_model_file(name), name)
    if name in bundled():
        return _model(bundled_model(name), name)
    if name in systems:
        return _system(find("vitruvian.systems", name)())
    if name in skeleton_names() or name.endswith(".json"):
        return _skeleton(skeleton(name))
    raise UnknownName("system, model or skeleton", name, [*bundled(), *systems, *skeleton_names()])


def _model(data: bytes, name: str) -> Facts:
    import hashlib

    from vitruvian.systems.metadata import read_metadata

    yield from read_metadata(data, name).to_json().items()
    yield "bytes", len(data)
    yield "sha256", hashlib.sha256(data).hexdigest()


def _system(page: "System") -> Facts:
    from vitruvian.core.config import to_json

    yield "name", page.name
    yield "paper", page.paper
    if page.url:
        yield "url", page.url
    yield "task", page.task
    yield "network", page.net + (f" {json.dumps(page.net_args)}" if page.net_args else "")
    yield from _size(page)
    yield "input", to_json(page.input)
    if page.skeleton:
        yield "skeleton", f"{page.skeleton.name}, {len(page.skeleton)} keypoints"
    yield "codec", type(page.codec).__name__
    for output in page.codec.fields:
        shape = [
            output.channels,
            *(output.cells(page.input.size) if output.stride or output.axis else ()),
        ]
        yield "output", f"{output.name} {shape}, stride {output.stride}"
    yield "recipe", to_json(page.recipe)
    yield "test", to_json(page.test)
    if page.licence:
        yield "licence", page.licence


def _size(page: "System") -> Facts:
    """Parameters, multiply-adds and memory, from shapes alone."""
    from vitruvian.core.lookup import find

    try:
        build = find("vitruvian.nets", page.net)
    except MissingExtra as error:
        yield "parameters", f"not counted; {error}"
        return
    from vitruvian.nets.count import answers, blank, macs, parameters

    net = blank(build, **page.net_args)
    count, size = parameters(net), page.input.size
    yield "parameters", f"{count:,}"
    yield (
        "multiply-adds",
        f"{macs(net, size) / 1e9:,.2f} G for one view, each counted once, of convolutions, linear "
        "layers and matrix products (papers' GFLOPs may be twice that, or / 2^30)",
    )
    yield (
        "memory",
        f"{count * 4 / 1e6:,.0f} MB of float32 weights, {count * 2 / 1e6:,.0f} MB exported; "
        f"{answers(net, size) * 4 / 1e6:,.0f} MB of layers' answers for one view in training",
    )


def _skeleton(bones: "Skeleton") -> Facts:
    swaps = {a: b for pair in bones.swaps for a, b in (pair, pair[::-1])}
    yield "name", bones.name
    yield "source", bones.source
    yield "keypoints", str(len(bones))
    sigmas = bones.sigmas or (None,) * len(bones)
    for k, (name, sigma) in enumerate(zip(bones.keypoints, sigmas, strict=True)):
        other = f", mirrors {swaps[name]}" if name in swaps else ""
        yield f"{k:>3}", f"{name}{'' if sigma is None else f', sigma {sigma}'}{other}"
