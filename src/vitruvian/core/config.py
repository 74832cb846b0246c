"""Settings are frozen dataclasses; ``--set train.lr=3e-4`` is the one way to change them.

A key is a dotted path of field names. A field may have a second name in its metadata:
``field(metadata={"set": "train"})`` on ``recipe`` lets ``train.lr`` stand for ``recipe.lr``.

In JSON a dataclass is an object. Where the field's type does not say which dataclass (a codec), its
``type`` does, as ``module:Class``; only this package's modules are imported to read it back, others
have to be imported already, so that a foreign file never chooses what code runs.
"""

import math
import sys
from ast import literal_eval
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import MISSING, fields, is_dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from types import UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    runtime_checkable,
)

from vitruvian.core.errors import ConfigError

_CONSTANTS = {"true": True, "false": False, "none": None}
_UNFIT = object()


@runtime_checkable
class Settings(Protocol):
    """Any dataclass."""

    __dataclass_fields__: ClassVar[dict[str, Any]]


S = TypeVar("S", bound=Settings)
T = TypeVar("T")


def override(settings: S, changes: Iterable[str]) -> S:
    """A copy of ``settings`` with ``KEY=VALUE`` changes applied in order.

    A value is read by the type of its field: ``3e-4``, ``true``, ``none``, ``256,192`` for a tuple.
    One entry of a dictionary is a key of its own: ``train.weights.coco=2``.

    Raises:
        ConfigError: There is no such key, or the value has the wrong type.
    """
    for change in changes:
        key, equals, text = (part.strip() for part in change.partition("="))
        if not (equals and key):
            raise ConfigError(f"cannot read setting {change!r}; write KEY=VALUE: train.lr=3e-4")
        settings = _set(settings, key.split("."), text, key, settings)
    return settings


def keys(settings: Settings) -> list[str]:
    """The keys that :func:`override` accepts; ``NAME`` stands for an entry of a dictionary."""
    found = []
    for field in fields(settings):
        name, value = field.metadata.get("set", field.name), getattr(settings, field.name)
        if isinstance(value, Settings):
            found += [f"{name}.{key}" for key in keys(value)]
        else:
            found.append(f"{name}.NAME" if isinstance(value, dict) else name)
    return sorted(found)


def to_json(settings: Settings) -> dict[str, object]:
    """The resolved settings, ready for ``json.dumps``; :func:`from_json` reads them back."""
    hints = get_type_hints(type(settings))
    return {f.name: _dump(getattr(settings, f.name), hints[f.name]) for f in fields(settings)}


def from_json(kind: type[T], data: Mapping[str, object], *, where: str = "") -> T:
    """Settings of dataclass ``kind`` from what :func:`to_json` made.

    Args:
        kind: The dataclass.
        data: One entry per field; those with a default may be left out.
        where: Prefix of the keys in error messages.

    Raises:
        ConfigError: A key is unknown or missing, or a value has the wrong type.
    """
    known = {f.name: f for f in fields(kind)}  # type: ignore[arg-type]
    for name in data:
        if name not in known:
            raise _unknown(where + name, [where + n for n in known])
    needed = (n for n, f in known.items() if f.default is f.default_factory is MISSING)
    lost = [where + name for name in needed if name not in data]
    if lost:
        raise ConfigError(f"{kind.__name__} needs {', '.join(lost)}; given are {sorted(data)}")
    hints = get_type_hints(kind)
    return kind(**{name: _read(value, hints[name], where + name) for name, value in data.items()})


def _set(settings: S, path: list[str], text: str, key: str, root: Settings) -> S:
    hints = get_type_hints(type(settings))
    for field in fields(settings):
        value, hint = getattr(settings, field.name), hints[field.name]
        if path[0] not in (field.name, field.metadata.get("set")):
            continue
        if len(path) == 1 and not isinstance(value, Settings):
            new = _read(_parse(text, hint), hint, key)
        elif len(path) > 1 and isinstance(value, Settings):
            new = _set(value, path[1:], text, key, root)
        elif len(path) > 1 and isinstance(value, dict):
            entry = get_args(hint)[1]
            new = {**value, ".".join(path[1:]): _read(_parse(text, entry), entry, key)}
        else:
            continue
        return replace(settings, **{field.name: new})
    raise _unknown(key, keys(root))


