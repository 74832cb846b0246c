"""Fixtures shared by every test."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(scope="session")
def shared() -> Path:
    """The optional folder with real data; tests that need it are marked ``shared``."""
    folder = Path(os.environ.get("VITRUVIAN_SHARED", ROOT.parent / "shared"))
    if not (folder / "people").is_dir():
        pytest.skip("the optional data folder is not here")
    return folder


@pytest.fixture(scope="session")
def parity_data() -> Path:
    """Fixtures of the authors' implementations that ship with the tests."""
    return ROOT / "tests" / "parity" / "data"
