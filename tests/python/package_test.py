"""The package as such: stubs, docstrings, examples, pages."""
import doctest
import importlib
import pkgutil
import subprocess
import sys

import pytest

import xlstm_cpp
from golden import ROOT


def test_the_stubs_are_those_of_the_module(tmp_path):
    made = tmp_path / "_core.pyi"
    subprocess.run([sys.executable, "-m", "nanobind.stubgen", "-q", "-m", "xlstm_cpp._core", "-o", made], check=True,
                   cwd=tmp_path)
    assert made.read_text() == (ROOT / "python/xlstm_cpp/_core.pyi").read_text(), (
        "expected current stubs; make them: python -m nanobind.stubgen -m xlstm_cpp._core -o python/xlstm_cpp/_core.pyi")


def modules():
    return [name for _, name, _ in pkgutil.iter_modules(xlstm_cpp.__path__, "xlstm_cpp.") if name != "xlstm_cpp._core"]


def test_the_examples_of_docstrings_hold():
    attempted = 0
    for name in ["xlstm_cpp", *modules()]:
        found = doctest.testmod(importlib.import_module(name))
        assert found.failed == 0
        attempted += found.attempted
    assert attempted >= 15


def test_the_examples_of_the_page_hold():
    found = doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False)
    assert found.attempted >= 10 and found.failed == 0


@pytest.mark.parametrize("path", sorted((ROOT / "examples/python").glob("*.py")), ids=lambda path: path.name)
def test_examples_run(path, tmp_path):
    made = subprocess.run([sys.executable, path], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert made.returncode == 0, made.stderr
    assert made.stdout and not made.stderr


def test_everything_public_says_what_it_is():
    for name in xlstm_cpp.__all__:
        thing = getattr(xlstm_cpp, name)
        assert thing.__doc__, name
        if isinstance(thing, type):
            for key, value in vars(thing).items():
                if not key.startswith("_") and (callable(value) or isinstance(value, property)):
                    assert value.__doc__, f"{name}.{key}"


def test_every_version_is_the_projects():
    version = f'version = "{xlstm_cpp.__version__}"'
    assert version in (ROOT / "pyproject.toml").read_text()
    assert f"project(xlstm VERSION {xlstm_cpp.__version__} " in (ROOT / "CMakeLists.txt").read_text()


def test_pins_are_one():
    pins = dict(line.split("==") for line in (ROOT / "tools/requirements.txt").read_text().split() if "==" in line)
    pyproject = (ROOT / "pyproject.toml").read_text()
    for name in ("nanobind", "mlx", "mlx-cpu"):
        assert f'"{name}=={pins[name]}"' in pyproject
