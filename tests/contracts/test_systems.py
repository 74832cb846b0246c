"""What every page owes. A page is a public function of a file in ``systems/`` that returns a
``System``; its name begins with that of its file."""

from functools import cache

import numpy as np
import pytest

from tests.golden.measure import SYSTEMS, describe_system, read, systems
from vitruvian.core.lookup import find
from vitruvian.systems.spec import System

PAGES = systems()

every_page = pytest.mark.parametrize("page", [pytest.param(p, id=n) for n, p in PAGES.items()])


@cache
def _found(name: str) -> dict:
    return describe_system(PAGES[name])


@every_page
def test_page_is_found_by_its_name(page):
    assert page().name == page.__name__
    assert find("vitruvian.systems", page.__name__) is page


@every_page
def test_outputs_of_the_network_are_the_fields_of_the_codec(page):
    system = page()
    fields = {f.name: [f.channels, *f.cells(system.input.size)] for f in system.codec.fields}
    assert _found(system.name)["stages"][-1] == fields


@every_page
def test_page_says_how_to_train_it_and_what_it_scored(page):
    system, text = page(), " ".join((page.__doc__ or "").split())
    assert f"vitruvian train {system.name} " in text
    assert system.paper
    if system.url:
        assert "Paper: " in text
        assert "Ours: " in text


def _asked(system: System) -> set[str]:
    """What targets the codec makes: its fields, and what is only supervised."""
    if system.task != "topdown":
        return {field.name for field in system.codec.fields}
    nobody = np.full((len(system.skeleton), 2), np.nan, np.float32)
    return set(system.codec.encode(nobody, np.zeros(len(nobody), np.uint8), system.input.size))


@every_page
def test_the_network_answers_and_the_loss_names_what_the_codec_asks(page):
    system = page()
    named = {part.split("=")[0] for part in system.recipe.loss.split(",") if "=" in part}
    answered = {field for stage in _found(system.name)["stages"] for field in stage}
    assert _asked(system) <= answered
    assert named in (set(), _asked(system))


@every_page
def test_size_input_and_fields_are_those_of_the_golden_file(page):
    golden = read(SYSTEMS).get(page.__name__)
    assert _found(page.__name__) == golden, "if it is meant: python -m tests.golden"


def test_golden_file_names_no_page_that_is_gone():
    assert read(SYSTEMS).keys() <= PAGES.keys(), "if it is meant: python -m tests.golden"
