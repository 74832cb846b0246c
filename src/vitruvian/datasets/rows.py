"""JSON whose bulk is a long list of numbers' records, without a Python object for each number.

Nine tenths of COCO's files are polygons, which nobody here reads: they are cut out of the text
before it is parsed. The annotations that are left have one layout, and NumPy reads their numbers.
"""

import gc
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64, Int64

_CHUNK = 1 << 17
"""Bytes that are read at once: they fit the processor's cache."""

_EXACT = 2**53
"""Whole numbers from here on are not all exact in float64."""

_EXACT_DIGITS = 15
_NUMBER = b"0123456789.-"
_NO_NUMBER = bytes(c for c in range(256) if c not in _NUMBER + b",")
_LAYOUT = re.compile(rb"[\s{}\[\]:,]*")
_KEY = re.compile(rb'"[A-Za-z_]+"')
_START = re.compile(rb"\s*:\s*\[\s*(?={)")
_END = re.compile(rb"}\s*\]")
_CUT = "\0"


@dataclass(frozen=True, slots=True)
class Rows:
    """Records of one layout as columns; read like a list of dictionaries.

    Attributes:
        fields: Key -> n numbers, or n W where it is a list of W numbers in every record.
    """

    fields: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(next(iter(self.fields.values())))

    def __getitem__(self, at: int) -> dict[str, Any]:
        return {key: column[at].tolist() for key, column in self.fields.items()}

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[at] for at in range(len(self)))

    def take(self, rows: Int64[np.ndarray, " m"]) -> "Rows":
        """The chosen records, in the given order."""
        return Rows({key: column[rows] for key, column in self.fields.items()})


def parse(text: bytes, *, skip: str, rows: str) -> Any:
    """``json.loads(text)``, but for what is under two keys.

    Args:
        text: JSON.
        skip: Objects, and lists of lists, under this key become 0.
        rows: The list under this key of the outermost object becomes :class:`Rows`, where its
            records have the same keys in the same order, each with as many numbers as in the
            others and nothing else.

    Raises:
        ValueError: It is no JSON.
    """
    with _uncollected():
        return _parse(text, skip, rows)


