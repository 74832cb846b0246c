"""Weight files: read them without running code, rename their keys, check everything, load.

A family's file states how public checkpoints name its parameters (``LAYOUTS``, and ``IMAGENET`` for
its ``trunk``); this file is the same for all. Loading is strict: every key of the file is used or
named as left out, every parameter is filled, every shape agrees.
"""

import pickle
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from vitruvian.core.errors import MissingExtra, WeightsError

Rules = tuple[tuple[str, str | None], ...]
Layout = Rules | Callable[[Mapping[str, Tensor]], dict[str, Tensor]]
"""Rules (pattern, replacement): the first pattern that matches the start of a key renames it, no
match keeps it. Replacement None leaves the key out, unless the network has such a parameter.
Where a file holds other tensors than the network, a function from its state to ours; what it
leaves as it was is reported as unused."""

WRAPPERS = ("state_dict", "model_state_dict", "best_state_dict", "model", "net", "weights")
"""Keys under which training scripts keep the weights."""

PREFIXES = ("module.", "model.")
"""What DataParallel, and trainers that are modules themselves, put before every name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """How a file fits a network.

    Attributes:
        tensors: Our parameter names -> tensors of the file.
        unused: Keys of the file that the network has no place for.
        missing: Our parameters that the file does not fill.
        misshapen: Our parameters whose shape differs: name -> (in the file, in the network).
    """

    tensors: dict[str, Tensor]
    unused: tuple[str, ...]
    missing: tuple[str, ...]
    misshapen: dict[str, tuple[tuple[int, ...], tuple[int, ...]]]

    @property
    def faults(self) -> int:
        """0 when everything fits."""
        return len(self.unused) + len(self.missing) + len(self.misshapen)


def read(path: str | Path) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors``, PyTorch or Keras ``.h5`` file, by the file's own keys.

    Wrappers (``{"state_dict": …}``) and :data:`PREFIXES` are taken off. Pickled code is never run.

    Raises:
        WeightsError: The file is missing, corrupt, holds code, or holds no tensors.
    """
    try:
        if str(path).endswith(".h5"):
            return _read_keras(path)
        if str(path).endswith(".safetensors"):
            return unwrap(load_file(path))
        with torch.serialization.safe_globals(_numpy_scalars()):
            return unwrap(torch.load(path, map_location="cpu", weights_only=True))
    except MissingExtra:
        raise
    except WeightsError as error:
        raise WeightsError(f"{str(path)!r}: {error}") from error
    except pickle.UnpicklingError as error:
        raise WeightsError(
            f"{str(path)!r} is damaged, or holds Python objects beside tensors; nothing of it was "
            "run. If you trust it, open it where it was made and keep the tensors alone: "
            "torch.save(model.state_dict(), 'weights.pth')"
        ) from error
    except Exception as error:  # a damaged pickle raises anything
        reason = str(error) or "it ends too early"
        raise WeightsError(
            f"cannot read weights {str(path)!r}: {reason}; "
            "accepted are PyTorch checkpoints, .safetensors and Keras' .h5"
        ) from error


def _read_keras(path: str | Path) -> dict[str, Tensor]:
    """Arrays of an HDF5 file by their place in it, ``layer/layer/kernel:0``; no optimiser's."""
    try:
        import h5py
    except ImportError as error:
        raise MissingExtra("h5py", "mat", "reading .h5 weights") from error
    found = {}

    def keep(place: str, node: object) -> None:
        if isinstance(node, h5py.Dataset) and not place.startswith("optimizer_weights/"):
            found[place] = torch.from_numpy(np.asarray(node[()]))

    with h5py.File(path) as file:
        file.visititems(keep)
    return found


def _numpy_scalars() -> list[object]:
    """Training scripts keep their best score, a NumPy number, beside the weights."""
    scalar = np.float64(0).__reduce__()[0]
    numbers = (np.float32, np.float64, np.int64)
    return [
        (scalar, "numpy.core.multiarray.scalar"),
        scalar,
        np.dtype,
        *(type(np.dtype(number)) for number in numbers),
    ]


def unwrap(checkpoint: Mapping[str, object]) -> dict[str, Tensor]:
    """The tensors of a checkpoint, without wrapper and without :data:`PREFIXES`.

    Raises:
        WeightsError: It holds no tensors, or other things among them.
    """
    for key in WRAPPERS:
        if isinstance(checkpoint, Mapping) and isinstance(checkpoint.get(key), Mapping):
            return unwrap(checkpoint[key])
    if not isinstance(checkpoint, Mapping) or not checkpoint:
        raise WeightsError(f"holds {type(checkpoint).__name__}, not tensors by name")
    foreign = [str(key) for key, value in checkpoint.items() if not isinstance(value, Tensor)]
    if foreign:
        raise WeightsError(
            f"holds no tensors under {_some(foreign)}; weights are expected at the top "
            f"or under one of {', '.join(WRAPPERS)}"
        )
    state = dict(checkpoint)
    while any(all(key.startswith(prefix) for key in state) for prefix in PREFIXES):
        state = {key.split(".", 1)[1]: value for key, value in state.items()}
    return state


