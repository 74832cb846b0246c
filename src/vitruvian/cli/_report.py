"""What a run of ``predict`` says: a progress bar, one line per failure, a summary."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress

    from vitruvian.outputs.result import Result


@dataclass(slots=True, kw_only=True)
class Report:
    """Counts results and failures.

    Attributes:
        quiet: Say nothing but errors.
        failed: Names of the inputs that could not be used.
        results: Pictures and frames with an answer.
        frames: How many of them are frames of videos.
        people: People in all of them.
        peopled: Pictures and frames with anybody.
    """

    quiet: bool = False
    failed: list[str] = field(default_factory=list)
    results: int = 0
    frames: int = 0
    people: int = 0
    peopled: int = 0
    _bar: "Progress | None" = None

    def fail(self, name: str, reason: str) -> None:
        """One line about an input that could not be used."""
        text = " ".join(reason.split())
        about = "" if name in text else f"{name}: "
        print(f"vitruvian: error: {about}{text}", file=sys.stderr)
        self.failed.append(name)

    def add(self, result: "Result", *, named: bool) -> None:
        """One more result, with a line of its own if ``named``."""
        found = len(result.poses)
        self.results += 1
        self.frames += result.frame is not None
        self.people += found
        self.peopled += found > 0
        if named and not self.quiet:
            at = "" if result.frame is None else f" frame {result.frame}"
            print(f"{result.source}{at}: {_plural(found, 'person', 'people')}")

    @contextmanager
    def progress(self, total: int, *, shown: bool) -> Iterator[None]:
        """Show how many of ``total`` inputs are done, where somebody can see it."""
        if self.quiet or not shown or not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            self._bar = bar
            bar.add_task("predict", total=total)
            yield
        self._bar = None

    def advance(self) -> None:
        """One more input is done."""
        if self._bar is not None:
            self._bar.advance(self._bar.task_ids[0])

    def finish(self, seconds: Mapping[str, float] | None = None, runtime: str = "") -> int:
        """Print the summary; the exit code."""
        if not self.quiet:
            print("; ".join(self._summary()))
            if self.results and seconds:
                each = (f"{stage} {1e3 * s / self.results:.1f}" for stage, s in seconds.items())
                print(f"{', '.join(each)} ms each; {runtime}")
        return 1 if self.failed else 0

    def _summary(self) -> Iterator[str]:
        pictures = self.results - self.frames
        kinds = [
            _plural(n, one, f"{one}s")
            for n, one in ((pictures, "picture"), (self.frames, "frame"))
            if n
        ]
        where = f" in {self.peopled} of them" if self.results > 1 else ""
        people = _plural(self.people, "person", "people")
        yield f"{' and '.join(kinds) or '0 pictures'}, {people}{where}"
        if self.failed:
            yield f"{len(self.failed)} failed: {', '.join(self.failed)}"


def _plural(count: int, one: str, many: str) -> str:
    return f"{count} {one if count == 1 else many}"
