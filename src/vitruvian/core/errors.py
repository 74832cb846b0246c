"""The error tree: every message says what was given, what is accepted and what to do."""

from collections.abc import Iterable
from difflib import get_close_matches


class VitruvianError(Exception):
    """Base of every error this package raises on purpose."""


class InputError(VitruvianError, ValueError):
    """A picture, box, keypoint array or annotation that cannot be used."""


class ConfigError(VitruvianError, ValueError):
    """A setting that does not exist or has the wrong type."""


class UnknownName(VitruvianError, KeyError):
    """A name (system, network, skeleton, …) that nothing answers to."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        self.kind, self.name, self.known = kind, name, sorted(known)
        super().__init__(name)

    def __str__(self) -> str:
        close = get_close_matches(self.name, self.known, n=1, cutoff=0.5)
        hint = (
            f"did you mean {close[0]!r}?" if close else f"known: {', '.join(self.known) or 'none'}"
        )
        return f"no {self.kind} named {self.name!r}; {hint}"


class WeightsError(VitruvianError, RuntimeError):
    """A weight file that is corrupt, foreign, incomplete or does not match its hash."""


class MissingExtra(VitruvianError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs {package!r}, which is not installed; "
            f"run: pip install 'vitruvian[{extra}]'"
        )