def _unknown(key: str, known: list[str]) -> ConfigError:
    inside = [k for k in known if k.startswith(f"{key}.")]
    if inside:
        return ConfigError(f"{key!r} is a group of settings; set one of {', '.join(inside)}")
    close = get_close_matches(key, known, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    group = key.rpartition(".")[0]
    beside = [k for k in known if k.rpartition(".")[0] == group] or known
    return ConfigError(f"no setting {key!r}; {hint}accepted are {', '.join(beside)}")


def _parse(text: str, hint: object) -> object:
    """What ``text`` means for a field of type ``hint``, or ``text`` if it means nothing else."""
    options = _options(hint)
    if text.lower() == "none" and type(None) in options:
        return None
    if str in options or any(get_origin(o) is Literal and text in get_args(o) for o in options):
        return text
    if text.lower() in _CONSTANTS:
        return _CONSTANTS[text.lower()]
    several = any(get_origin(option) is tuple for option in options)
    try:
        value: object = literal_eval(text)
    except (SyntaxError, TypeError, ValueError):
        value = text.removesuffix(",").split(",") if several else text
    return (value,) if several and not isinstance(value, tuple | list) else value


def _read(value: object, hint: object, key: str) -> Any:
    """``value``, as JSON has it, as the type ``hint``."""
    free = any(option is object or get_origin(option) is dict for option in _options(hint))
    if isinstance(value, Mapping) and "type" in value and not free:
        rest = {name: v for name, v in value.items() if name != "type"}
        return from_json(_tagged(value["type"], key), rest, where=f"{key}.")
    for option in _options(hint):
        fitted = _fit(value, option, key)
        if fitted is not _UNFIT:
            return fitted
    raise ConfigError(f"setting {key!r} is {value!r}; accepted is {_say(hint)}")


def _tagged(tag: object, key: str) -> type:
    module, _, name = str(tag).partition(":")
    if module.startswith("vitruvian."):
        with suppress(ImportError):
            import_module(module)
    kind = getattr(sys.modules.get(module), name, None)
    if isinstance(kind, type) and is_dataclass(kind):
        return kind
    raise ConfigError(
        f"setting {key!r} has the type {tag!r}, which is not a loaded dataclass MODULE:CLASS; "
        f"if it is a plug-in's, import {module or 'its module'} first"
    )


def _fit(value: object, kind: Any, key: str) -> object:
    origin, args = get_origin(kind), get_args(kind)
    if kind is object:
        return value
    if isinstance(kind, type) and is_dataclass(kind):
        return from_json(kind, value, where=f"{key}.") if isinstance(value, Mapping) else _UNFIT
    if origin is Literal:
        return value if any(value == a and type(value) is type(a) for a in args) else _UNFIT
    if origin is tuple:
        return _fit_tuple(value, args, key)
    if origin is dict:
        if not isinstance(value, Mapping):
            return _UNFIT
        return {str(k): _read(v, args[1], f"{key}.{k}") for k, v in value.items()}
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value) if math.isfinite(value) else _UNFIT
    return value if type(value) is kind else _UNFIT


def _fit_tuple(value: object, args: tuple[Any, ...], key: str) -> object:
    if not isinstance(value, list | tuple):
        return _UNFIT
    kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
    if len(kinds) != len(value):
        return _UNFIT
    return tuple(_read(v, k, key) for v, k in zip(value, kinds, strict=True))


def _dump(value: object, hint: object) -> object:
    if isinstance(value, Settings):
        kind, groups = type(value), list(filter(is_dataclass, _options(hint)))
        tag = {} if groups == [kind] else {"type": f"{kind.__module__}:{kind.__qualname__}"}
        return tag | to_json(value)
    if isinstance(value, tuple | list):
        return [_dump(item, object) for item in value]
    if isinstance(value, dict):
        return {name: _dump(item, object) for name, item in value.items()}
    return value


def _options(hint: object) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _say(hint: object) -> str:
    names = (o.__name__ if isinstance(o, type) else str(o) for o in _options(hint))
    return " or ".join(names).replace("typing.", "")
