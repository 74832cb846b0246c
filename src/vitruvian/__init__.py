"""2D human pose estimation of many people.

``load`` a predictor, call it with pictures, ``draw`` what it finds::

    import vitruvian

    pose = vitruvian.load()
    people = pose("street.jpg")
    picture = vitruvian.draw("street.jpg", people)

Importing the package loads nothing else; each name below is fetched when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitruvian.core.convert import convert as convert
    from vitruvian.core.errors import ConfigError as ConfigError
    from vitruvian.core.errors import InputError as InputError
    from vitruvian.core.errors import MissingExtra as MissingExtra
    from vitruvian.core.errors import UnknownName as UnknownName
    from vitruvian.core.errors import VitruvianError as VitruvianError
    from vitruvian.core.errors import WeightsError as WeightsError
    from vitruvian.core.poses import Poses as Poses
    from vitruvian.core.skeleton import Skeleton as Skeleton
    from vitruvian.core.skeleton import skeleton as skeleton
    from vitruvian.core.types import Boxes as Boxes
    from vitruvian.image.read import read as read
    from vitruvian.outputs.draw import draw as draw
    from vitruvian.runtime.load import load as load
    from vitruvian.runtime.predictor import Predictor as Predictor
    from vitruvian.runtime.video import frames as frames

__version__ = "0.1.0"

_HOME = {
    "Boxes": "core.types",
    "ConfigError": "core.errors",
    "InputError": "core.errors",
    "MissingExtra": "core.errors",
    "Poses": "core.poses",
    "Predictor": "runtime.predictor",
    "Skeleton": "core.skeleton",
    "UnknownName": "core.errors",
    "VitruvianError": "core.errors",
    "WeightsError": "core.errors",
    "convert": "core.convert",
    "draw": "outputs.draw",
    "frames": "runtime.video",
    "load": "runtime.load",
    "read": "image.read",
    "skeleton": "core.skeleton",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
