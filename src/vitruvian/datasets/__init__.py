"""One file per label format; ``open_dataset("coco:people.json")`` finds the file by its name."""

import importlib
import pkgutil
from collections.abc import Iterator
from typing import Protocol

from vitruvian.core.errors import ConfigError, UnknownName
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton


class Dataset(Protocol):
    """Pictures with what is known about their people; no pixels are held."""

    @property
    def skeleton(self) -> Skeleton:
        """Names and order of the K keypoints of every sample."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...


def reader_names() -> list[str]:
    """Names of the readers that ship with the package: the files of this folder."""
    return sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name != "table")


def open_dataset(spec: str) -> Dataset:
    """Data set of ``READER:WHERE``, for example ``coco:people/annotations/val.json``.

    READER is a file of this folder, whose ``read`` gets WHERE; ``their_pkg.module:name:WHERE``
    calls a function of somebody else's package the same way.

    Raises:
        ConfigError: The text has not this form.
        UnknownName: There is no such reader.
        InputError: The labels cannot be read.
    """
    reader, colon, where = spec.partition(":")
    function = "read"
    if "." in reader:
        function, colon, where = where.partition(":")
    if not (reader and function and colon and where):
        raise ConfigError(
            f"data set {spec!r}; write READER:WHERE, e.g. coco:annotations.json@images, "
            f"with one of {', '.join(reader_names())}"
        )
    if "." not in reader:
        if reader not in reader_names():
            raise UnknownName("data set reader", reader, reader_names())
        reader = f"{__name__}.{reader}"
    try:
        made: Dataset = getattr(importlib.import_module(reader), function)(where)
    except (ModuleNotFoundError, AttributeError) as error:
        raise UnknownName("data set reader", spec, reader_names()) from error
    return made
