"""The front of a search as a picture: parameters to the right, validation loss up, in SVG."""

import math
from collections.abc import Sequence

_WIDTH, _HEIGHT = 640, 420
_LEFT, _RIGHT, _TOP, _BOTTOM = 80, 20, 20, 60
_FIRST, _LAST = (160, 190, 230), (190, 40, 60)
"""Colours of the first and of the last generation."""


def front_svg(points: Sequence[tuple[int, float, int]]) -> str:
    """Points (parameters, loss, generation), and the line below which there is none.

    Parameters are on a logarithmic scale. The line joins the points than which none is both
    smaller and better.
    """
    found = [(float(size), loss, generation) for size, loss, generation in points]
    axes = _Axes([p[0] for p in found] or [1.0], [p[1] for p in found] or [0.0])
    last = max((generation for *_, generation in found), default=0)
    dots = (_dot(axes, point, last) for point in sorted(found, key=lambda p: p[2]))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            'font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
            *axes.drawn(),
            _line(axes, found),
            *dots,
            "</svg>\n",
        ]
    )


class _Axes:
    """Places of values in the picture."""

    def __init__(self, sizes: Sequence[float], losses: Sequence[float]) -> None:
        self.sizes = _widened(min(map(math.log10, sizes)), max(map(math.log10, sizes)))
        self.losses = _widened(min(losses), max(losses))

    def place(self, size: float, loss: float) -> tuple[float, float]:
        """(x, y) in the picture."""
        right = (math.log10(size) - self.sizes[0]) / (self.sizes[1] - self.sizes[0])
        up = (loss - self.losses[0]) / (self.losses[1] - self.losses[0])
        x = _LEFT + right * (_WIDTH - _LEFT - _RIGHT)
        return round(x, 1), round(_HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM), 1)

    def drawn(self) -> list[str]:
        """Frame, ticks and names."""
        floor, middle = _HEIGHT - _BOTTOM, (_TOP + _HEIGHT - _BOTTOM) / 2
        lines = [
            f'<path d="M{_LEFT} {_TOP}V{floor}H{_WIDTH - _RIGHT}" fill="none" stroke="black"/>',
            f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 15}" text-anchor="middle">'
            "parameters</text>",
            f'<text transform="translate(18 {middle}) rotate(-90)" text-anchor="middle">'
            "validation loss</text>",
        ]
        for part in range(5):
            size = 10 ** (self.sizes[0] + part / 4 * (self.sizes[1] - self.sizes[0]))
            loss = self.losses[0] + part / 4 * (self.losses[1] - self.losses[0])
            x, y = self.place(size, loss)
            lines += [
                f'<path d="M{x} {floor}v5M{_LEFT} {y}h-5" stroke="black"/>',
                f'<text x="{x}" y="{floor + 18}" text-anchor="middle">{_short(size)}</text>',
                f'<text x="{_LEFT - 8}" y="{y + 4}" text-anchor="end">{loss:.4g}</text>',
            ]
        return lines


def _widened(low: float, high: float) -> tuple[float, float]:
    margin = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return low - margin, high + margin


def _short(size: float) -> str:
    return f"{size / 1e6:.3g} M" if size >= 1e6 else f"{size / 1e3:.3g} k"


def _dot(axes: _Axes, point: tuple[float, float, int], last: int) -> str:
    size, loss, generation = point
    x, y = axes.place(size, loss)
    share = generation / last if last else 0.0
    colour = ",".join(str(round(a + share * (b - a))) for a, b in zip(_FIRST, _LAST, strict=True))
    return (
        f'<circle cx="{x}" cy="{y}" r="4" fill="rgb({colour})">'
        f"<title>generation {generation}: {size:,.0f} parameters, loss {loss:.5g}</title></circle>"
    )


def _line(axes: _Axes, points: Sequence[tuple[float, float, int]]) -> str:
    path, best = "", math.inf
    for size, loss, _ in sorted(points):
        if loss < best:
            x, y = axes.place(size, loss)
            path += f"H{x}V{y}" if path else f"M{x} {y}"
            best = loss
    return f'<path d="{path}" fill="none" stroke="gray"/>'
