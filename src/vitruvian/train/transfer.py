"""Weights of one network for another of other shapes (McNally et al. 2021, Sec. III-C).

Tensors go over by name. Where shapes differ, the part that both have goes over: the first channels,
and the middle of the kernels. Further channels of a kernel stay as they were initialised, further
entries of a vector get the parent's mean. A block that the parent has not starts as the last of
those before it in the same row.

The authors' program hands nothing over where channels agree and only the kernel's size differs,
which is every mutation of the kernel and, in any depth-wise convolution, nothing else can happen
to it. The paper says nothing of the kind; ``faithful`` repeats it.
"""

from collections.abc import Mapping

from torch import Tensor, nn


def transfer(net: nn.Module, parent: Mapping[str, Tensor], *, faithful: bool = False) -> list[str]:
    """Fill ``net`` from the state of a parent; returns what is left as it was initialised.

    Args:
        net: Filled in place.
        parent: Tensors by our names, of a network of the same family.
        faithful: See the module.
    """
    state, left = net.state_dict(), []
    for name, own in state.items():
        source = _ancestor(name, parent)
        if source is None or source.ndim != own.ndim:
            left.append(name)
        else:
            state[name] = overlapped(own, source, faithful=faithful)
    net.load_state_dict(state)
    return left


def overlapped(child: Tensor, parent: Tensor, *, faithful: bool = False) -> Tensor:
    """``child`` with what fits of ``parent``, in new memory.

    Args:
        child: Vector, or kernels O I ... with odd sides.
        parent: As many axes.
        faithful: Leave the child as it is when only the sides of the kernels differ.
    """
    if child.shape == parent.shape:
        return parent.to(child.dtype).clone()
    if faithful and child.ndim > 2 and child.shape[:2] == parent.shape[:2]:
        return child.clone()
    result = child.clone()
    if child.ndim == 1 and len(child) > len(parent):
        result.fill_(parent.float().mean().item())
    result[_shared(child, parent)] = parent[_shared(parent, child)].to(child.dtype)
    return result


def _shared(tensor: Tensor, other: Tensor) -> tuple[slice, ...]:
    """The part of ``tensor`` that ``other`` has too: first channels, the middle of kernels."""
    slices = []
    for axis, (side, both) in enumerate(zip(tensor.shape, other.shape, strict=True)):
        start = max(0, side - both) // 2 if axis > 1 else 0
        slices.append(slice(start, start + min(side, both)))
    return tuple(slices)


def _ancestor(name: str, parent: Mapping[str, Tensor]) -> Tensor | None:
    """The tensor of that name; or of the last module before it in a row of modules."""
    if name in parent:
        return parent[name]
    parts = name.split(".")
    for at in reversed(range(len(parts))):
        if not parts[at].isdigit():
            continue
        for index in reversed(range(int(parts[at]))):
            older = ".".join([*parts[:at], str(index), *parts[at + 1 :]])
            if older in parent:
                return parent[older]
    return None
