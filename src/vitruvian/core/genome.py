"""Genomes: keyword arguments of a network, of which some may be changed.

The file of a network that can be searched states which: its function ``genes`` takes the arguments
of the network that a search starts from, and maps names of arguments to a :class:`Gene` or, where
an argument is a tuple or a dictionary, to tuples or dictionaries of the same form.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from vitruvian.core.errors import ConfigError

TRIES = 1000
"""Draws before a search gives up to find a child."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gene:
    """A number (or a word) of a genome.

    Attributes:
        options: What it may be; nothing, and it is never changed.
        step: A mutation goes to the option before or after the present one, not to any.
    """

    options: tuple[object, ...]
    step: bool = False


@runtime_checkable
class Dice(Protocol):
    """The part of ``np.random.Generator`` that mutation needs."""

    def integers(self, high: int, /) -> int:
        """A number from 0 to ``high - 1``."""
        ...

    def random(self) -> float:
        """A number from 0 to 1."""
        ...


def mutate(
    args: Mapping[str, object],
    genes: Mapping[str, object],
    dice: Dice,
    valid: Callable[[Mapping[str, object]], bool] = lambda args: True,
) -> dict[str, object]:
    """A copy of ``args`` with another value of one gene (McNally et al. 2021, Sec. III-B).

    Which gene: one draw per level of ``genes`` that has more than one entry. A draw that changes
    nothing, or leads to no valid network, is repeated from there.

    Args:
        args: Keyword arguments of a network; those without a gene are kept.
        genes: See the module.
        dice: Source of every choice.
        valid: Whether a network can be made of a child, and is wanted.

    Raises:
        ConfigError: No child was valid, or ``args`` do not have the form of ``genes``.
    """
    for _ in range(TRIES):
        path, gene = _pick(genes, dice)
        if not gene.options:
            continue
        child = _changed(args, path, gene, dice)
        assert isinstance(child, dict)
        if child != args and valid(child):
            return child
    raise ConfigError(f"no valid child of {dict(args)} in {TRIES} draws; are the genes too narrow?")


def _pick(genes: Mapping[str, object], dice: Dice) -> tuple[list[str | int], Gene]:
    path: list[str | int] = []
    node: object = genes
    while not isinstance(node, Gene):
        if not isinstance(node, Mapping | Sequence) or not node:
            raise ConfigError(f"genes at {path} are {node!r}; accepted are Gene, tuple and dict")
        keys = list(node) if isinstance(node, Mapping) else list(range(len(node)))
        key = keys[int(dice.integers(len(keys))) if len(keys) > 1 else 0]
        path.append(key)
        node = node[key]
    return path, node


def _changed(node: object, path: list[str | int], gene: Gene, dice: Dice) -> object:
    """``node`` with another value at ``path``; it is not modified itself."""
    if not path:
        return _drawn(node, gene, dice)
    key, *deeper = path
    if isinstance(node, Mapping) and key in node:
        return {**node, key: _changed(node[key], deeper, gene, dice)}
    if isinstance(node, tuple | list) and isinstance(key, int) and key < len(node):
        value = _changed(node[key], deeper, gene, dice)
        return type(node)([*node[:key], value, *node[key + 1 :]])
    raise ConfigError(f"there is a gene at {key!r}, but the arguments have {node!r} there")


def _drawn(value: object, gene: Gene, dice: Dice) -> object:
    options = gene.options
    if not gene.step or value not in options:
        return options[int(dice.integers(len(options)))]
    index, last = options.index(value), len(options) - 1
    if 0 < index < last:
        return options[index + (1 if dice.random() < 0.5 else -1)]
    return options[min(1, last) if index == 0 else last - 1]
