"""Find every network and system by its file, and describe it without computing anything."""

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from importlib import import_module
from pathlib import Path
from types import FunctionType

import torch
from torch import nn

import vitruvian.nets
import vitruvian.systems
from vitruvian.core.lookup import find
from vitruvian.nets.count import parameters, trace
from vitruvian.systems.spec import System

NETS = Path(__file__).parent / "nets.json"
SYSTEMS = Path(__file__).parent / "systems.json"
SIZE = (256, 256)
"""Input (H, W) that networks are described for; systems have their own."""


def nets() -> dict[str, Callable[..., nn.Module]]:
    """``file:function`` of every public function in ``nets/`` that gives a network as it is."""
    return dict(_functions(vitruvian.nets, nn.Module))


def systems() -> dict[str, Callable[[], System]]:
    """Every page by its function's name."""
    return {page.__name__: page for _, page in _functions(vitruvian.systems, System)}


def _functions(package, returned: type) -> Iterator[tuple[str, FunctionType]]:
    for file in sorted(Path(package.__path__[0]).glob("[!_]*.py")):
        module = import_module(f"{package.__name__}.{file.stem}")
        for name, function in inspect.getmembers(module, inspect.isfunction):
            signature = inspect.signature(function)
            kind, arguments = signature.return_annotation, signature.parameters.values()
            mine = function.__module__ == module.__name__ and not name.startswith("_")
            ready = mine and all(argument.default is not argument.empty for argument in arguments)
            if ready and isinstance(kind, type) and issubclass(kind, returned):
                yield f"{file.stem}:{name}", function


def blank(build: Callable[[], nn.Module]) -> nn.Module:
    """A network without numbers, which is quick to build."""
    with torch.device("meta"):
        return build()


def sized(build: Callable[..., nn.Module], size: tuple[int, int]) -> Callable[[], nn.Module]:
    """The network for views of ``size``: some are built for a size and take no other."""
    return partial(build, size=size) if "size" in inspect.signature(build).parameters else build


def describe_net(build: Callable[..., nn.Module]) -> dict:
    """Size and outputs of a network with its default arguments."""
    return _describe(blank(sized(build, SIZE)), SIZE)


def describe_system(page: Callable[[], System]) -> dict:
    """Size, outputs, input and fields of a system."""
    system = page()
    net = blank(partial(find("vitruvian.nets", system.net), **system.net_args))
    return {
        **_describe(net, system.input.size),
        "input": json.loads(json.dumps(asdict(system.input))),
        "fields": {f.name: [f.channels, f.stride] for f in system.codec.fields},
        "skeleton": system.skeleton and system.skeleton.name,
    }


def _describe(net: nn.Module, size: tuple[int, int]) -> dict:
    count, stages = trace(net, size)
    found = {"parameters": parameters(net), "macs": count, "stages": stages}
    return json.loads(json.dumps(found))


def write(path: Path, found: dict[str, dict]) -> None:
    """A golden file: one line per entry, so that a diff names what changed."""
    lines = [f" {json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(found.items())]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


def read(path: Path) -> dict[str, dict]:
    """What :func:`write` wrote."""
    return json.loads(path.read_text(encoding="utf-8"))
