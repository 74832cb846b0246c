"""Where a written number comes from: command, version, commit."""

import shlex
import subprocess
import sys
from pathlib import Path

import vitruvian


def origin() -> dict[str, str]:
    """The running command, the version and, in a checkout, the commit; + where it was changed."""
    found = {
        "vitruvian": vitruvian.__version__,
        "command": "vitruvian " + shlex.join(sys.argv[1:]),
    }
    # In a package that is installed below somebody else's checkout nothing is tracked.
    if _git("ls-files", "__init__.py"):
        changed = "+" if _git("status", "--short", "--", ".") else ""
        found["commit"] = _git("rev-parse", "--short", "HEAD") + changed
    return found


def _git(*words: str) -> str:
    """What git says in the package's folder; nothing where it fails or there is no git."""
    try:
        done = subprocess.run(
            ["git", *words],
            cwd=Path(vitruvian.__file__).parent,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()
