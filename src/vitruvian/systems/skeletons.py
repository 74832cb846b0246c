"""A published system on a skeleton of one's own: a hand, an animal, a robot arm."""

from dataclasses import fields, is_dataclass, replace
from typing import Any

from vitruvian.core.errors import ConfigError, InputError
from vitruvian.core.skeleton import Skeleton
from vitruvian.systems.spec import System

_COUNTS = ("channels", "keypoints", "tags")
"""Arguments of networks that count keypoints, background and the like added."""


def with_skeleton(system: System, bones: Skeleton) -> System:
    """The system for other keypoints: codec and network have as many channels as they need.

    The recipe's shares of data sets go, for they are those of the page's own.

    Raises:
        ConfigError: The system finds boxes, or is built of named parts that ``bones`` may not have.
    """
    ours = system.skeleton
    if ours is None:
        raise ConfigError(f"{system.name} finds boxes, and has no skeleton to change")
    more = len(bones) - len(ours)
    args = {
        name: value + more if name in _COUNTS and isinstance(value, int) else value
        for name, value in system.net_args.items()
    }
    if not set(_COUNTS) & set(args):
        args["channels"] = len(bones)
    return replace(
        system,
        codec=_changed(system.codec, bones, system.name),
        skeleton=bones,
        net_args=args,
        recipe=replace(system.recipe, weights={}),
    )


def _changed(codec: Any, bones: Skeleton, name: str) -> Any:
    """The codec, and codecs it is made of, with another skeleton."""
    changes: dict[str, Any] = {}
    for field in fields(codec):
        value = getattr(codec, field.name)
        if isinstance(value, Skeleton):
            changes[field.name] = bones
        elif is_dataclass(value):
            changes[field.name] = _changed(value, bones, name)
    try:
        return replace(codec, **changes)
    except (ConfigError, InputError) as error:
        raise ConfigError(
            f"{name} is built of named parts, and {bones.name!r} has others ({error}); "
            "train another system on it: vitruvian list systems"
        ) from error
