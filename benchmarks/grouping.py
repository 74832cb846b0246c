"""Milliseconds from fields to people: all grouping decoders, beside plain ones and the goals.

python -m benchmarks.grouping [--shared ../shared] [--repeats 20] [-o benchmarks/grouping.json]

Writes the JSON and, beside it, the table as Markdown. Three parts:

``decoders``: 1, 10, 30 and 100 people on maps of the fixtures' sizes (grouping_scenes.py), ours and
plain; peak memory of ours as tracemalloc sees it, as a multiple of the fields; and milliseconds per
person at 100 people over those at 10, on one view. ``fixtures``: the authors' own fields, the
``decode-*`` files of the shared folder. The parity check of each runs once, so its verdict stands
beside the times, and every call of a codec's ``decode`` in it is repeated alone; a second line
without ``faithful`` shows the defaults where a check sets it. ``programme``: DeeperCut's integer
programme on candidates of people who are told apart by costs with noise.

Processor time of one thread, after warm-up; the least is the least disturbed by other programs.
"""

import argparse
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import cv2
import numpy as np

from benchmarks.grouping_scenes import Decoder, decoders
from benchmarks.record import keep, quartiles
from tests.parity.runner import check, known
from vitruvian.codecs import codec_to_json
from vitruvian.core.lookup import find, names
from vitruvian.kernels.multicut import solve

PEOPLE, PLAIN = (1, 10, 30, 100), (1, 10, 30)
WARM_UP = 2


def milliseconds(
    call: Callable[[], object], repeats: int, warm_up: int = WARM_UP
) -> dict[str, float]:
    """Least, median and quartiles of the processor time."""
    runs = []
    for _ in range(warm_up + repeats):
        start = time.process_time()
        call()
        runs.append(1e3 * (time.process_time() - start))
    return quartiles(runs[warm_up:]) | {"least": round(min(runs[warm_up:]), 4)}


def measured(decoder: Decoder, repeats: int) -> dict[str, object]:
    """One decoder on all its scenes."""
    scenes: dict[str, object] = {}
    for count in PEOPLE:
        if count == 100 and decoder.growth[2] != decoder.size:
            continue  # these views are too small for so many
        fields = decoder.fields(count)
        run = partial(decoder.codec.decode, fields, decoder.size)
        row: dict[str, object] = {"ours": milliseconds(run, repeats)}
        tracemalloc.start()
        (people,) = run()
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        read = sum(fields[field.name].nbytes for field in decoder.codec.fields)
        row |= {"found": len(people.xy), "memory_over_fields": round(peak / read, 2)}
        if count in PLAIN:
            row["plain"] = milliseconds(partial(decoder.plain, fields), 2, warm_up=0)
        scenes[str(count)] = row
    codec, crowd, size = decoder.growth
    each = {
        count: milliseconds(partial(codec.decode, crowd(count), size), max(repeats // 2, 3))[
            "least"
        ]
        for count in (10, 100)
    }
    return {
        "goals": decoder.goals,
        "people": scenes,
        "per_person_at_100_over_10": round(each[100] / each[10] / 10, 3),
    }


def programme(repeats: int) -> dict[str, object]:
    """Times and largest gap of the exact grouping of 20, 40 and 60 candidates."""
    found = {}
    for count in (20, 40, 60):
        problems = [candidates(count, 12, seed) for seed in range(5)]
        solved = [solve(*problem, seconds=30) for problem in problems]
        times = [milliseconds(partial(solve, *p, seconds=30), repeats)["median"] for p in problems]
        gap = max(s.gap for s in solved)
        found[str(count)] = {"ms": quartiles(times), "slowest": max(times), "largest_gap": gap}
    return found


def candidates(count: int, each: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Costs of ``count`` candidates, ``each`` of one person, with noise."""
    rng = np.random.default_rng(seed)
    pairs = np.stack(np.triu_indices(count, 1), axis=1)
    same = (pairs // each)[:, 0] == (pairs // each)[:, 1]
    cost = np.where(same, -4.0, 4.0) + 3 * rng.normal(size=len(pairs))
    return rng.normal(-1, 1, count), pairs, cost


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
    people = sum(len(found.xy) for found in codec.decode(fields, size))
    return {"people": people, "ms": milliseconds(partial(codec.decode, fields, size), repeats)}


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


def table(found: dict[str, dict]) -> str:
    """Markdown: least milliseconds at 1, 10, 30 and 100 people, plain ones and goals beside."""
    lines = [
        "| decoder | 1 / 10 / 30 people, ms | goal | plain | 100 people | memory / fields | "
        "per person, 100 / 10 |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in found.items():
        people = row["people"]
        ours, plain = (
            " / ".join(f"{people[str(n)][kind]['least']:.3g}" for n in PLAIN)
            for kind in ("ours", "plain")
        )
        many = f"{people['100']['ours']['least']:.3g}" if "100" in people else "-"
        memory = " / ".join(str(people[str(n)]["memory_over_fields"]) for n in PLAIN)
        goals = " / ".join(f"{goal:g}" for goal in row["goals"])
        cells = (name, ours, goals, plain, many, memory, row["per_person_at_100_over_10"])
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure and write JSON and table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shared", type=Path, default=Path("../shared"))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--only", default="", help="part of a decoder's or a fixture's name")
    parser.add_argument("-o", "--out", type=Path, default=Path("benchmarks/grouping.json"))
    args = parser.parse_args()
    cv2.setNumThreads(1)
    made = {
        name: measured(decoder, args.repeats)
        for name, decoder in decoders().items()
        if args.only in name
    }
    found_files = sorted((args.shared / "parity").glob("decode-*.npz"))
    files = [path for path in found_files if args.only in path.stem]
    found = [row for path in files if known(path) for row in rows(path, args.repeats)]
    args.out.with_suffix(".md").write_text(table(made))
    keep(
        args.out,
        {
            "what": "milliseconds of processor time per view, one thread, fields to people",
            "repeats": args.repeats,
            "decoders": made,
            "fixtures": found,
            "missing": [path.stem for path in files if not known(path)],
            "programme": programme(2) if args.only in "programme" else {},
        },
    )


if __name__ == "__main__":
    main()
