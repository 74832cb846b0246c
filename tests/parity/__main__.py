"""Print the parity table of the given fixtures (those of ``data/`` when none is given)."""

import sys
from pathlib import Path

from .runner import HEADER, check

if __name__ == "__main__":
    files = [Path(name) for name in sys.argv[1:]]
    files = files or sorted((Path(__file__).parent / "data").glob("net-*.npz"))
    print(HEADER)
    failed = 0
    for file in files:
        row = check(file)
        print(row, flush=True)
        failed += not row.ok
    sys.exit(1 if failed else 0)
