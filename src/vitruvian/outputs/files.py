"""Files that are there whole or not at all."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary file beside ``path`` that takes its place when the block ends well.

    After an error, or Ctrl-C, the temporary file is gone and ``path`` is what it was. Links are
    followed; what is no regular file (``/dev/stdout``, a pipe) is written to directly.

    Raises:
        OSError: The file cannot be written; carries the name of ``path``.
    """
    final = Path(os.path.realpath(path))
    part = final
    try:
        if final.exists() and not final.is_file():
            yield final
            return
        final.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(final.suffix, f".{final.stem}.", final.parent)
        os.close(handle)
        part = Path(name)
        yield part
        os.chmod(part, _mode(final))
        os.replace(part, final)
    except OSError as error:
        if error.filename is None or Path(error.filename).parent == final.parent:
            raise OSError(error.errno, error.strerror or str(error), str(path)) from error
        raise
    finally:
        if part != final:
            part.unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """Permissions of the file that is replaced, or those that a new file gets."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask
