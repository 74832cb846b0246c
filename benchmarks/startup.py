"""Seconds from nothing to an import, a help text, the first pose; each in a process of its own.

python benchmarks/startup.py [--repeats 10] [-o benchmarks/startup.json]

``python`` alone is the floor: the interpreter's own start, part of every other number. ``import``
and ``help`` are also given less that floor.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

from record import keep, quartiles

PHOTO = Path(__file__).parents[1] / "examples" / "astronaut.jpg"
CLI = "import sys; from vitruvian.cli.main import main; sys.exit(main(sys.argv[1:]))"
PROGRAMS = {
    "python": ["-c", "pass"],
    "import": ["-c", "import vitruvian"],
    "help": ["-c", CLI, "predict", "--help"],
    "load": ["-c", "import vitruvian; vitruvian.load(threads=2)"],
    "first_pose": ["-c", CLI, "predict", str(PHOTO), "--threads", "2"],
}


def seconds(program: list[str]) -> float:
    """Wall time of one process."""
    start = time.perf_counter()
    subprocess.run([sys.executable, *program], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    """Measure in turns, so that a busy minute hits every program, and write JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("-o", "--out", type=Path, default=Path("benchmarks/startup.json"))
    args = parser.parse_args()
    runs: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for turn in range(args.repeats + 1):
        for name, program in PROGRAMS.items():
            taken = seconds(program)
            if turn:  # the first writes byte code and fills the disk cache
                runs[name].append(taken)
    for name in ("import", "help"):
        pairs = zip(runs[name], runs["python"], strict=True)
        runs[f"{name}_over_python"] = [run - floor for run, floor in pairs]
    keep(
        args.out,
        {
            "what": "seconds of a process, interpreter included",
            "repeats": args.repeats,
            **{name: quartiles(values) for name, values in runs.items()},
        },
    )


if __name__ == "__main__":
    main()
