"""What ``doctor`` says of labelled data."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from vitruvian.cli._data import written
from vitruvian.core.errors import InputError
from vitruvian.datasets import open_dataset
from vitruvian.datasets.bad import Bad
from vitruvian.datasets.pictures import Looks, look, shared
from vitruvian.datasets.problems import Finding, diagnose
from vitruvian.datasets.sigmas import estimate_sigmas
from vitruvian.datasets.table import Table
from vitruvian.outputs.files import replacing

_SHOWN = 5


def data(specs: Sequence[str], *, fix: str | None, out: Path | None, pictures: bool) -> int:
    """Look at each data set, and at what the first shares with the others; 1 if anything is wrong.

    Args:
        specs: ``READER:WHERE`` of each.
        fix: Where the repaired copy of the first goes: a JSON file or ``READER:WHERE``.
        out: File for the findings as JSON.
        pictures: Whether the pictures are opened.
    """
    found: dict[str, list[Finding]] = {}
    first, seen = None, list[tuple[str, Looks]]()
    for spec in specs:
        table, findings = _opened(spec)
        print(f"{spec}: {len(table)} pictures, {len(table.xy)} people, {_bones(table)}")
        if pictures:
            (more, table), looks = look(table)
            findings += more
            seen.append((spec, looks))
        more, table = diagnose(table)
        found[spec] = findings + more
        first = first or table
    assert first is not None
    for spec, looks in seen[1:]:
        more, first = shared(first, seen[0][1], looks, spec)
        found[specs[0]] += more
    for spec, findings in found.items():
        print("\n".join(_lines(spec if len(found) > 1 else "", findings)))
    if out:
        _write(out, {spec: [asdict(one) for one in some] for spec, some in found.items()})
    if fix:
        target = written(first, fix if ":" in fix else f"coco:{fix}")
        print(f"repaired: {target}: {len(first)} pictures, {len(first.xy)} people")
    return 1 if any(found.values()) else 0


def sigmas(one: str, two: str, *, out: Path | None) -> int:
    """Print the sigmas, and as JSON those of the skeleton in its order."""
    tables = [_opened(spec)[0] for spec in (one, two)]
    found = estimate_sigmas(*tables)
    width = max(map(len, found.names))
    for name, sigma, count in zip(found.names, found.values, found.counts, strict=True):
        print(f"{name:<{width}}  {sigma:.4f}  {count} people")
    if out:
        _write(out, found.to_json())
    return 0


def _opened(spec: str) -> tuple[Table, list[Finding]]:
    """The labels that can be read, and a finding for each that cannot."""
    bad = Bad(skip=True)
    table = open_dataset(spec, bad=bad)
    if not isinstance(table, Table):
        raise InputError(f"{spec}: its reader gives no Table, which is what can be checked")
    found = [Finding(check="records", what=what, fix="left out") for what in bad.left_out]
    odd = [Finding(check="visibility", what=what, fix="not labelled") for what in bad.notes]
    return table, found + odd


def _bones(table: Table) -> str:
    bones = table.skeleton
    return f"{len(bones)} keypoints of {bones.name}, {len(bones.swaps)} left/right pairs"


def _lines(spec: str, findings: Sequence[Finding]) -> Iterator[str]:
    """Findings by kind: how many, what repairs them, the first few."""
    if spec:
        yield f"{spec}:"
    if not findings:
        yield "nothing found"
    kinds: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        kinds.setdefault((one.check, one.fix), []).append(one)
    for (check, fix), some in kinds.items():
        yield f"{check}: {len(some)} found; {f'fix: {fix}' if fix else 'to be decided by you'}"
        yield from (f"  {_line(one)}" for one in some[:_SHOWN])
        if len(some) > _SHOWN:
            yield f"  … and {len(some) - _SHOWN} more"


def _line(one: Finding) -> str:
    person = "" if one.person is None else f"person {one.person}"
    where = " ".join(part for part in (one.picture, person) if part)
    names = f" ({', '.join(one.keypoints)})" if one.keypoints else ""
    return f"{where}: {one.what}{names}" if where else f"{one.what}{names}"


def _write(file: Path, content: object) -> None:
    with replacing(file) as part:
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
