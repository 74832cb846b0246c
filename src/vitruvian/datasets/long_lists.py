"""JSON whose bulk is two kinds of long lists of numbers, without a Python object for each number.

Nine tenths of COCO's files are polygons, which nobody here reads, and half of the rest are
keypoints. Both are cut out of the text before it is parsed; the keypoints are read by NumPy.
"""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Float32

_CHUNK = 1000
"""Lists that are read at once: their digits fit the processor's cache."""

_EXACT_DIGITS = 7
"""Whole numbers of so many digits are exact in float32."""


def parse(text: bytes, *, skip: str, rows: str) -> Any:
    """``json.loads(text)``, but for lists of numbers under two keys.

    Args:
        text: JSON.
        skip: Lists of lists under this key become a number.
        rows: Lists under this key become float32 arrays, where all of them are of one length and
            in objects that are listed directly under the keys of the outermost object.

    Raises:
        ValueError: It is no JSON.
    """
    shorter, _ = _cut(text, skip, b"[[", b"]]")
    shorter, lists = _cut(shorter, rows, b"[", b"]")
    table = _rows(lists)
    if table is not None:
        try:
            data = json.loads(shorter)
        except ValueError:  # a list of lists of lists was cut in two, or it is no JSON
            return json.loads(text)
        records = [record for record in _records(data) if type(record.get(rows)) is int]
        # Were a number there before, or a list elsewhere, these would not be all there are.
        if sorted(record[rows] for record in records) == list(range(len(table))):
            for record in records:
                record[rows] = table[record[rows]]
            return data
    return json.loads(text)


def _records(data: Any) -> Iterator[dict[str, Any]]:
    """Objects in the lists of an object."""
    lists = data.values() if isinstance(data, dict) else ()
    return (item for some in lists if isinstance(some, list) for item in some if type(item) is dict)


def _cut(text: bytes, key: str, start: bytes, end: bytes) -> tuple[bytes, list[bytes]]:
    """The text with the lists of numbers under a key numbered instead, and their insides.

    A key inside a string would have its quotes escaped. What is no list of numbers stays.
    """
    quoted = json.dumps(key).encode()
    kept: list[bytes] = []
    cut: list[bytes] = []
    done, at = 0, text.find(quoted)
    while at >= 0:
        after = at + len(quoted)
        first = text.find(start, after, after + 16)
        if first >= 0 and text[after:first].strip() == b":":
            last = text.find(end, first)
            inside = text[first + len(start) : last]
            if last >= 0 and b'"' not in inside:
                kept += [text[done:first], b"%d" % len(cut)]
                cut.append(inside)
                done = after = last + len(end)
        at = text.find(quoted, after)
    return b"".join([*kept, text[done:]]), cut


def _rows(lists: list[bytes]) -> Float32[np.ndarray, "N W"] | None:
    """The numbers of each list; None where they are not all as many or no numbers."""
    widths = {inside.count(b",") + 1 for inside in lists}
    if len(widths) != 1:
        return None
    chunks = (lists[i : i + _CHUNK] for i in range(0, len(lists), _CHUNK))
    try:
        numbers = np.concatenate([_numbers(b",".join(chunk)) for chunk in chunks])
        return numbers.reshape(len(lists), widths.pop())
    except (ValueError, TypeError):
        return None


def _numbers(text: bytes) -> Float32[np.ndarray, " n"]:
    """Numbers between commas: of digits alone column by column, of anything else by JSON."""
    bare = text.translate(None, b" \n\r\t")
    raw = np.frombuffer(bare, np.uint8)
    ends = np.append(np.flatnonzero(raw == ord(",")), len(raw))
    length = np.diff(ends, prepend=-1) - 1
    plain = not bare.translate(None, b"0123456789,")
    if not plain or not length.all() or length.max() > _EXACT_DIGITS:
        return np.array(json.loads(b"[" + text + b"]"), np.float32)
    digits = raw - np.uint8(ord("0"))
    numbers: np.ndarray = digits[ends - 1].astype(np.float32)
    for place in range(1, int(length.max())):
        longer = np.flatnonzero(length > place)
        numbers[longer] += digits[ends[longer] - 1 - place] * np.float32(10**place)
    return numbers
