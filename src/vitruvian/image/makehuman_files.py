"""Which of MakeHuman's files are used, where they come from, and fetching them.

They are released under CC0 1.0 by their authors (makehumancommunity/mpfb2, LICENSE.ASSETS.md;
makehumancommunity/makehuman-assets, README.md) and are not part of this package.
"""

import gzip
import hashlib
import os
from collections.abc import Callable, Mapping
from importlib.resources import files
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from vitruvian.core.errors import InputError

LICENCE = "CC0 1.0 Universal"

SOURCES = {
    "mpfb2": "https://raw.githubusercontent.com/makehumancommunity/mpfb2/master/",
    "assets": "https://raw.githubusercontent.com/makehumancommunity/makehuman-assets/master/",
}
"""Where the repositories' files are read from; a copy of them may be given instead."""

_PLACES = (
    ("mpfb/data/", "mpfb2", "src/mpfb/data/"),
    ("mpfb/rigs/", "mpfb2", "src/mpfb/data/rigs/standard/"),
    ("mh/", "assets", "base/"),
    ("poses/", "assets", "base/poses/"),
)

Fetch = Callable[[str], bytes]
"""Content of an address."""


def wanted() -> dict[str, str]:
    """SHA-256 of every file, by its path in the assets' folder."""
    text = files("vitruvian.image").joinpath("makehuman_files.txt").read_text(encoding="utf-8")
    rows = [line.split(maxsplit=1) for line in text.splitlines() if line]
    return {path: digest for digest, path in rows}


def address(path: str, sources: Mapping[str, str] = SOURCES) -> str:
    """Where a file comes from; the repository holds shape targets compressed."""
    for ours, source, theirs in _PLACES:
        if path.startswith(ours):
            packed = ".gz" if path.endswith(".target") else ""
            return f"{sources[source]}{theirs}{path.removeprefix(ours)}{packed}"
    raise InputError(f"{path}: not a file of MakeHuman's that is used here")


def _fetch(url: str) -> bytes:
    with urlopen(url, timeout=60) as answer:
        content: bytes = answer.read()
    return content


def get_assets(folder: Path, sources: Mapping[str, str] = SOURCES, fetch: Fetch = _fetch) -> str:
    """Fetch what is not there yet or is not as it should be; what was done, in words.

    Args:
        folder: Where to.
        sources: Addresses of the two repositories' files.
        fetch: Content of an address; raises OSError.

    Raises:
        InputError: A file cannot be had, or is another than the one that is known.
    """
    new = 0
    names = wanted()
    for path, digest in names.items():
        file = folder / path
        if file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == digest:
            continue
        content = _content(address(path, sources), digest, fetch)
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(file.name + ".part")
        part.write_bytes(content)
        os.replace(part, file)
        new += 1
    return (
        f"{folder}: {len(names)} files of MakeHuman and MPFB, {new} of them new, all as known by "
        f"SHA-256. Their authors released them under {LICENCE}: use them for anything."
    )


def _content(url: str, digest: str, fetch: Fetch) -> bytes:
    try:
        content = fetch(url)
        if url.endswith(".gz"):
            content = gzip.decompress(content)
    except (OSError, URLError, EOFError) as error:
        raise InputError(
            f"{url}: cannot be fetched ({error}); try again later: files that are there are kept"
        ) from error
    found = hashlib.sha256(content).hexdigest()
    if found != digest:
        raise InputError(
            f"{url}: SHA-256 {found[:16]}… is not that of the known file ({digest[:16]}…); it was "
            "changed at its source: take it from an older commit of the repository"
        )
    return content