@contextmanager
def _uncollected() -> Iterator[None]:
    """JSON makes no cycles: looking for some among all its new objects costs a tenth."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _parse(text: bytes, skip: str, rows: str) -> Any:
    shorter = _without(text, skip)
    found = _cut_rows(shorter, rows)
    with suppress(ValueError):  # a list of lists of lists was cut in two, or it is no JSON
        if found:
            data = json.loads(found[0])
            # The key may have stood elsewhere, or twice.
            if isinstance(data, dict) and data.get(rows) == _CUT:
                return {**data, rows: found[1]}
        return json.loads(shorter)
    return json.loads(text)


def _without(text: bytes, key: str) -> bytes:
    """The text with 0 instead of objects and lists of lists under a key.

    A key inside a string would have its quotes escaped. What is anything else stays.
    """
    quoted = json.dumps(key).encode()
    kept: list[bytes] = []
    done, at = 0, text.find(quoted)
    while at >= 0:
        after = at + len(quoted)
        span = _span(text, after)
        if span:
            kept += (text[done : span[0]], b"0")
            done = after = span[1]
        at = text.find(quoted, after)
    return b"".join([*kept, text[done:]])


def _span(text: bytes, after: int) -> tuple[int, int] | None:
    """Where the list of lists, or the object, after a key begins and ends."""
    first = text.find(b"[[", after, after + 16)
    if first >= 0 and text[after:first].strip() == b":":
        # Numbers hold no quotes and no braces: the list ends before the next of them.
        stop = text.find(b'"', first)
        if stop < 0:
            stop = len(text)
        brace = text.find(b"}", first, stop)
        last = text.rfind(b"]]", first, brace if brace >= 0 else stop)
        return (first, last + 2) if last >= 0 else None
    first = text.find(b"{", after, after + 16)
    if first < 0 or text[after:first].strip() != b":":
        return None
    last = text.find(b"}", first) + 1
    try:
        json.loads(text[first:last])
    except ValueError:  # an object of objects, or a brace in a string
        return None
    return first, last


def _cut_rows(text: bytes, key: str) -> tuple[bytes, Rows] | None:
    """The text with a mark instead of the list of records under a key, and the records."""
    at = text.find(json.dumps(key).encode())
    start = _START.match(text, at + len(key) + 2) if at >= 0 else None
    end = _END.search(text, start.end()) if start else None
    if not start or not end:
        return None
    first, last = start.end(), end.start() + 1
    widths = _widths(text[first : text.find(b"}", first) + 1])
    counts = [width or 1 for width in widths.values()]
    values = _numbers(text, first, last, sum(counts)) if widths else None
    if values is None:
        return None
    columns = np.split(values, np.cumsum(counts)[:-1], axis=1)
    fields = {
        name: column if width else _whole(column[:, 0])
        for (name, width), column in zip(widths.items(), columns, strict=True)
    }
    mark = json.dumps(_CUT).encode()
    return text[: text.rfind(b"[", at, first)] + mark + text[end.end() :], Rows(fields)


def _widths(record: bytes) -> dict[str, int]:
    """Length of the list under each key of a record, 0 for a number; empty if it is else."""
    try:
        fields = json.loads(record)
    except ValueError:
        return {}
    widths = {key: len(v) if isinstance(v, list) else 0 for key, v in fields.items()}
    numbers = [n for v in fields.values() for n in (v if isinstance(v, list) else [v])]
    plain = {*map(type, numbers)} <= {int, float} and [] not in fields.values()
    # What is left without keys and numbers tells an exponent, and a key that stands twice.
    left, keys = _KEY.subn(b"", record.translate(None, _NUMBER))
    return widths if plain and keys == len(widths) and _LAYOUT.fullmatch(left) else {}


def _numbers(text: bytes, first: int, last: int, count: int) -> Float64[np.ndarray, "n c"] | None:
    """The numbers of the records from ``first`` to ``last``; None where one has another layout."""
    end = text.find(b"}", first) + 1
    layout = text[first:end].translate(None, _NUMBER)
    between = text[end : max(text.find(b"{", end, last), end)].translate(None, _NUMBER)
    if end < last and between.strip() != b",":
        return None
    found = []
    while first < last:
        stop = text.find(b"{", min(first + _CHUNK, last), last)
        stop = last if stop < 0 else stop
        piece = text[first:stop]
        more = stop < last
        layouts = [layout] * piece.count(b"{") + [b""] * more
        if piece.translate(None, _NUMBER) != between.join(layouts):
            return None
        numbers = piece.translate(None, _NO_NUMBER)
        values = _columns(numbers[:-1] if more else numbers, count)
        if values is None:
            return None
        found.append(values)
        first = stop
    return np.concatenate(found)


def _columns(text: bytes, count: int) -> Float64[np.ndarray, "n c"] | None:
    """Numbers between commas, ``count`` a record; None where one is no number or not exact."""
    digits = np.frombuffer(text, np.uint8) - np.uint8(ord("0"))
    comma = np.uint8((ord(",") - ord("0")) % 256)
    ends: np.ndarray = np.append(np.flatnonzero(digits == comma), len(digits))
    length = np.diff(ends, prepend=-1).reshape(-1, count) - 1
    if not length.all():
        return None
    odd = np.flatnonzero((digits > 9) & (digits != comma))
    plain = length.max(0) <= _EXACT_DIGITS
    plain[np.searchsorted(ends, odd) % count] = False
    ends = ends.reshape(-1, count)
    values = np.empty(ends.shape)
    wholes = _whole_numbers(digits, ends[:, plain].ravel(), length[:, plain].ravel())
    values[:, plain] = wholes.reshape(len(ends), -1)
    edges = np.flatnonzero(np.diff(~plain, prepend=False, append=False))
    for a, b in edges.reshape(-1, 2).tolist():
        spans = zip((ends - length)[:, a].tolist(), ends[:, b - 1].tolist(), strict=True)
        try:
            some = json.loads(b"[" + b",".join([text[i:j] for i, j in spans]) + b"]")
        except ValueError:
            return None
        values[:, a:b] = np.array(some, np.float64).reshape(-1, b - a)
    return values if np.abs(values).max() < _EXACT else None


def _whole_numbers(digits: np.ndarray, ends: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Numbers of digits alone, from where they end and how long they are."""
    numbers: np.ndarray = digits[ends - 1].astype(np.float64)
    for place in range(1, int(length.max(initial=0))):
        longer = np.flatnonzero(length > place)
        numbers[longer] += digits[ends[longer] - 1 - place] * 10.0**place
    return numbers


def _whole(column: Float64[np.ndarray, " n"]) -> np.ndarray:
    """The column as integers, if all are."""
    whole = column.astype(np.int64)
    return whole if (whole == column).all() else column
