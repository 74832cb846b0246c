"""One file per label format; ``open_dataset("coco:people.json")`` finds the file by its name."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from vitruvian.core.errors import ConfigError
from vitruvian.core.lookup import find, names
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton
from vitruvian.datasets.bad import Bad


@runtime_checkable
class Dataset(Protocol):
    """Pictures with what is known about their people; no pixels are held."""

    @property
    def skeleton(self) -> Skeleton:
        """Names and order of the K keypoints of every sample."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...

    def __iter__(self) -> Iterator[Sample]: ...


def open_dataset(spec: str, *, bad: Bad | None = None) -> Dataset:
    """Data set of ``READER:WHERE``, for example ``coco:people/annotations/val.json``.

    READER is a file of this folder, whose function of the same name gets WHERE;
    ``their_pkg.module:name:WHERE`` calls one of somebody else's package the same way.

    Args:
        spec: The text.
        bad: Leaves bad records out and counts them, where it skips; by default they are errors.

    Raises:
        ConfigError: The text has not this form.
        UnknownName: There is no such reader.
        InputError: The labels cannot be read.
    """
    reader, where = split_spec(spec)
    made: Dataset = find(__name__, reader)(where, *([bad] if bad else []))
    return made


def save_dataset(table: Dataset, spec: str) -> None:
    """Write labels at ``READER:WHERE``, where :func:`open_dataset` finds them again.

    The writer is the function ``write_READER`` of the reader's file.

    Raises:
        ConfigError: The text has not this form.
        UnknownName: There is no such reader, or it has no writer.
        OSError: It cannot be written.
    """
    reader, where = split_spec(spec)
    file, _, name = reader.rpartition(":")
    find(__name__, f"{file or reader}:write_{name}")(table, where)


def split_spec(spec: str) -> tuple[str, str]:
    """READER and WHERE of a data set's name.

    Raises:
        ConfigError: The text has not this form.
    """
    reader, colon, where = spec.partition(":")
    if "." in reader:
        name, colon, where = where.partition(":")
        reader = f"{reader}:{name}"
    if not (reader and colon and where):
        raise ConfigError(
            f"data set {spec!r}; write READER:WHERE, e.g. coco:annotations.json@images, "
            f"with one of {', '.join(names(__name__))}"
        )
    return reader, where
