"""Print the parity table of the given fixtures (those of ``data/`` that the runner knows)."""

import sys
from pathlib import Path

from .kinds import HEADER
from .runner import check, known

if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1:]]
    files = files or [*filter(known, sorted((Path(__file__).parent / "data").iterdir()))]
    print(HEADER)
    failed = 0
    for file in files:
        row = check(file)
        print(row, flush=True)
        failed += not row.ok
    sys.exit(1 if failed else 0)
