"""The models that ship with the package, checked against their hashes."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from vitruvian.core.errors import UnknownName, WeightsError

FOLDER = Path(__file__).parent / "models"
"""Holds ``models.json`` (name -> file, sha256, bytes) and the ONNX files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of ``models.json``.

    Attributes:
        path: The ONNX file.
        sha256: Of its bytes.
        bytes: Its size.
    """

    path: Path
    sha256: str
    bytes: int


def bundled(folder: Path | None = None) -> dict[str, Entry]:
    """The models of a folder (the package's own without one) by name; empty where none ship.

    Raises:
        WeightsError: The list is there but cannot be used.
    """
    folder = folder or FOLDER
    index = folder / "models.json"
    if not index.exists():
        return {}
    try:
        rows = json.loads(index.read_text(encoding="utf-8"))
        return {
            name: Entry(path=folder / row["file"], sha256=row["sha256"], bytes=int(row["bytes"]))
            for name, row in rows.items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise WeightsError(f"{index} is corrupt ({error}); install the package again") from error


def bundled_model(name: str, folder: Path | None = None) -> bytes:
    """The bytes of a bundled model, of the size and with the hash that were shipped.

    Raises:
        UnknownName: No model of that name ships.
        WeightsError: None ship at all, or the file is not the one that was shipped.
    """
    folder = folder or FOLDER
    entries = bundled(folder)
    if not entries:
        raise WeightsError(
            f"this installation has no bundled models ({folder / 'models.json'} is missing); "
            "give a model file: weights='model.onnx', on the command line --model model.onnx"
        )
    if name not in entries:
        raise UnknownName("bundled model", name, entries)
    entry = entries[name]
    try:
        data = entry.path.read_bytes()
    except OSError as error:
        raise WeightsError(
            f"bundled model {entry.path} cannot be read ({error.strerror}); "
            "install the package again"
        ) from error
    found = hashlib.sha256(data).hexdigest()
    if len(data) != entry.bytes or found != entry.sha256:
        raise WeightsError(
            f"bundled model {entry.path} has sha256 {found[:12]}… and {len(data)} bytes; "
            f"{entry.sha256[:12]}… and {entry.bytes} were shipped; install the package again"
        )
    return data
