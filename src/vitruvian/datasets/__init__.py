"""One file per label format; ``open_dataset("coco:people.json")`` finds the file by its name."""

from collections.abc import Iterator
from typing import Protocol, runtime_checkable

from vitruvian.core.errors import ConfigError
from vitruvian.core.lookup import find, names
from vitruvian.core.sample import Sample
from vitruvian.core.skeleton import Skeleton


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


def open_dataset(spec: str) -> Dataset:
    """Data set of ``READER:WHERE``, for example ``coco:people/annotations/val.json``.

    READER is a file of this folder, whose function of the same name gets WHERE;
    ``their_pkg.module:name:WHERE`` calls one of somebody else's package the same way.

    Raises:
        ConfigError: The text has not this form.
        UnknownName: There is no such reader.
        InputError: The labels cannot be read.
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
    made: Dataset = find(__name__, reader)(where)
    return made
