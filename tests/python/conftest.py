import pathlib
import sys

import pytest

import xlstm_cpp

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/python"))


@pytest.fixture(scope="session")
def bard():
    """The model's directory, the same that is embedded in the package."""
    return ROOT / "models/bard-8m"


@pytest.fixture(scope="session")
def model():
    with xlstm_cpp.load(threads=1) as loaded:
        yield loaded


@pytest.fixture
def service():
    with xlstm_cpp.Service(threads=1) as running:
        yield running
