"""Measure a model on labelled pictures, or compare two such reports.

True boxes and the detector's own are reported apart, and so is every source of the pictures;
intervals are 95 % of a bootstrap over people.
"""

import argparse
import contextlib
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from vitruvian.cli._arguments import add_skip_bad
from vitruvian.cli._data import on_skeleton, opened
from vitruvian.cli._origin import origin
from vitruvian.core.errors import ConfigError
from vitruvian.metrics.bootstrap import Interval
from vitruvian.metrics.report import (
    ALL,
    DetectorRow,
    Difference,
    Report,
    Row,
    compare,
    in_common,
    json_text,
    load_report,
)

if TYPE_CHECKING:
    from vitruvian.evaluate import Answers
    from vitruvian.outputs.page import Shown


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("model", nargs="?", default="default", help="a bundled model or .onnx file")
    parser.add_argument(
        "--data", metavar="READER:WHERE", help="labels, e.g. coco:val.json@images or lsp:DIR#test"
    )
    parser.add_argument(
        "--boxes",
        default="both",
        metavar="KIND",
        help="gt, detector, both (default), or a COCO results JSON with boxes; a bottom-up "
        "model is measured on the people that it finds itself",
    )
    parser.add_argument("--detector", default="default", help="a bundled detector or .onnx file")
    add_skip_bad(parser)
    parser.add_argument("--source", default="", help="only pictures of this source")
    parser.add_argument("--limit", type=int, default=0, help="only the first so many pictures")
    parser.add_argument("--flip", action="store_true", help="average with the mirrored view")
    parser.add_argument("--conf", type=float, help="drop boxes that score lower")
    parser.add_argument("--batch", type=int, default=16, help="pictures per call")
    parser.add_argument("--device", default="cpu", help="cpu, or another that the backend finds")
    parser.add_argument("--backend", default="openvino", help="openvino or onnxruntime")
    parser.add_argument("--threads", type=int, default=0, help="processor threads; 0: all")
    parser.add_argument("-o", "--out", type=Path, help="write the report as JSON")
    parser.add_argument(
        "--html",
        type=Path,
        help="write the report as one page with plots, kinds of mistakes and the worst pictures; "
        "with --compare, those that the two differ most on",
    )
    parser.add_argument(
        "--pictures", type=int, default=12, help="so many pictures on that page; 0: none"
    )
    parser.add_argument("--drawn", type=Path, metavar="DIR", help="write those pictures as files")
    parser.add_argument("--quiet", action="store_true", help="no progress display")
    parser.add_argument(
        "--compare",
        nargs=2,
        type=Path,
        metavar=("A.json", "B.json"),
        help="how much better B is than A, on the people of both; pictures are those of the data "
        "that A names, unless --data does",
    )


def run(args: argparse.Namespace) -> int:
    """Evaluate and print tables, or compare two reports."""
    if args.compare:
        return _compare(args, *args.compare)
    if not args.data:
        raise ConfigError("nothing to evaluate on; give --data READER:WHERE, or --compare A B")
    from vitruvian.outputs.files import replacing

    report, answers = _measured(args)
    print(tables(report))
    if args.out:
        with replacing(args.out) as part:
            part.write_text(report.to_json() + "\n", encoding="utf-8")
    if args.html or args.drawn:
        from vitruvian.cli._gallery import worst
        from vitruvian.outputs.page import page

        pictures = list(worst(report, answers, args.pictures))
        _show(args, page(report, pictures), pictures)
    return 0


def _compare(args: argparse.Namespace, first: Path, second: Path) -> int:
    """Print how much better the second report is; draw what they differ on, if that is asked."""
    old, new = load_report(first), load_report(second)
    names = first.stem, second.stem
    found = compare(in_common(old.people, new.people), np.random.default_rng(0))
    print(compared(found, names))
    if args.out:
        from vitruvian.outputs.files import replacing

        told: dict[str, object] = {
            **origin(),
            "first": str(first),
            "second": str(second),
            "differences": [asdict(row) for row in found],
        }
        with replacing(args.out) as part:
            part.write_text(json_text(told) + "\n", encoding="utf-8")
    if args.html or args.drawn:
        from vitruvian.outputs.page import comparison

        pictures: list[Shown] = []
        if args.pictures:
            from vitruvian.cli._gallery import differing

            data = opened(args.data or old.data, skip_bad=args.skip_bad, pictures=False)
            pictures = list(differing(old, new, data, names, args.pictures))
        _show(args, comparison(found, names, old.data, pictures), pictures)
    return 0


