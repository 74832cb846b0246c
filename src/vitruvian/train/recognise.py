"""Whose weights a checkpoint holds, when they are not those it was taken for."""

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from vitruvian.core.errors import WeightsError
from vitruvian.core.lookup import find, names
from vitruvian.nets import convert
from vitruvian.systems.spec import System


def start(
    net: nn.Module, state: Mapping[str, Tensor], name: str, *, fresh: tuple[str, ...] = ()
) -> str:
    """``convert.start``; where the weights are of another system, the error says of which.

    Args:
        net: The network of the system ``name``; filled in place.
        state: Tensors by the file's keys.
        name: The system that the weights were taken for.
        fresh: Starts of names of parameters that keep their values.

    Returns:
        What was filled.

    Raises:
        WeightsError: They do not fit.
    """
    with _saying_whose(net, state, name):
        return convert.start(net, state, fresh=fresh)


def load(net: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Fill all of the network of the system ``name`` from weights that have our names.

    Raises:
        WeightsError: They do not fit; says whose they are, or that they are to be converted.
    """
    with _saying_whose(net, state, name):
        convert.load(net, state)


@contextmanager
def _saying_whose(net: nn.Module, state: Mapping[str, Tensor], name: str) -> Iterator[None]:
    try:
        yield
    except WeightsError as error:
        found = convert.closest(net, state)
        if not found.faults:
            hint = f"they have its authors' names: vitruvian convert {name} FILE -o OUT.safetensors"
            raise WeightsError(f"{error}\n  {hint}") from error
        if not found.unused and not found.misshapen:
            raise  # half a checkpoint, which is nobody else's either
        guess = recognised(state, near=name, widely=bool(found.unused or found.missing))
        if not guess or guess == name:
            raise
        raise WeightsError(f"{error}\n  they fit {guess!r}: is it that system?") from error


def recognised(state: Mapping[str, Tensor], *, near: str, widely: bool = True) -> str:
    """A system whose network the tensors fill, or an empty string.

    First the systems of the page of ``near`` are tried, then (``widely``) those of the page whose
    first system has the most of the file's names. Networks are built without numbers.
    """
    pages = _pages()
    here = next((file for file, systems in pages.items() if near in systems), "")
    found = _filled(state, pages.pop(here, {}).values())
    if found or not pages or not widely:
        return found
    first = {file: next(iter(systems.values())) for file, systems in pages.items()}
    likely = max(first, key=lambda file: _used(state, first[file]))
    return _filled(state, pages[likely].values())


def _pages() -> dict[str, dict[str, System]]:
    """Module -> name -> system."""
    found: dict[str, dict[str, System]] = {}
    for name in names("vitruvian.systems"):
        page = find("vitruvian.systems", name)
        found.setdefault(page.__module__, {})[name] = page()
    return found


def _filled(state: Mapping[str, Tensor], systems: Iterable[System]) -> str:
    tried = set()
    for system in systems:
        network = json.dumps([system.net, system.net_args], sort_keys=True, default=str)
        if network not in tried and convert.closest(_blank(system), state).faults == 0:
            return system.name
        tried.add(network)
    return ""


def _used(state: Mapping[str, Tensor], system: System) -> int:
    return len(convert.closest(_blank(system), state).tensors)


def _blank(system: System) -> nn.Module:
    with torch.device("meta"):
        net: nn.Module = find("vitruvian.nets", system.net)(**system.net_args)
    return net