def match(
    net: nn.Module, state: Mapping[str, Tensor], layout: Layout = (), fresh: tuple[str, ...] = ()
) -> Match:
    """How ``state`` fits ``net`` under the names of ``layout``; nothing is loaded.

    Args:
        net: May be on the meta device.
        state: Tensors by the file's keys.
        layout: How the file names our parameters.
        fresh: Starts of our names that keep their values whatever the file holds.
    """
    if callable(layout):
        state, layout = layout(state), ()
    own = net.state_dict()
    tensors: dict[str, Tensor] = {}
    unused = []
    for key, tensor in state.items():
        name = rename(key, layout) or (key if key in own else None)
        if name is None or (fresh and name.startswith(fresh)):
            continue
        if name not in own or name in tensors:
            unused.append(key)
        else:
            tensors[name] = tensor
    missing = [name for name in own if name not in tensors and not _optional(name, fresh)]
    pairs = {name: (tuple(t.shape), tuple(own[name].shape)) for name, t in tensors.items()}
    return Match(
        tensors=tensors,
        unused=tuple(unused),
        missing=tuple(missing),
        misshapen={name: pair for name, pair in pairs.items() if pair[0] != pair[1]},
    )


def rename(key: str, rules: Rules) -> str | None:
    """What the first rule that matches makes of a key; None if the rule leaves it out."""
    for pattern, replacement in rules:
        if re.match(pattern, key):
            return None if replacement is None else re.sub(pattern, replacement, key, count=1)
    return key


def _optional(name: str, fresh: tuple[str, ...]) -> bool:
    """PyTorch counts batches since 0.4.1; older files lack the counters, and nothing uses them."""
    return name.endswith("num_batches_tracked") or bool(fresh and name.startswith(fresh))


def load(
    net: nn.Module,
    state: Mapping[str, Tensor],
    layouts: Mapping[str, Layout] | None = None,
    *,
    fresh: tuple[str, ...] = (),
) -> str:
    """Fill ``net``, all of it, from ``state``; return the name of the layout that fitted.

    Args:
        net: Filled in place; left as it was when an error is raised.
        state: Tensors by the file's keys; see :func:`read`.
        layouts: Names the file may use, the ``LAYOUTS`` of the family; our own are always tried.
        fresh: Starts of our names that keep their values, ``("final_layer.",)`` for a new head.

    Raises:
        WeightsError: A key has no place, a parameter is not filled, or a shape differs.
    """
    name, best = _closest(net, state, layouts or {}, fresh)
    if best.faults:
        raise WeightsError(_explain(net, name, best))
    net.load_state_dict({**net.state_dict(), **best.tensors})
    return name


def start(net: nn.Module, state: Mapping[str, Tensor], *, fresh: tuple[str, ...] = ()) -> str:
    """Fill ``net`` from a checkpoint of its family, or only its ``trunk`` from an ImageNet one.

    Names are those that the file of the network's class states: ``LAYOUTS`` and ``IMAGENET``.

    Args:
        net: Filled in place.
        state: Tensors by the file's keys; see :func:`read`.
        fresh: See :func:`load`; of the whole network.

    Returns:
        What was filled, and the layout that fitted.

    Raises:
        WeightsError: Neither fits; explains the closer one.
    """
    tries = [(net, _layouts(net), fresh)]
    if hasattr(net, "trunk"):
        family = sys.modules[type(net).__module__]
        tries.append((net.trunk, getattr(family, "IMAGENET", {}), ()))
    module, layouts, kept = min(tries, key=lambda t: _closest(t[0], state, t[1], t[2])[1].faults)
    name = load(module, state, layouts, fresh=kept)
    return f"{'network' if module is net else 'trunk'} ({name})"


def closest(net: nn.Module, state: Mapping[str, Tensor]) -> Match:
    """How ``state`` fits ``net`` under the best of its family's layouts; nothing is loaded."""
    return _closest(net, state, _layouts(net))[1]


def _layouts(net: nn.Module) -> Mapping[str, Layout]:
    return getattr(sys.modules[type(net).__module__], "LAYOUTS", {})


def _closest(
    net: nn.Module,
    state: Mapping[str, Tensor],
    layouts: Mapping[str, Layout],
    fresh: tuple[str, ...] = (),
) -> tuple[str, Match]:
    tries = {"ours": (), **layouts}
    found = {name: match(net, state, layout, fresh) for name, layout in tries.items()}
    return min(found.items(), key=lambda item: item[1].faults)


def _explain(net: nn.Module, layout: str, found: Match) -> str:
    lines = [f"the weights do not fit {type(net).__name__} (read with the names of {layout!r}):"]
    if found.unused:
        lines.append(f"no place for {_some(found.unused)}")
    if found.missing:
        lines.append(f"nothing for {_some(found.missing)}")
    if found.misshapen:
        shapes = [f"{name} {a} in the file, {b} here" for name, (a, b) in found.misshapen.items()]
        lines.append(f"other shapes: {_some(shapes)}")
    if found.misshapen and not found.unused and not found.missing:
        tops = sorted({name.rsplit(".", 1)[0] + "." for name in found.misshapen})
        if len(tops) <= 2:
            lines.append(
                "another number of keypoints? Build the network with the file's number of channels"
                " (--set net_args.channels=…), or start these anew: "
                + " ".join(f"--fresh {top}" for top in tops)
            )
    return "\n  ".join(lines)


def _some(names: list[str] | tuple[str, ...], limit: int = 4) -> str:
    more = len(names) - limit
    return ", ".join(names[:limit]) + (f" and {more} more" if more > 0 else "")
