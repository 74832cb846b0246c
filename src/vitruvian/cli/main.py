"""The command line: finds the verb, runs it, turns errors into one line and an exit code.

A verb is a file of this folder (``convert_dataset.py`` is convert-dataset) with a docstring,
``add_arguments(parser)`` and ``run(args)``, which returns the exit code. Only the file of the verb
that was asked for is imported.
"""

import argparse
import ast
import os
import signal
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import FrameType

from vitruvian.core.errors import ConfigError, UnknownName, VitruvianError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code.

    0: all went well. 1: something could not be done. 2: wrong usage. 130: stopped by Ctrl-C.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        return _run(words)
    except VitruvianError as error:
        _complain(str(error))
        return 2 if isinstance(error, ConfigError | UnknownName) else 1
    except BrokenPipeError:  # nobody reads on: vitruvian list | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except OSError as error:
        where = f"{error.filename}: " if error.filename else ""
        _complain(f"{where}{error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        _complain("stopped")
        return 130


def _run(words: list[str]) -> int:
    verbs = _verbs()
    if not words or words[0] in ("-h", "--help"):
        print(_overview(verbs))
        return 0 if words else 2
    if words[0] in ("-V", "--version"):
        import vitruvian

        print(f"vitruvian {vitruvian.__version__}")
        return 0
    if words[0] not in verbs:
        raise UnknownName("command", words[0], verbs)
    module = import_module(f"vitruvian.cli.{verbs[words[0]].stem}")
    parser = argparse.ArgumentParser(
        prog=f"vitruvian {words[0]}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    args = parser.parse_args(words[1:])
    signal.signal(signal.SIGTERM, _terminated)
    code: int = module.run(args)
    return code


def _verbs() -> dict[str, Path]:
    files = Path(__file__).parent.glob("[!_]*.py")
    return {file.stem.replace("_", "-"): file for file in sorted(files) if file.stem != "main"}


def _overview(verbs: dict[str, Path]) -> str:
    width = max(map(len, verbs))
    rows = (f"  {verb:<{width}}  {_headline(file)}" for verb, file in verbs.items())
    return "\n".join(
        [
            "usage: vitruvian COMMAND …",
            "",
            "2D human pose estimation of many people.",
            "",
            *rows,
            "",
            "vitruvian COMMAND --help tells more; vitruvian --version the version.",
        ]
    )


def _headline(file: Path) -> str:
    """First line of the docstring, read without importing the file."""
    text = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    return text.partition("\n")[0].rstrip(".")


def _terminated(_number: int, _frame: FrameType | None) -> None:
    """End by an exception, so that unfinished files are cleared away."""
    sys.exit(143)


def _complain(message: str) -> None:
    print(f"vitruvian: error: {' '.join(message.split())}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
