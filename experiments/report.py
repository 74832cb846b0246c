"""What every experiment writes: JSON with command, commit and seeds, and a table beside it."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np

from vitruvian.metrics.bootstrap import Interval, interval, paired_interval


def share(rows: np.ndarray) -> dict[str, float]:
    """Percent and 95 % interval of sum(first column) / sum(second), people resampled."""
    return _percent(interval(rows[:, 0], rows[:, 1], np.random.default_rng(0)))


def difference(base: np.ndarray, rows: np.ndarray) -> dict[str, float]:
    """The same of ``rows`` minus ``base``, the same people drawn for both."""
    return _percent(paired_interval(base, rows, np.random.default_rng(0)))


def versus(base: str, found: dict[str, np.ndarray], sources: np.ndarray) -> list[dict[str, object]]:
    """One row per variant: its share, and how much better it is than ``base``, on each source."""
    rows: list[dict[str, object]] = []
    for source in ["all", *sorted(set(sources))]:
        here = np.ones(len(sources), bool) if source == "all" else sources == source
        for name, people in found.items():
            row: dict[str, object] = {"people of": source, "variant": name}
            row["OKS"] = share(people[here])
            if name != base:
                row[f"minus {base}"] = difference(found[base][here], people[here])
            rows.append(row)
    return rows


def keep(path: Path, title: str, rows: list[dict[str, object]], **more: object) -> None:
    """Write the JSON, and a Markdown table of the rows beside it."""
    dirty = "+" if _git("status", "-s", "src", "experiments/*.py") else ""
    record = {
        "command": shlex.join(["python", f"experiments/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "commit": _git("rev-parse", "--short", "HEAD") + dirty,
        **more,
        "rows": rows,
    }
    path.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(f"# {title}\n\n{table(rows)}\n", encoding="utf-8")
    print(table(rows))


def table(rows: list[dict[str, object]]) -> str:
    """Rows as Markdown; intervals in brackets, an asterisk where one leaves zero out."""
    head = list(dict.fromkeys(key for row in rows for key in row))
    lines = [
        head,
        ["---"] * len(head),
        *([_cell(row.get(key), key) for key in head] for row in rows),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object, key: str) -> str:
    if not isinstance(value, dict):
        return "" if value is None else str(value)
    sure = key.startswith("minus") and (value["low"] > 0 or value["high"] < 0)
    return f"{value['value']} [{value['low']}, {value['high']}]{' *' if sure else ''}"


def _percent(found: Interval) -> dict[str, float]:
    numbers = {"value": found.value, "low": found.low, "high": found.high}
    return {k: round(100 * v, 2) for k, v in numbers.items()} | {"people": found.people}


def _git(*words: str) -> str:
    here = Path(__file__).resolve().parents[1]
    done = subprocess.run(["git", *words], capture_output=True, text=True, check=False, cwd=here)
    return done.stdout.strip()
