"""Find people and their keypoints in pictures, videos, cameras and streams.

vitruvian predict photo.jpg -o out.jpg -o out.json
vitruvian predict photos/ -o annotated/ -o people.csv
vitruvian predict clip.mp4 -o annotated.mp4 -o people.jsonl
vitruvian predict 0 -o camera.mp4          (the first camera, until Ctrl-C)
find . -name '*.jpg' | vitruvian predict - -o people.npz
vitruvian predict photo.jpg --system grmi --set test.oks_nms=0.7 -o out.jpg
"""

import argparse
import logging
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from vitruvian.cli._arguments import add_changes
from vitruvian.cli._report import Report
from vitruvian.core.errors import ConfigError, InputError

if TYPE_CHECKING:
    from vitruvian.core.types import Boxes, Image
    from vitruvian.outputs.result import Result
    from vitruvian.runtime.boxes import BoxFile
    from vitruvian.runtime.predictor import Predictor
    from vitruvian.runtime.sources import Source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument(
        "source",
        nargs="+",
        help="picture, folder, pattern, video, camera number, rtsp:// or http:// address, "
        "or - for a list of these on standard input",
    )
    parser.add_argument(
        "-o",
        "--output",
        action="append",
        default=[],
        metavar="OUT",
        help="where to write, may be given several times: .jpg .png … an annotated picture, .mp4 "
        "an annotated video, FOLDER/ annotated pictures, .json COCO results, .csv, .jsonl, .npz",
    )
    parser.add_argument(
        "--format", default="", help="coco, openpose or openpose18: what .json and FOLDER/ mean"
    )
    parser.add_argument(
        "--system", metavar="NAME", help="a published pipeline: vitruvian list pipelines"
    )
    add_changes(parser, "change a setting of boxes or test, e.g. test.oks_nms=0.7 or boxes.nms=0.6")
    parser.add_argument("--model", default="default", help="pose model: a name or an .onnx file")
    parser.add_argument("--detector", default="default", help="detector: a name or an .onnx file")
    parser.add_argument(
        "--refine", metavar="MODEL", help="refine the poses found with this .onnx file (PoseFix)"
    )
    parser.add_argument("--boxes", metavar="FILE", help="boxes of people, CSV or COCO JSON")
    parser.add_argument(
        "--whole-image", action="store_true", help="each picture shows one person and nothing else"
    )
    parser.add_argument("--conf", type=float, help="people whose boxes score lower are left out")
    parser.add_argument(
        "--kpt-thr",
        type=float,
        help="keypoints that score lower count as not found "
        "(without it: 0.3 in drawings, 0 in files)",
    )
    parser.add_argument("--max-people", type=int, default=0, help="most people of a picture")
    parser.add_argument(
        "--flip",
        action=argparse.BooleanOptionalAction,
        help="average with the mirrored picture: slower, a little better",
    )
    parser.add_argument("--batch", type=int, default=8, help="pictures or frames at a time (8)")
    parser.add_argument("--device", default="cpu", help="cpu, or what else the backend finds")
    parser.add_argument("--backend", default="openvino", help="openvino or onnxruntime")
    parser.add_argument("--threads", type=int, default=0, help="processor threads (all)")
    parser.add_argument("--precision", default="auto", choices=["auto", "f32"])
    parser.add_argument("--quiet", action="store_true", help="say nothing but errors")


def run(args: argparse.Namespace) -> int:
    """Predict; returns 1 if any input failed."""
    from vitruvian.outputs.formats import open_output

    logging.basicConfig(
        format="vitruvian: warning: %(message)s",
        level=logging.ERROR if args.quiet else logging.WARNING,
    )
    report = Report(quiet=args.quiet)
    sources = _sources(args.source, report)
    _check(args, sources, report)
    if not sources:
        return report.finish()
    boxes = _boxes(args.boxes, sources)
    predictor = _load(args)
    origin = _origin(predictor)
    drawn = 0.3 if args.kpt_thr is None else args.kpt_thr
    with ExitStack() as outputs:
        writers = [
            outputs.enter_context(
                open_output(path, form=args.format, kpt_thr=drawn, provenance=origin)
            )
            for path in args.output
        ]
        with _stoppable(sources) as stopped, report.progress(len(sources), shown=bool(writers)):
            items = _items(sources, predictor, boxes, stopped, report)
            for result in _results(items, predictor, sources, args):
                report.add(result, named=not writers)
                with predictor.watch("write"):
                    for write in writers:
                        write(result)
        if not report.results:
            raise InputError("no input could be used; nothing was written")
    return report.finish(predictor.watch.seconds, predictor.runtime)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Item:
    """One picture or frame that was read."""

    source: str
    image: "Image"
    boxes: "Boxes | None" = None
    frame: int | None = None
    time: float | None = None


def _sources(names: list[str], report: Report) -> list["Source"]:
    from vitruvian.runtime.sources import Source, expand

    given: list[str] = []
    for name in names:
        given += [line for line in sys.stdin.read().splitlines() if line] if name == "-" else [name]
    sources = []
    for found in expand(given):
        if isinstance(found, Source):
            sources.append(found)
        else:
            report.fail(found.name, found.reason)
    return sources


