"""Write the golden files anew: all entries, or only those named on the command line."""

import sys
from collections.abc import Callable
from pathlib import Path

from .measure import NETS, SYSTEMS, describe_net, describe_system, nets, read, systems, write


def _update(path: Path, all_: dict[str, Callable], describe: Callable, only: set[str]) -> None:
    old = read(path) if path.exists() else {}
    kept = {name: old[name] for name in all_ if only and name not in only and name in old}
    new = {name: describe(build) for name, build in all_.items() if not only or name in only}
    write(path, kept | new)


if __name__ == "__main__":
    _update(NETS, nets(), describe_net, set(sys.argv[1:]))
    _update(SYSTEMS, systems(), describe_system, set(sys.argv[1:]))
