"""A report as one HTML page that needs nothing else: tables, plots in SVG, pictures inside."""

import base64
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

import cv2
import numpy as np

from vitruvian.core.types import Image
from vitruvian.metrics.bootstrap import Interval
from vitruvian.metrics.calibration import Reliability
from vitruvian.metrics.diagnosis import KINDS, Diagnosis
from vitruvian.metrics.report import ALL, Difference, Report

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1f24; background: #fff }
h1 { font-size: 1.6rem } h2 { font-size: 1.2rem; margin-top: 2.5rem }
table { border-collapse: collapse; margin: .5rem 0 }
td, th { padding: .15rem .8rem .15rem 0; text-align: right; border-bottom: 1px solid #d0d7de }
td:first-child, th:first-child { text-align: left }
figure { display: inline-block; margin: .5rem 1rem .5rem 0; vertical-align: top }
figcaption, .note { color: #57606a; font-size: .85rem } svg { max-width: 100% }
"""
_COLOURS = {
    "good": "#2f8f5b",
    "jitter": "#a5c94b",
    "inversion": "#e0a526",
    "swap": "#8e5bb5",
    "miss": "#c7423c",
}
_SHADES = ("#2b6cb0", "#9fc2e8", "#d6e4f3")
"""Of the kinds of boxes."""

_WIDTH, _ROW, _LETTER = 640, 20, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture of the page.

    Attributes:
        caption: What it shows.
        image: RGB, as large as it is to be shown.
    """

    caption: str
    image: Image


def page(report: Report, pictures: Iterable[Shown] = ()) -> str:
    """The whole page; shares in percent, intervals of 95 % over people."""
    parts = [
        f'<p class="note">{escape(_provenance(report))}</p>',
        "<h2>Keypoints</h2>",
        _scores(report),
        _joints(report),
        _curves(report),
        *([] if not report.detector else ["<h2>Detector</h2>", _detector(report)]),
        *(_mistakes(kind, found) for kind, found in report.diagnosis.items()),
        *(_trust(kind, found) for kind, found in report.reliability.items()),
        *_gallery(list(pictures)),
    ]
    return _document(f"{_model(report)} on {report.data}", parts)


def comparison(
    differences: Sequence[Difference],
    names: tuple[str, str],
    data: str,
    pictures: Iterable[Shown] = (),
) -> str:
    """The page of two reports, named ``names``, on the same data."""
    rows = [
        (row.boxes, row.source, _METRICS[row.metric], str(row.interval.people),
         _interval(row.interval), "yes" if row.interval.low > 0 or row.interval.high < 0 else "no")
        for row in differences
    ]  # fmt: skip
    first, second = names
    text = (
        f"How much better {second} is than {first}, in percent, on the people of both; 95 % of a "
        "paired bootstrap. A difference is sure where that leaves zero out."
    )
    head = ("boxes", "source", "metric", "people", f"{second} − {first}", "sure")
    parts = [_table(text, head, rows), *_gallery(list(pictures))]
    return _document(f"{second} against {first} on {data}", parts)


_METRICS = {"oks_fraction": "OKS", "pck": "PCK@0.2"}


def _document(title: str, parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body>\n"
        f"<h1>{escape(title)}</h1>\n" + "\n".join(parts) + "\n</body></html>\n"
    )


def _model(report: Report) -> str:
    about = report.model.get("model")
    return str(about.get("name", "model")) if isinstance(about, dict) else "model"


def _provenance(report: Report) -> str:
    told = [f"{key}: {value}" for key, value in report.model.items() if isinstance(value, str)]
    if report.left_out:
        told.append("not counted, the model has no " + ", ".join(report.left_out))
    return " · ".join(told)


def _scores(report: Report) -> str:
    head = ("boxes", "source", "pictures", "OKS", f"PCK@0.2 of the {report.reference}", "AP", "AR")
    rows = [
        (
            row.boxes,
            row.source,
            str(row.pictures),
            "–" if row.oks_fraction is None else _interval(row.oks_fraction),
            _interval(row.pck),
            "–" if row.coco is None else _percent(row.coco.ap),
            "–" if row.coco is None else _percent(row.coco.ar),
        )
        for row in report.rows
    ]
    return _table("OKS: mean over t = .50:.05:.95 of the people with OKS > t.", head, rows)


def _detector(report: Report) -> str:
    rows = [
        (
            row.source,
            row.size,
            str(row.recall.people),
            _interval(row.recall),
            "–" if row.ap is None else _percent(row.ap),
        )
        for row in report.detector
        if row.recall.people
    ]
    head = ("source", "size of box", "people", "recall at IoU .5", "box AP")
    return _table("Average precision on fully annotated pictures alone.", head, rows)


def _joints(report: Report) -> str:
    whole = [row for row in report.rows if row.source == ALL]
    bars = [
        (f"{name}, {row.boxes}" if len(whole) > 1 else name, [(share, shade)])
        for name in whole[0].joints
        for row, shade in zip(whole, _SHADES, strict=False)
        if not math.isnan(share := row.joints[name][0])
    ]
    return _figure("PCK@0.2 of every keypoint.", _bars(bars, "PCK"))


def _curves(report: Report) -> str:
    """PCK over thresholds, a line for each kind of boxes."""
    rows = [row for row in report.rows if row.source == ALL and row.curve]
    rows = [row for row in rows if not math.isnan(row.auc)]
    if not rows:
        return ""
    side, edge = 300, 40
    lines = _axes(f"threshold, of the {report.reference}", "PCK of the limb joints", 0.5)
    for row, shade in zip(rows, _SHADES, strict=False):
        steps = np.linspace(edge, edge + side, len(row.curve)).tolist()
        points = [
            f"{x:.1f} {10 + (1 - y) * side:.1f}" for x, y in zip(steps, row.curve, strict=True)
        ]
        lines.append(
            f'<path d="M{"L".join(points)}" fill="none" stroke="{shade}" stroke-width="2">'
            f"<title>{escape(row.boxes)}</title></path>"
        )
    areas = ", ".join(f"{row.auc:.3f} with {row.boxes} boxes" for row in rows)
    text = f"PCK over its threshold (PDJ); area under the curve {areas}."
    legend = "".join(
        f'<span style="color:{shade}">●</span> {escape(row.boxes)} &ensp;'
        for row, shade in zip(rows, _SHADES, strict=False)
    )
    return _figure(text, f"<div>{legend}</div>" + _svg(side + 54, lines, width=side + edge + 20))


def _axes(across: str, up: str, end: float) -> list[str]:
    """Axes of a square diagram, from 0 to ``end`` and from 0 to 1."""
    side, edge = 300, 40
    lines = [
        f'<path d="M{edge} 10V{10 + side}H{edge + side}" fill="none" stroke="#1b1f24"/>',
        f'<text x="{edge + side / 2}" y="{side + 44}" text-anchor="middle">{escape(across)}</text>',
        f'<text transform="translate(12 {10 + side / 2}) rotate(-90)" text-anchor="middle">'
        f"{escape(up)}</text>",
    ]
    for tick in (0.0, 0.5, 1.0):
        x, y = edge + tick * side, 10 + (1 - tick) * side
        lines.append(f'<text x="{x}" y="{side + 26}" text-anchor="middle">{tick * end:g}</text>')
        lines.append(f'<text x="{edge - 6}" y="{y + 4}" text-anchor="end">{tick:g}</text>')
    return lines


def _mistakes(kind: str, found: Diagnosis) -> str:
    names = {
        "score": "ranking of the poses",
        "background": "poses of nobody",
    } | {name: name for name in KINDS[1:]}
    gains = [(names[name], f"{100 * gain:+.1f}") for name, gain in found.gains.items()]
    table = _table(
        f"AP is {_percent(found.ap)}. With one kind of mistake put right it gains what the table "
        f"says, with all of them it is {_percent(found.repaired)}. {found.missed} people have no "
        f"pose, {found.spurious} poses have no person.",
        ("mistake", "AP gained"),
        gains,
    )
    plots = [
        _figure(
            f"By {name}; how many keypoints in brackets.",
            _LEGEND
            + _bars([(f"{group} ({sum(n.values())})", _shares(n)) for group, n in groups.items()]),
        )
        for name, groups in found.groups.items()
    ]
    return "\n".join([f"<h2>Mistakes, {escape(kind)} boxes</h2>", table, *plots])


def _shares(counts: dict[str, int]) -> list[tuple[float, str]]:
    total = max(sum(counts.values()), 1)
    return [(counts[kind] / total, _COLOURS[kind]) for kind in KINDS]


def _trust(kind: str, found: Reliability) -> str:
    text = (
        f"Expected calibration error {found.ece:.3f}, largest gap {found.worst:.3f}, Brier score "
        f"{found.brier:.3f}, over {sum(found.count)} keypoints. A keypoint is right at a "
        "similarity of .5 or more. On the diagonal a score is the chance to be right."
    )
    title = f"<h2>Can scores be trusted, {escape(kind)} boxes?</h2>"
    return f"{title}\n{_figure(text, _diagram(found))}"


def _gallery(pictures: Sequence[Shown]) -> list[str]:
    if not pictures:
        return []
    return ["<h2>Pictures</h2>", *(_figure(p.caption, _embedded(p)) for p in pictures)]


def _embedded(shown: Shown) -> str:
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(shown.image[..., ::-1]))
    assert done
    text = base64.b64encode(data.tobytes()).decode()
    height, width = shown.image.shape[:2]
    return (
        f'<img width="{width}" height="{height}" alt="{escape(shown.caption, quote=True)}" '
        f'src="data:image/jpeg;base64,{text}">'
    )


def _table(caption: str, head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    return f"<p>{escape(caption)}</p>\n<table><tr>{cells}</tr>\n{body}</table>"


def _figure(caption: str, content: str) -> str:
    return f"<figure>{content}<figcaption>{escape(caption)}</figcaption></figure>"


_LEGEND = "".join(
    f'<span style="color:{colour}">●</span> {kind} &ensp;' for kind, colour in _COLOURS.items()
)


def _bars(rows: Sequence[tuple[str, list[tuple[float, str]]]], unit: str = "share") -> str:
    """One bar a row, of (share, colour) pieces end to end."""
    start = 16 + _LETTER * max(15, *(len(label) for label, _ in rows))
    room = max(_WIDTH - start - 50, 200)
    lines = []
    for i, (label, pieces) in enumerate(rows):
        y, x = i * _ROW, float(start)
        lines.append(f'<text x="{start - 8}" y="{y + 14}" text-anchor="end">{escape(label)}</text>')
        for share, colour in pieces:
            lines.append(
                f'<rect x="{x:.1f}" y="{y + 3}" width="{share * room:.1f}" height="14" '
                f'fill="{colour}"><title>{escape(label)}: {_percent(share)} % {unit}</title></rect>'
            )
            x += share * room
        lines.append(f'<text x="{x + 6:.1f}" y="{y + 14}">{_percent(pieces[0][0])}</text>')
    return _svg(len(rows) * _ROW + 4, lines, width=start + room + 50)


def _diagram(found: Reliability) -> str:
    """Reliability: share that was right over mean score; dots as large as their bins are full."""
    side, edge = 300, 40
    lines = _axes("score", "share that was right", 1.0)
    lines.append(f'<path d="M{edge} {10 + side}L{edge + side} 10" stroke="#d0d7de"/>')
    most = max(found.count)
    for x, y, count in zip(found.confidence, found.accuracy, found.count, strict=True):
        if count:
            lines.append(
                f'<circle cx="{edge + x * side:.1f}" cy="{10 + (1 - y) * side:.1f}" '
                f'r="{3 + 7 * math.sqrt(count / most):.1f}" fill="#2b6cb0" fill-opacity=".8">'
                f"<title>{count} keypoints: score {x:.2f}, right {y:.2f}</title></circle>"
            )
    return _svg(side + 54, lines, width=side + edge + 20)


def _svg(height: int, lines: Iterable[str], width: int = _WIDTH) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" font-family="system-ui, sans-serif" font-size="12">'
        + "".join(lines)
        + "</svg>"
    )


def _interval(found: Interval) -> str:
    if math.isnan(found.value):
        return "–"
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _percent(share: float) -> str:
    return "–" if math.isnan(share) or share < 0 else f"{100 * share:.1f}"
