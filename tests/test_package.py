"""What is installed: one name, its public face, and every file that the product reads."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

import pixquery
from tests.conftest import REPOSITORY

ROOMS = ("commands", "db", "engine", "examples", "indexer", "trainer", "web")
CHECKOUT = ["LICENSE", "MANIFEST.in", "NOTICE", "README.md", "pyproject.toml", "setup.cfg",
            "setup.py"]  # fmt: skip
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def python(tmp_path: Path) -> Run:
    """Runs Python with these arguments from another folder, among packages of a folder of ours."""

    def run(*words: str, packages: Path = REPOSITORY) -> subprocess.CompletedProcess[str]:
        (tmp_path / "elsewhere").mkdir(exist_ok=True)
        return subprocess.run(
            [sys.executable, *words], cwd=tmp_path / "elsewhere", capture_output=True, text=True,
            timeout=100, check=False, env={**os.environ, "PYTHONPATH": str(packages)},
        )  # fmt: skip

    return run


# -- the public face --------------------------------------------------------------------------


def face() -> ast.Module:
    return ast.parse((REPOSITORY / "pixquery" / "__init__.py").read_text("utf-8"))


def imported(statements: list[ast.stmt]) -> set[str]:
    return {
        alias.name
        for statement in statements
        if isinstance(statement, ast.ImportFrom) and (statement.module or "").startswith("pixquery")
        for alias in statement.names
    }


def test_the_exported_names_can_be_imported() -> None:
    assert pixquery.__all__ == sorted(pixquery.__all__)
    assert dir(pixquery) == pixquery.__all__
    for name in pixquery.__all__:
        assert getattr(pixquery, name) is not None


def test_a_name_that_is_not_exported_cannot_be_imported() -> None:
    with pytest.raises(AttributeError, match="'pixquery' has no attribute 'Catalog'"):
        getattr(pixquery, "Catalog")  # noqa: B009 - mypy knows too that it is not there


def test_the_type_checker_sees_the_exported_names() -> None:
    (guarded,) = (node for node in face().body if isinstance(node, ast.If) and node.orelse == []
                  and ast.unparse(node.test) == "TYPE_CHECKING")  # fmt: skip
    assert imported(face().body) | imported(guarded.body) == set(pixquery.__all__)


def test_the_documented_names_are_the_exported_ones() -> None:
    page = (REPOSITORY / "docs" / "python.md").read_text("utf-8")
    used = re.findall(r"^from pixquery import (.+)$", page, re.MULTILINE)
    assert {name for names in used for name in names.split(", ")} <= set(pixquery.__all__)
    listed = page[page.index("\n## All names\n") :]
    assert set(re.findall(r"`(\w+)`", listed)) == set(pixquery.__all__)


def test_importing_the_package_is_light(python: Run) -> None:
    code = "import json, sys, pixquery; print(json.dumps(sorted(sys.modules)))"
    modules = json.loads(python("-S", "-c", code).stdout)
    assert [name for name in modules if name.startswith("pixquery.")] == [
        "pixquery.db",
        "pixquery.db.errors",
    ]
    foreign = {name.partition(".")[0] for name in modules} - set(sys.stdlib_module_names)
    assert foreign == {"__main__", "pixquery"}


def test_the_package_runs_as_a_module(python: Run) -> None:
    done = python("-m", "pixquery", "--version")
    assert done.stdout == f"pixquery, version {pixquery.__version__}\n", done.stderr


def test_nobody_imports_a_room_by_its_bare_name() -> None:
    """In a clone it would be found beside `cli.py`; once installed, it would be somebody else's."""
    for folder in [*(REPOSITORY / "pixquery" / room for room in ROOMS), REPOSITORY / "benchmarks",
                   REPOSITORY / "tests"]:  # fmt: skip
        for file in folder.rglob("*.py"):
            names = set()
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name.partition(".")[0] for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    names.add((node.module or "").partition(".")[0])
            assert not names & set(ROOMS), file


# -- links that were checked out as text ------------------------------------------------------

_EVERY_MODULE = """
import importlib, pkgutil, pixquery
print(len(pixquery.__path__))
for room in {rooms}:
    package = importlib.import_module(f"pixquery.{{room}}")
    for module in pkgutil.iter_modules(package.__path__):
        print(room, module.name)
import pixquery.commands.entry, pixquery.engine.library, pixquery.indexer.build
import pixquery.trainer.measuring.metrics
"""