def _show(args: argparse.Namespace, text: str, pictures: "list[Shown]") -> None:
    """Write the page, and the pictures as files, where they are asked for."""
    if args.html:
        from vitruvian.outputs.files import replacing

        with replacing(args.html) as part:
            part.write_text(text, encoding="utf-8")
    if args.drawn:
        from vitruvian.cli._gallery import save

        save(args.drawn, pictures)


def _measured(args: argparse.Namespace) -> "tuple[Report, Answers]":
    """The report, and what the predictor found."""
    from vitruvian.datasets.coco import coco_boxes
    from vitruvian.evaluate import BoxKind, ask, measure
    from vitruvian.runtime.load import load

    kinds: dict[str, tuple[BoxKind, ...]] = {
        "gt": ("gt",),
        "detector": ("detector",),
        "both": ("gt", "detector"),
    }
    boxes = kinds.get(args.boxes, ("given",))
    given = coco_boxes(args.boxes) if boxes == ("given",) else None
    part = bool(args.limit or args.source)
    data = opened(args.data, skip_bad=args.skip_bad, pictures=not part)
    predictor = load(
        args.model,
        detector=args.detector if "detector" in boxes else None,
        device=args.device,
        backend=args.backend,
        threads=args.threads,
        flip=True if args.flip else None,
        conf=args.conf,
    )
    if args.boxes == "both" and not predictor.takes_boxes:
        boxes = ("detector",)
    data = on_skeleton(data, predictor.skeleton)
    total = min(len(data), args.limit or len(data)) * len(boxes)
    with _progress(total, quiet=args.quiet or bool(args.source)) as progress:
        answers = ask(
            predictor,
            data,
            boxes=boxes,
            given=given,
            source=args.source,
            limit=args.limit,
            batch=args.batch,
            progress=progress,
        )
    about = predictor.provenance | origin()
    return measure(answers, model=about, name=args.data, thorough=bool(args.html)), answers


@contextlib.contextmanager
def _progress(total: int, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Called with the number of pictures just done; shows a bar where somebody can see it."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("evaluate", total=total)
        yield lambda count: bar.advance(task, count)


def tables(report: Report) -> str:
    """The report as text for a terminal; shares in percent."""
    lines = [f"PCK@0.2 of the {report.reference}; OKS is the mean fraction above .50:.05:.95"]
    if report.left_out:
        lines.append(f"not counted, the model has no {', '.join(report.left_out)}")
    head = ["boxes", "source", "pictures", "people", "OKS", "PCK", "AP", "AP50", "AP75", "AR"]
    lines += ["", *_aligned([head, *map(_cells, report.rows)])]
    whole = [row for row in report.rows if row.source == ALL]
    joints = [
        [name, *(f"{_percent(row.joints[name][0])} of {row.joints[name][1]}" for row in whole)]
        for name in whole[0].joints
    ]
    lines += ["", *_aligned([["PCK of", *(row.boxes for row in whole)], *joints])]
    if report.detector:
        rows = [_detector_cells(row) for row in report.detector if row.recall.people]
        head = ["source", "size of box", "people", "recall@.5", "box AP"]
        lines += ["", *_aligned([head, *rows])]
    return "\n".join(lines)


def compared(found: list[Difference], names: tuple[str, str]) -> str:
    """Second report minus first as text; an asterisk where the interval leaves zero out."""
    head = ["boxes", "source", "metric", "people", f"{names[1]} - {names[0]}", ""]
    return "\n".join(_aligned([head, *map(_difference_cells, found)]))


def _cells(row: Row) -> list[str]:
    coco = row.coco
    numbers = [coco.ap, coco.ap50, coco.ap75, coco.ar] if coco else [-1.0] * 4
    return [
        row.boxes,
        row.source,
        str(row.pictures),
        str(row.pck.people if row.oks_fraction is None else row.oks_fraction.people),
        "-" if row.oks_fraction is None else _interval(row.oks_fraction),
        _interval(row.pck),
        *(_percent(number) for number in numbers),
    ]


def _detector_cells(row: DetectorRow) -> list[str]:
    ap = "-" if row.ap is None else _percent(row.ap)
    return [row.source, row.size, str(row.recall.people), _interval(row.recall), ap]


def _difference_cells(row: Difference) -> list[str]:
    found = row.interval
    sure = "*" if found.low > 0 or found.high < 0 else ""
    name = {"oks_fraction": "OKS", "pck": "PCK"}[row.metric]
    return [row.boxes, row.source, name, str(found.people), _interval(found), sure]


def _interval(found: Interval) -> str:
    if math.isnan(found.value):
        return "-"
    return f"{100 * found.value:.1f} [{100 * found.low:.1f}, {100 * found.high:.1f}]"


def _percent(share: float) -> str:
    return "-" if math.isnan(share) or share < 0 else f"{100 * share:.1f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
