"""Representations: encode targets, decode network outputs. NumPy only.

A codec is stored as the name of its file and its settings; the skeleton is stored beside it.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import cast

from vitruvian.core.config import Settings, from_json, to_json
from vitruvian.core.errors import UnknownName
from vitruvian.core.lookup import find, names
from vitruvian.core.protocols import BoxCodec, PersonCodec, SceneCodec
from vitruvian.core.skeleton import Skeleton

Codec = PersonCodec | SceneCodec | BoxCodec
"""Any codec of this folder."""


def codec_to_json(codec: Codec) -> dict[str, object]:
    """File name (key ``codec``) and settings, ready for JSON, without the skeleton."""
    settings = to_json(cast(Settings, codec))
    settings.pop("skeleton", None)
    return {"codec": type(codec).__module__.rpartition(".")[2]} | settings


def codec_from_json(data: Mapping[str, object], skeleton: Skeleton | None = None) -> Codec:
    """Codec of this folder from what :func:`codec_to_json` wrote.

    Raises:
        UnknownName: This folder has no such codec.
        ConfigError: A setting is unknown or has a value it cannot take, or the skeleton is missing.
    """
    settings = dict(data)
    name = str(settings.pop("codec", ""))
    if ":" in name:  # a model file names codecs of this folder, never anybody's code
        raise UnknownName("codec", name, names(__name__))
    made = find(__name__, name)
    if skeleton is not None and "skeleton" in {f.name for f in fields(cast(Settings, made))}:
        settings["skeleton"] = to_json(skeleton)
    return cast(Codec, from_json(cast(type[Settings], made), settings, where=f"{name}."))
