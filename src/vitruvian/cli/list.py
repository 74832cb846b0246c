"""List what there is: models, pipelines, systems, skeletons, networks, codecs and so on."""

import argparse
from collections.abc import Callable

ROOMS = ("systems", "nets", "datasets", "codecs", "metrics")
_PAGES = "vitruvian.systems"
KINDS = ("models", "pipelines", "skeletons", *ROOMS)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The verb's arguments."""
    parser.add_argument("kind", nargs="?", choices=KINDS, help="only these")
    parser.add_argument("--family", metavar="NAME", help="only systems of this page, e.g. hrnet")


def run(args: argparse.Namespace) -> int:
    """Print names, under a headline each kind unless one was asked for."""
    if args.family:
        return _family(args.family)
    for kind in [args.kind] if args.kind else KINDS:
        rows = _rows(kind)
        indent = "" if args.kind else "  "
        if not args.kind:
            print(f"{kind}:")
        width = max((len(name) for name, _ in rows), default=0)
        for name, about in rows:
            print(f"{indent}{name:<{width}}  {about}".rstrip())
        if not rows:
            print(f"{indent}none")
    return 0


def _family(name: str) -> int:
    from vitruvian.core.errors import UnknownName
    from vitruvian.core.lookup import find, names

    files = {n: find("vitruvian.systems", n).__module__.rpartition(".")[2] for n in names(_PAGES)}
    if name not in files.values():
        raise UnknownName("family", name, set(files.values()))
    rows = [(system, about) for system, about in _systems() if files[system] == name]
    width = max(len(system) for system, _ in rows)
    for system, about in rows:
        print(f"{system:<{width}}  {about}")
    return 0


def _rows(kind: str) -> list[tuple[str, str]]:
    """(name, what it is) of everything of a kind."""
    special: dict[str, Callable[[], list[tuple[str, str]]]] = {
        "models": _models,
        "pipelines": _pipelines,
        "skeletons": _skeletons,
        "systems": _systems,
    }
    if kind in special:
        return special[kind]()
    from vitruvian.core.lookup import names

    return [(name, "") for name in names(f"vitruvian.{kind}")]


def _models() -> list[tuple[str, str]]:
    from vitruvian.runtime.weights import bundled

    return [(n, f"{entry.bytes / 1e6:.1f} MB, bundled") for n, entry in bundled().items()]


def _pipelines() -> list[tuple[str, str]]:
    from vitruvian.systems.pipelines import pipeline, pipeline_names

    rows = []
    for name in pipeline_names():
        plan = pipeline(name)
        parts = (" or ".join(names) for names in (plan.detector, plan.model) if names)
        rows.append((name, ", then ".join(parts)))
    return rows


def _skeletons() -> list[tuple[str, str]]:
    from vitruvian.core.skeleton import skeleton, skeleton_names

    return [(name, f"{len(skeleton(name))} keypoints") for name in skeleton_names()]


def _systems() -> list[tuple[str, str]]:
    from vitruvian.core.lookup import find, names

    rows = []
    for name in names("vitruvian.systems"):
        page = find("vitruvian.systems", name)()
        height, width = page.input.size
        bones = f"{page.skeleton.name}, " if page.skeleton else ""
        rows.append((name, f"{page.task}, {bones}{height}x{width}"))
    return rows
