"""Records that cannot be used: the data are refused, or the records are left out and counted."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from vitruvian.core.errors import InputError

Records = Sequence[dict[str, Any]]
T = TypeVar("T")


class BadRecords(InputError):
    """Records that break the same rule; the text of the error is about the first of them."""

    def __init__(self, found: Sequence[tuple[dict[str, Any], str]]) -> None:
        self.found = found
        more = f" (and {len(found) - 1} more like it)" if len(found) > 1 else ""
        super().__init__(found[0][1] + more)


@dataclass(slots=True, kw_only=True)
class Bad:
    """What a reader does with a record that it cannot use.

    Attributes:
        skip: Leave the record out and go on, instead of raising the error about it.
        left_out: What was wrong with each record that was left out.
        notes: What was odd and could be used all the same.
    """

    skip: bool = False
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __call__(self, error: InputError) -> None:
        """Raise the error, or take note that what it is about is left out."""
        if not self.skip:
            raise error
        found = error.found if isinstance(error, BadRecords) else [({}, str(error))]
        self.left_out += [message for _, message in found]

    @contextmanager
    def record(self) -> Iterator[None]:
        """A block that reads one record, or one file of many; after an error the rest follows."""
        try:
            yield
        except InputError as error:
            self(error)


def usable(build: Callable[[dict[str, Records]], T], lists: Mapping[str, Records], bad: Bad) -> T:
    """What ``build`` makes of the lists; without the records it complains of, where they may go.

    Each complaint is of all records that break one rule, so there are as many rounds as broken
    rules.

    Raises:
        InputError: Of ``build``, when ``bad`` does not skip or it is about no record of the lists.
    """
    left = dict(lists)
    while True:
        try:
            return build(left)
        except BadRecords as error:
            gone = {id(record) for record, _ in error.found}
            kept: dict[str, Records] = {
                name: [r for r in some if id(r) not in gone] for name, some in left.items()
            }
            if all(len(kept[name]) == len(left[name]) for name in left):
                raise
            bad(error)
            left = kept