def _check(args: argparse.Namespace, sources: list["Source"], report: Report) -> None:
    """Refuse what cannot work before anything is loaded."""
    from vitruvian.outputs.formats import kind_of

    moving = [s for s in sources if s.kind != "picture"]
    given = len(sources) + len(report.failed)
    for path in args.output:
        kind = kind_of(path, args.format)
        if kind in ("picture", "openpose") and (given > 1 or moving):
            raise ConfigError(f"{path} takes one picture; for more give a folder: -o results/")
        if kind == "video" and sources and (given > 1 or not moving):
            raise ConfigError(f"{path} takes one video, and pictures make none")
    if len(set(args.output)) < len(args.output):
        raise ConfigError("two outputs have the same name; give each its own")
    if args.boxes and args.whole_image:
        raise ConfigError("--boxes and --whole-image exclude each other")
    if args.boxes and moving:
        raise ConfigError(f"--boxes works with pictures; {moving[0].name} is none")
    if args.batch < 1:
        raise ConfigError(f"a batch of {args.batch}; give at least 1")


def _boxes(path: str | None, sources: list["Source"]) -> "BoxFile | None":
    if path is None:
        return None
    from vitruvian.runtime.boxes import read_boxes

    boxes = read_boxes(path)
    if not any(len(boxes.of(source.name)) for source in sources):
        some = ", ".join(sorted(boxes.rows)[:3]) or "nothing"
        raise InputError(f"{path} has boxes of none of the pictures; it has those of {some}")
    return boxes


def _load(args: argparse.Namespace) -> "Predictor":
    from vitruvian.runtime.load import load

    return load(
        args.model,
        system=args.system,
        changes=args.changes,
        detector=None if args.boxes or args.whole_image else args.detector,
        refine=args.refine,
        device=args.device,
        backend=args.backend,
        threads=args.threads,
        precision=args.precision,
        flip=args.flip,
        conf=args.conf,
        kpt_thr=args.kpt_thr or 0.0,
        max_people=args.max_people,
    )


def _origin(predictor: "Predictor") -> dict[str, object]:
    import vitruvian

    return {"version": vitruvian.__version__, **predictor.provenance}


def _items(
    sources: list["Source"],
    predictor: "Predictor",
    boxes: "BoxFile | None",
    stopped: Callable[[], bool],
    report: Report,
) -> Iterator[_Item]:
    """What can be read, one after the other; what cannot is reported."""
    for source in sources:
        try:
            if source.kind == "picture":
                yield _picture(source.name, predictor, boxes)
            else:
                yield from _frames(source.name, predictor, stopped)
        except InputError as error:
            report.fail(source.name, str(error))
        report.advance()


def _picture(name: str, predictor: "Predictor", boxes: "BoxFile | None") -> _Item:
    from vitruvian.runtime.predictor import check_boxes

    image = predictor.read(name)
    given = None if boxes is None else check_boxes(boxes.of(name), image.shape[:2])
    return _Item(source=name, image=image, boxes=given)


def _frames(name: str, predictor: "Predictor", stopped: Callable[[], bool]) -> Iterator[_Item]:
    from vitruvian.runtime.video import frames

    stream = frames(name, max_pixels=predictor.max_pixels)
    while not stopped():
        with predictor.watch("read"):
            frame = next(stream, None)
        if frame is None:
            return
        yield _Item(source=name, image=frame.image, frame=frame.index, time=frame.time)


def _results(
    items: Iterable[_Item],
    predictor: "Predictor",
    sources: list["Source"],
    args: argparse.Namespace,
) -> Iterator["Result"]:
    """Poses of all items, ``args.batch`` at a time."""
    from vitruvian.outputs.result import Result

    numbers = _numbers(sources)
    for batch in _batched(items, args.batch):
        given = [item.boxes for item in batch if item.boxes is not None] or None
        images = [item.image for item in batch]
        found = predictor(images, boxes=given, whole_image=args.whole_image)
        for item, poses in zip(batch, found, strict=True):
            yield Result(
                source=item.source,
                image=item.image,
                poses=poses,
                image_id=numbers(item.source),
                frame=item.frame,
                time=item.time,
            )


def _batched(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    batch: list[_Item] = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _numbers(sources: list["Source"]) -> Callable[[str], int]:
    """Image ids: the pictures' names where all are different numbers, as in COCO, else counted."""
    stems = [Path(source.name).stem for source in sources if source.kind == "picture"]
    if len(stems) == len(sources) and all(map(str.isdecimal, stems)):
        ids = {source.name: int(stem) for source, stem in zip(sources, stems, strict=True)}
        if len(set(ids.values())) == len(sources):
            return ids.__getitem__
    following = count(1)
    return lambda _: next(following)


@contextmanager
def _stoppable(sources: list["Source"]) -> Iterator[Callable[[], bool]]:
    """Ctrl-C ends a live source and keeps what was written; a second Ctrl-C stops at once."""
    if not any(source.kind == "live" for source in sources):
        yield lambda: False
        return
    pressed = False

    def press(_number: int, _frame: FrameType | None) -> None:
        nonlocal pressed
        if pressed:
            raise KeyboardInterrupt
        pressed = True

    before = signal.signal(signal.SIGINT, press)
    try:
        yield lambda: pressed
    finally:
        signal.signal(signal.SIGINT, before)
