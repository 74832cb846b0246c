"""Milliseconds per view of every grouping decoder on the authors' fields.

python -m benchmarks.grouping [--shared ../shared] [--repeats 20] [-o benchmarks/grouping.json]

Fields are those of the ``decode-*`` fixtures in the shared folder. The parity check of each fixture
runs once, so its verdict stands beside the times, and every call of a codec's ``decode`` in it is
then repeated alone: processor time of one thread, after warm-up. A second line without ``faithful``
shows the defaults where a check sets it. ``missing`` lists fixtures without a check. The goals and
the authors' times are those of the project's issue, for 1, 10 and 30 people on its machine.
"""

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from benchmarks.record import keep, quartiles
from tests.parity.runner import check, known
from vitruvian.codecs import codec_to_json
from vitruvian.core.lookup import find, names

WARM_UP = 2


@contextmanager
def recorded() -> Iterator[list[tuple]]:
    """Every call of a codec's ``decode``: the codec, its fields, the size of the view."""
    calls: list[tuple] = []
    patches = []
    for name in names("vitruvian.codecs"):
        codec = find("vitruvian.codecs", name)
        plain = codec.decode

        def decode(self, fields, size, plain=plain):
            calls.append((self, {key: np.array(value) for key, value in fields.items()}, size))
            return plain(self, fields, size)

        patches.append(patch.object(codec, "decode", decode))
    for one in patches:
        one.start()
    try:
        yield calls
    finally:
        for one in patches:
            one.stop()


def timed(codec, fields, size, repeats: int) -> dict[str, object]:
    """People found, and milliseconds of processor time."""
    runs = []
    for _ in range(WARM_UP + repeats):
        start = time.process_time()
        people = codec.decode(fields, size)
        runs.append(1e3 * (time.process_time() - start))
    return {"people": sum(len(found.xy) for found in people), "ms": quartiles(runs[WARM_UP:])}


def rows(path: Path, repeats: int) -> Iterator[dict[str, object]]:
    """One row for each view that the fixture's check decodes, and one with the defaults."""
    with recorded() as calls:
        verdict = check(path)
    for codec, fields, size in calls:
        about = {"fixture": path.stem, "equal": verdict.ok, "codec": codec_to_json(codec)["codec"]}
        about |= {"cells": {key: list(value.shape) for key, value in fields.items()}}
        yield (
            about
            | {"faithful": getattr(codec, "faithful", None)}
            | timed(codec, fields, size, repeats)
        )
        if getattr(codec, "faithful", False):
            ours = replace(codec, faithful=False)
            yield about | {"faithful": False} | timed(ours, fields, size, repeats)


def main() -> None:
    """Measure and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", default="", help="part of a fixture's name")
    parser.add_argument("-o", "--out", type=Path, default=Path("benchmarks/grouping.json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    found_files = sorted((args.shared / "parity").glob("decode-*.npz"))
    files = [path for path in found_files if args.only in path.stem]
    found = []
    for row in (row for path in files if known(path) for row in rows(path, args.repeats)):
        found.append(row)
        about = f"{row['fixture']:<24} {row['codec']:<10} faithful {row['faithful']!s:<6}"
        print(f"{about} {row['people']:>4} people {row['ms']['median']:>9.2f} ms", flush=True)
    keep(
        args.out,
        {
            "what": "milliseconds of processor time per view, one thread, fields to people",
            "repeats": args.repeats,
            "missing": [path.stem for path in files if not known(path)],
            "rows": found,
        },
    )


if __name__ == "__main__":
    main()
