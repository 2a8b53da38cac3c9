"""The package as programs get it."""

import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import apus

HERE = Path(__file__).parents[1]


def test_it_installs_into_a_fresh_environment_and_brings_its_types_and_one_other_package(tmp_path):
    source, fresh = tmp_path / "source", tmp_path / "venv"
    # pip leaves what it builds beside the sources.
    shutil.copytree(HERE, source, ignore=shutil.ignore_patterns("build", "*.egg-info", ".*_cache", "__pycache__"))
    venv.create(fresh, with_pip=True)
    subprocess.run([fresh / "bin/pip", "install", "--quiet", "--disable-pip-version-check", source], check=True)
    program = "import apus, apus.sync, pathlib; print(apus.__version__, pathlib.Path(apus.__file__).parent)"
    run = subprocess.run(
        [fresh / "bin/python", "-c", program], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    version, folder = run.stdout.split()
    assert version == apus.__version__
    assert (Path(folder) / "py.typed").is_file()
    listed = subprocess.run([fresh / "bin/pip", "list", "--format=freeze"], check=True, capture_output=True, text=True)
    assert {line.partition("==")[0] for line in listed.stdout.split()} - {"pip", "setuptools"} == {"apus", "websockets"}


def test_the_version_is_the_same_everywhere():
    assert re.search(r'^version = "(.+)"$', (HERE / "pyproject.toml").read_text(), re.M)[1] == apus.__version__


def test_files_and_functions_are_short():
    import ast

    for path in HERE.rglob("src/**/*.py"):
        text = path.read_text()
        assert text.count("\n") <= 301, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                docstring = node.body[0] if ast.get_docstring(node) else None
                words = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
                assert node.end_lineno - node.lineno - words < 70, f"{path}: {node.name}"


def test_this_is_the_interpreter_that_is_promised():
    assert sys.version_info >= (3, 11)