def checkout(folder: Path, *, links: bool) -> Path:
    """The package's files as a checkout has them. Nothing here reads the models: they are empty."""
    for name in CHECKOUT:
        folder.mkdir(exist_ok=True)
        shutil.copy(REPOSITORY / name, folder)
    unread = shutil.ignore_patterns("__pycache__", "*.onnx", "*.safetensors")
    for room in ROOMS:
        shutil.copytree(REPOSITORY / "pixquery" / room, folder / room, ignore=unread)
    for model in (REPOSITORY / "pixquery" / "engine" / "profiles").rglob("*"):
        if model.is_file():
            (folder / model.relative_to(REPOSITORY / "pixquery")).touch()
    (folder / "pixquery").mkdir()
    for file in (REPOSITORY / "pixquery").iterdir():
        if file.is_file():
            shutil.copy(file, folder / "pixquery")
    for room in ROOMS:
        link = folder / "pixquery" / room
        if links:
            link.symlink_to(Path("..", room), target_is_directory=True)
        else:
            link.write_text(f"../{room}", "utf-8")
    return folder


def modules_in(room: Path) -> list[str]:
    names = [file.stem for file in room.glob("*.py") if file.stem != "__init__"]
    names += [file.parent.name for file in room.glob("*/__init__.py")]
    return sorted(f"{room.name} {name}" for name in names)


def test_rooms_are_found_where_links_are_text(tmp_path: Path, python: Run) -> None:
    copy = checkout(tmp_path / "copy", links=False)
    assert (copy / "pixquery" / "engine").read_text("utf-8") == "../engine"
    done = python("-c", _EVERY_MODULE.format(rooms=ROOMS), packages=copy)
    count, *modules = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert count == "2"
    assert sorted(modules) == [name for room in ROOMS for name in modules_in(copy / room)]


# -- the wheel --------------------------------------------------------------------------------


def wheel_of(folder: Path) -> Path:
    for tool in ("build.__main__", "setuptools"):  # a folder build/ may be beside the package
        pytest.importorskip(tool, reason=f"{tool} comes with requirements-dev.txt")
    words = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder / "dist"), "."]
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = (folder / "dist").iterdir()
    return wheel


@pytest.fixture(scope="module", params=["links", "text"])
def wheel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel built from a checkout; one with links, and one where Git made text files of them."""
    folder = tmp_path_factory.mktemp("wheel") / "copy"
    try:
        return wheel_of(checkout(folder, links=request.param == "links"))
    except OSError as error:
        pytest.skip(f"this system makes no links: {error}")


def test_a_wheel_has_one_name_and_every_file(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    files = {
        Path("pixquery", path.relative_to(REPOSITORY / "pixquery")).as_posix()
        for room in ROOMS
        for path in (REPOSITORY / "pixquery" / room).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert names == files | {f"pixquery/{name}" for name in ("__init__.py", "__main__.py",
                                                             "py.typed")}  # fmt: skip


def test_a_wheel_finds_nothing_beside_its_package(wheel: Path, tmp_path: Path, python: Run) -> None:
    """Not even what others have installed by the name of a room."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
    for room in ROOMS:
        (tmp_path / "site" / f"{room}.py").write_text("raise RuntimeError('somebody else')")
    done = python("-c", _EVERY_MODULE.format(rooms=ROOMS), packages=tmp_path / "site")
    count, *modules = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    assert count == "1"
    assert sorted(modules) == [
        name for room in ROOMS for name in modules_in(REPOSITORY / "pixquery" / room)
    ]


def test_what_a_wheel_says_of_itself(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith("/METADATA"))
        lines = archive.read(name).decode("utf-8").split("\n\n")[0].splitlines()
        (top,) = (name for name in archive.namelist() if name.endswith("/top_level.txt"))
        assert archive.read(top) == b"pixquery\n"
    assert f"Version: {pixquery.__version__}" in lines
    assert "License-Expression: Apache-2.0" in lines
    assert not [line for line in lines if line.startswith("Classifier: License")]
    assert {line.partition(", ")[0] for line in lines if line.startswith("Project-URL")} == {
        f"Project-URL: {what}" for what in ("Source", "Documentation", "Changelog", "Issues")
    }
    extras = {line.partition(": ")[2] for line in lines if line.startswith("Provides-Extra: ")}
    assert extras == {"catboost", "cuda", "formats", "mcp", "pandas", "terminal", "text", "train",
                      "watch", "web", "workers"}  # fmt: skip
