"""Skeleton: names, left/right pairs, limbs and sigmas of K keypoints, from one JSON file."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cache
from graphlib import CycleError, TopologicalSorter
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int64

from vitruvian.core.errors import ConfigError, InputError, UnknownName


@dataclass(frozen=True, slots=True, kw_only=True)
class Skeleton:
    """K named keypoints; everything refers to them by name, nothing assumes K = 17.

    Attributes:
        name: Look-up name, the stem of its file.
        keypoints: K names in the order of every K axis.
        swaps: (left, right) pairs by name; a mirrored picture exchanges them.
        limbs: (from, to) pairs by name, for drawing and for part-based codecs.
        parents: (child, parent) pairs by name, a forest; the root has no entry.
        sigmas: K OKS sigmas (Lin et al.; OKS uses variance (2 sigma)^2), or empty when unknown.
        derived: (joint, inputs) pairs; the joint is by definition the mean of its inputs. A
            labelled joint of that name is another joint: OpenPose's neck lies between the
            shoulders, the neck of LSP about a fifth of the way from there to the head's top.
        source: Where the definition and the sigmas come from.
    """

    name: str
    keypoints: tuple[str, ...]
    swaps: tuple[tuple[str, str], ...] = ()
    limbs: tuple[tuple[str, str], ...] = ()
    parents: tuple[tuple[str, str], ...] = ()
    sigmas: tuple[float, ...] = ()
    derived: tuple[tuple[str, tuple[str, ...]], ...] = ()
    source: str = ""

    def __post_init__(self) -> None:
        self._check_names()
        swapped = [n for pair in self.swaps for n in pair]
        if len(set(swapped)) != len(swapped):
            raise self._error("a keypoint stands in more than one swap pair")
        if not _is_forest(self.parents):
            raise self._error("parents must be a forest: one parent at most, no rings")
        if self.sigmas and len(self.sigmas) != len(self.keypoints):
            raise self._error(
                f"{len(self.sigmas)} sigmas for {len(self.keypoints)} keypoints; "
                "give one per keypoint or none"
            )

    def _check_names(self) -> None:
        known = set(self.keypoints)
        if len(known) != len(self.keypoints) or not known:
            raise self._error("keypoint names must be unique and at least one")
        pairs = [*self.swaps, *self.limbs, *self.parents]
        inputs = [(joint, *means) for joint, means in self.derived]
        missing = sorted({n for names in [*pairs, *inputs] for n in names} - known)
        if missing:
            raise self._error(
                f"{missing} are used in swaps, limbs, parents or derived but are not keypoints; "
                f"keypoints are {list(self.keypoints)}"
            )

    def _error(self, message: str) -> InputError:
        return InputError(f"skeleton {self.name!r}: {message}")

    def __len__(self) -> int:
        return len(self.keypoints)

    def index(self, name: str) -> int:
        """Position of a keypoint on the K axis."""
        if name not in self.keypoints:
            raise UnknownName(f"keypoint of {self.name}", name, self.keypoints)
        return self.keypoints.index(name)

    @property
    def flip_index(self) -> Int64[np.ndarray, " K"]:
        """K int64: ``mirrored[k] = original[flip_index[k]]``."""
        other = {a: b for a, b in self.swaps} | {b: a for a, b in self.swaps}
        return np.array([self.index(other.get(n, n)) for n in self.keypoints], np.int64)

    @property
    def limb_index(self) -> Int64[np.ndarray, "E 2"]:
        """E 2 int64, the limbs as positions on the K axis."""
        rows = [[self.index(a), self.index(b)] for a, b in self.limbs]
        return np.array(rows, np.int64).reshape(-1, 2)

    @property
    def mirrored_limbs(self) -> tuple[Int64[np.ndarray, " E"], Bool[np.ndarray, " E"]]:
        """Of each limb the one on the other side, and whether that runs the other way.

        Raises:
            ConfigError: A limb has no mirror image.
        """
        ends = [tuple(pair) for pair in self.limb_index.tolist()]
        found = [tuple(pair) for pair in self.flip_index[self.limb_index].tolist()]
        turned = [pair not in ends for pair in found]
        found = [pair[::-1] if turn else pair for pair, turn in zip(found, turned, strict=True)]
        if missing := sorted({*found} - {*ends}):
            a, b = (self.keypoints[k] for k in missing[0][::-1])
            raise ConfigError(
                f"skeleton {self.name!r} has no limb between {a!r} and {b!r}, the mirror image of "
                "one that it has; add it, or test without flip"
            )
        return np.array([ends.index(pair) for pair in found], np.int64), np.array(turned, bool)

    @property
    def oks_sigmas(self) -> Float32[np.ndarray, " K"]:
        """K float32 OKS sigmas.

        Raises:
            InputError: The skeleton has none.
        """
        if not self.sigmas:
            raise InputError(
                f"skeleton {self.name!r} has no OKS sigmas; add 'sigmas' to its JSON, "
                "one number per keypoint, or use a metric without them (pck)"
            )
        return np.array(self.sigmas, np.float32)

    def to_json(self) -> dict[str, object]:
        """A JSON-ready dictionary; :meth:`from_json` reads it back."""
        return {
            "name": self.name,
            "keypoints": list(self.keypoints),
            "swaps": [list(p) for p in self.swaps],
            "limbs": [list(p) for p in self.limbs],
            "parents": [list(p) for p in self.parents],
            "sigmas": list(self.sigmas),
            "derived": {joint: list(inputs) for joint, inputs in self.derived},
            "source": self.source,
        }

    @staticmethod
    def from_json(data: dict[str, object]) -> "Skeleton":
        """Skeleton from the dictionary of one JSON file.

        Raises:
            InputError: A key is missing, unknown or of the wrong form.
        """
        allowed = {f.name for f in fields(Skeleton)}
        unknown, missing = set(data) - allowed, {"name", "keypoints"} - set(data)
        if unknown or missing:
            raise InputError(
                f"skeleton JSON: unknown keys {sorted(unknown)}, missing keys {sorted(missing)}; "
                f"accepted are {sorted(allowed)}"
            )
        json_data: dict[str, Any] = data
        try:
            return Skeleton(
                name=str(data["name"]),
                keypoints=tuple(map(str, json_data["keypoints"])),
                swaps=_pairs(json_data.get("swaps", ())),
                limbs=_pairs(json_data.get("limbs", ())),
                parents=_pairs(json_data.get("parents", ())),
                sigmas=tuple(map(float, json_data.get("sigmas", ()))),
                derived=tuple(
                    (joint, tuple(map(str, inputs)))
                    for joint, inputs in json_data.get("derived", {}).items()
                ),
                source=str(data.get("source", "")),
            )
        except InputError:
            raise
        except (AttributeError, TypeError, ValueError) as error:
            raise InputError(f"skeleton JSON {data.get('name')!r}: {error}") from error

    def save(self, path: str | Path) -> None:
        """Write one JSON file, one attribute a line."""
        lines = (f" {json.dumps(k)}: {json.dumps(v)}" for k, v in self.to_json().items())
        Path(path).write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")

    @staticmethod
    def load(path: str | Path) -> "Skeleton":
        """Read one JSON file.

        Raises:
            InputError: The file is missing or not a skeleton.
        """
        try:
            return Skeleton.from_json(json.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, json.JSONDecodeError) as error:
            raise InputError(f"cannot read skeleton {str(path)!r}: {error}") from error


def _pairs(rows: Iterable[Iterable[object]]) -> tuple[tuple[str, str], ...]:
    return tuple((str(a), str(b)) for a, b in rows)


def _is_forest(parents: tuple[tuple[str, str], ...]) -> bool:
    try:
        TopologicalSorter({child: {parent} for child, parent in parents}).prepare()
    except CycleError:
        return False
    return len(dict(parents)) == len(parents)


def skeleton_names() -> list[str]:
    """Names of the skeletons that ship with the package."""
    files = resources.files("vitruvian.core").joinpath("skeletons").iterdir()
    return sorted(f.name.removesuffix(".json") for f in files if f.name.endswith(".json"))


@cache
def skeleton(name: str) -> Skeleton:
    """A shipped skeleton by name (``"coco17"``) or a user's by path (``"hand.json"``).

    Raises:
        UnknownName: No skeleton of that name ships with the package.
        InputError: The file cannot be read.
    """
    if name.endswith(".json"):
        return Skeleton.load(name)
    if name not in skeleton_names():
        raise UnknownName("skeleton", name, skeleton_names())
    text = (
        resources.files("vitruvian.core").joinpath("skeletons", f"{name}.json").read_text("utf-8")
    )
    return Skeleton.from_json(json.loads(text))
