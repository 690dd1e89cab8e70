"""The house's rules: who may import whom, what each room may know, and what stays light."""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import click
import pytest

from pixquery.commands.entry import main
from tests.conftest import COLOURS, REPOSITORY, Invoke, square

PACKAGE = REPOSITORY / "pixquery"
ROOMS = ("db", "engine", "indexer", "trainer", "web", "commands")
ALLOWED = {
    "db": {"db"},
    "engine": {"engine", "db"},
    "indexer": {"indexer", "engine", "db"},
    "trainer": {"trainer", "engine", "db"},
    "web": set(ROOMS) - {"commands"},
    "commands": set(ROOMS),
}
ENTRY = PACKAGE / "commands" / "entry.py"
FILES = sorted(file for room in ROOMS for file in (PACKAGE / room).rglob("*.py"))
BELOW = [file for file in FILES if file.parent.name != "commands"]
"""What lies below the command line."""

HUB = {"trainer/adopting/hub.py", "trainer/adopting/hub_errors.py"}
"""All that goes over the network, but for the web."""

ONE_ROOM = {
    "faiss": {"engine/vectors.py"},
    "sqlalchemy": {"db/schema.py", "db/filters.py", "db/remains.py", "db/salvage.py"},
    "sqlite3": {"db"},
    "click": {"commands"},
    "rich": {"commands"},
    "pandas": {"engine/frames.py", "trainer"},
    "openvino": {"engine/runtime.py"},
    "onnxruntime": {"engine/devices.py"},
    "tokenizers": {
        "engine/tokenizer.py",
        "engine/vocabulary.py",
        "trainer/adopting/wording.py",
        "trainer/adopting/wordpieces.py",
    },
    "PIL": {
        "indexer/altered.py",
        "indexer/annotations.py",
        "indexer/decode.py",
        "indexer/exif.py",
        "indexer/formats.py",
        "indexer/jpegxl.py",
        "indexer/limits.py",
        "indexer/mending.py",
        "indexer/metadata.py",
        "indexer/pillow.py",
        "indexer/deep_tiff.py",
        "indexer/text_reader.py",
    },
    "pi_heif": {"indexer/formats.py"},
    "pillow_jxl": {"indexer/jpegxl.py"},
    "rawpy": {"indexer/formats.py"},
    "rapidocr": {"indexer/text_reader.py"},
    "cv2": {"indexer/text_reader.py"},
    "blake3": {"engine/photos.py"},
    "xxhash": {"engine/photos.py", "db/checksums.py"},
    "filelock": {"engine/lock.py", "trainer/adopting/hub.py", "trainer/profile_folder.py"},
    "huggingface_hub": {*HUB, "trainer/adopting/architectures.py"},
    "httpx2": HUB,
    "torch": {"trainer"},
    "onnx": {"trainer/onnx_files.py"},
    "nncf": {"trainer/onnx_files.py"},
    "transformers": {
        "trainer/text_model.py",
        "trainer/adopting/architectures.py",
        "trainer/adopting/makers.py",
        "trainer/adopting/wordpieces.py",
    },
    "torchvision": set(),  # it breaks beside PyTorch for processors
    "timm": set(),
    "catboost": {"engine/predictors.py", "trainer/learning/regressors.py"},
    "optuna": {"trainer/learning/tuning.py"},
    "crowdkit": {"trainer/learning/workers.py"},
    "matplotlib": {"trainer/learning/plots.py", "trainer/learning/drawing.py"},
    "jinja2": {"trainer/learning/report.py"},
    "send2trash": {"engine/trash.py"},
    "snowballstemmer": {"engine/policy.py"},
    "mcp": {"web/assistants.py", "web/messages.py"},
    "textual_image": {"commands"},
    "watchfiles": {"indexer/watch.py"},
    "fastapi": {"web"},
    "starlette": {"web"},
    "pydantic": {"web"},
    "uvicorn": {"web/connections.py", "web/serving.py"},
    "prometheus_client": {"web/meters.py"},
}
WEB = {"answers": "search_api", "questions": "search_api", "meters": "app", "reference": "app",
       "refusals": "guard", "routes": "app", "site": "app"}  # fmt: skip
TRAINING = ("competition", "course", "deploy", "finetune", "from_captions", "from_ratings",
            "learned", "options", "stop_words")  # fmt: skip
HEAVY = {"torch", "transformers", "catboost", "sklearn", "pandas", "matplotlib", "scipy", "onnx",
         "nncf"}  # fmt: skip
TALKATIVE = {"openvino_telemetry", "huggingface_hub"}
"""What would go over the network: everyday commands never load it."""


def name_of(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def tree_of(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"), str(file))


@cache
def importing(file: Path) -> list[tuple[str, ast.stmt]]:
    """Every module that a file imports, wherever in the file, and the statement that does."""
    modules: list[tuple[str, ast.stmt]] = []
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Import):
            modules += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name_of(file)} imports relatively"
            assert node.module is not None
            modules.append((node.module, node))
    return modules


def imports(file: Path) -> Iterator[str]:
    """Every module that a file imports."""
    return (module for module, _ in importing(file))


@cache
def calls(file: Path) -> list[tuple[str, ast.Call]]:
    called = [node for node in ast.walk(tree_of(file)) if isinstance(node, ast.Call)]
    return [(ast.unparse(node.func), node) for node in called]


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) >= 20


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_imports_go_downward(file: Path) -> None:
    ours = [module.split(".") for module in imports(file) if module.split(".")[0] == "pixquery"]
    assert all(len(parts) > 1 for parts in ours), "the public face is for users"
    assert {parts[1] for parts in ours} <= ALLOWED[file.relative_to(PACKAGE).parts[0]]


def test_errors_import_nothing() -> None:
    assert list(imports(PACKAGE / "db" / "errors.py")) == []


def test_there_are_no_circles() -> None:
    """Looks at every import, those inside functions and for the type checker too."""
    modules = {
        "pixquery." + name_of(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in FILES
    }
    edges: dict[str, set[str]] = {}
    for file in FILES:
        module = "pixquery." + name_of(file).removesuffix(".py").replace("/", ".")
        named = {
            f"{statement.module}.{alias.name}"
            for _, statement in importing(file)
            if isinstance(statement, ast.ImportFrom)
            for alias in statement.names
        }
        edges[module.removesuffix(".__init__")] = (named | set(imports(file))) & modules
    rooms = {module for module in modules if module.count(".") == 1}
    for targets in edges.values():
        targets -= rooms  # they import nothing: see the next test
    TopologicalSorter(edges).prepare()  # else CycleError tells the circle


@pytest.mark.parametrize("room", ROOMS)
def test_a_package_imports_none_of_its_modules(room: str) -> None:
    assert list(imports(PACKAGE / room / "__init__.py")) == []


@pytest.mark.parametrize("library", ONE_ROOM)
def test_one_foreign_library_one_room(library: str) -> None:
    users = {
        name_of(file)
        for file in FILES
        if library in {module.split(".")[0] for module in imports(file)}
    }
    rooms = ONE_ROOM[library]
    assert all({user, *map(str, Path(user).parents)} & rooms for user in users)


@pytest.mark.parametrize("file", BELOW, ids=name_of)
def test_below_the_command_line_nobody_prints(file: Path) -> None:
    for called, call in calls(file):
        assert called not in {"print", "input"}, call.lineno


@pytest.mark.parametrize("file", [file for file in FILES if file != ENTRY], ids=name_of)
def test_only_the_entry_ends_the_process_and_catches_everything(file: Path) -> None:
    for called, call in calls(file):
        assert called not in {"exit", "quit", "sys.exit", "os._exit"}, call.lineno
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.ExceptHandler):
            caught = "everything" if node.type is None else ast.unparse(node.type)
            assert caught not in {"everything", "Exception"}, f"line {node.lineno}"


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_assertions_only_guide_the_type_checker(file: Path) -> None:
    """``python -O`` drops them, so that input must be checked otherwise."""
    lines = file.read_text("utf-8").splitlines()
    for node in ast.walk(tree_of(file)):
        if isinstance(node, ast.Assert):
            test = ast.unparse(node.test)
            assert "is not None" in test or test.startswith("isinstance("), lines[node.lineno - 1]


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_nothing_unpickles(file: Path) -> None:
    """A profile from elsewhere must not run code."""
    used = {
        module.split(".")[0]
        for module, statement in importing(file)
        if ast.unparse(statement) != "from pickle import UnpicklingError"  # only to be caught
    }
    assert not used & {"pickle", "joblib", "dill", "cloudpickle", "shelve", "marshal"}
    for called, node in calls(file):
        assert called not in {"eval", "exec", "numpy.load", "np.load"}
        if called == "torch.load":
            safe = [ast.unparse(k.value) for k in node.keywords if k.arg == "weights_only"]
            assert safe == ["True"]


@pytest.mark.parametrize(
    "file", [f for f in FILES if name_of(f).split("/")[0] != "web"], ids=name_of
)
def test_nothing_goes_over_the_network(file: Path) -> None:
    used = {module.split(".")[0] for module in imports(file)}
    assert not used & {"socket", "urllib", "http", "requests", "httpx", "aiohttp", "ftplib"}
    if name_of(file) not in HUB:
        used = {module for module in imports(file) if module != "huggingface_hub.errors"}
        assert not {module.split(".")[0] for module in used} & {"httpx2", "huggingface_hub"}


def test_no_drawers_for_odds_and_ends() -> None:
    banned = {"utils", "util", "helpers", "common", "core", "manager", "service", "misc", "types"}
    assert not banned & {
        part for file in FILES for part in Path(name_of(file)).with_suffix("").parts
    }


@pytest.mark.parametrize("file", BELOW, ids=name_of)
def test_every_room_has_its_test(file: Path) -> None:
    """One test file a room; small rooms are tested with their neighbours, commands by test_cli."""
    neighbours = {
        "__init__": "house", "errors": "cli", "records": "catalog", "encoders": "profile",
        "connections": "catalog", "reading": "catalog", "values": "filters",
        "raw_vectors": "catalog", "files": "catalog", "checkup": "library", "index_file": "library",
        "checksums": "schema", "migrations": "schema", "opening": "schema",
        "structure": "stranger", "forms": "stranger", "remains": "salvage",
        "survivors": "losses", "switch": "switching",
        "features": "relevance", "runtime": "profile", "unit": "alignment",
        "profile_files": "profile", "random_network": "forecast",
        "examples": "concepts", "teaching": "concepts", "alteration": "altered",
        "image_model": "export", "text_model": "export", "onnx_files": "export",
        "packages": "export",
        **WEB, **dict.fromkeys(TRAINING, "train"),
        "contenders": "study", "tuning": "study", "recipe": "align", "captioned": "align",
        "towers": "align", "plots": "report", "drawing": "report", "sections": "report",
        "cells": "report", "results": "report", "queries": "tables", "score": "evaluate",
        "changes": "rows_changed", "writing": "content", "roots": "forget",
        "classes": "additions", "encoder_files": "additions", "joint_space": "additions",
        "comparison": "fingerprints", "ready": "ready_profiles", "pytorch": "additions",
        "sample_texts": "additions", "makers": "fingerprints", "wording": "layouts",
        "known": "layouts", "pins": "layouts", "notes": "habits",
        "manifest": "additions", "networks": "image_network", "resnet": "image_network",
        "wordpieces": "text_network",
        "boxes": "formats", "jpegxl": "formats", "jpeg": "mending", "png": "mending",
        "deep_tiff": "tiff", "tones": "tiff", "options": "build",
        "plan": "build", "run": "build", "interrupt": "interruption",
        "thumbnails": "photos", "fields": "exif", "xmp": "exif", "owner": "describing",
        "undescribed": "describing",
        "folding": "gazetteer", "gazetteer_file": "gazetteer", "place_words": "places",
        "date_words": "dates", "date_forms": "dates", "periods": "dates", "month_names": "dates",
        "text_rules": "text_reader", "lookalikes": "mentions", "ranking": "search",
        "policed": "policy", "known_places": "recognition", "place_pass": "recognition",
        "date_hint": "dates", "findings": "assistants",
    }  # fmt: skip
    stem = neighbours.get(file.stem, file.stem)
    assert list((REPOSITORY / "tests").rglob(f"test_{stem}.py"))


# -- commands ---------------------------------------------------------------------------------


def commands(group: click.Group, *before: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, *before, name)
        else:
            yield " ".join([*before, name]), command


COMMANDS = dict(commands(main))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help or parameter.name == "seed", parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_library_and_json(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert {"--library", "--json"} <= options


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_stands_in_the_readme(name: str) -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    assert re.search(rf"(pixquery |cli\.py |`){name}\b", readme)


def module_of(name: str) -> str:
    callback = COMMANDS[name].callback
    assert callback is not None
    return callback.__module__


_HELP = """
import sys
from pixquery.commands.entry import main
main(sys.argv[1:], standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_imports_no_other(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _HELP, *name.split(), "--help"],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    everybody = {module_of(each) for each in COMMANDS}
    assert everybody & set(done.stderr.split()) == {module_of(name)}


def test_every_error_stands_in_the_tree() -> None:
    from pixquery.db import errors

    tree = errors.__doc__ or ""
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, Exception):
            assert re.search(rf"\b{name}\b", tree), name
            assert kind.__doc__


# -- weight -----------------------------------------------------------------------------------

_RUN = """
import json, sys
from click.testing import CliRunner
from pixquery.commands.entry import main
run = CliRunner().invoke(main, json.loads(sys.argv[1]))
loaded = sorted({name.removeprefix("pixquery.").split(".")[0] for name in sys.modules})
print(json.dumps([run.exit_code, run.output, loaded]))
"""


def loaded(library: Path, *words: str | Path) -> set[str]:
    """The packages that a process of its own has loaded after a command that answers in JSON."""
    given = json.dumps([*map(str, words), "--library", str(library), "--json"])
    done = subprocess.run(
        [sys.executable, "-c", _RUN, given],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    code, output, modules = json.loads(done.stdout)
    assert code == 0, output
    assert json.loads(output)
    return set(modules)


def test_everyday_commands_stay_light(tmp_path: Path, squares: Path, colours: Path) -> None:
    red = next(squares.rglob("red.*"))
    names = {path.stem: path.name for path in squares.rglob("*.*")}
    (tmp_path / "pairs.csv").write_text(f"image,text\n{red},red\n")
    lines = [f"{colour},{colour},{names[colour]}" for colour in COLOURS]
    (tmp_path / "queries.csv").write_text("\n".join(["query_id,query_text,image", *lines]))
    commands: tuple[tuple[str | Path, ...], ...] = (
        ("index", squares, "--profile", colours),
        ("query", "red"),
        ("evaluate", tmp_path / "queries.csv"),
        ("score", tmp_path / "pairs.csv"),
        ("info",),
        ("verify",),
    )
    for words in commands:
        assert not (HEAVY | TALKATIVE) & loaded(tmp_path / "library", *words), words[0]


def test_what_takes_long_to_import_waits_until_it_is_used(
    tmp_path: Path, squares: Path, colours: Path, invoke: Invoke
) -> None:
    library = tmp_path / "library"
    assert invoke("index", squares, "--library", library, "--profile", colours).exit_code == 0
    never = {"sqlalchemy", "rich", "trainer", "web"}
    assert not (never | {"indexer", "PIL"}) & loaded(library, "query", "red")
    nothing_new = loaded(library, "index", squares)
    assert not (never | {"faiss", "openvino", "tokenizers", "PIL"}) & nothing_new
    square(squares / "new.png", (1, 2, 3))
    assert "sqlalchemy" not in loaded(library, "index", squares)
    assert "sqlalchemy" in loaded(library, "query", "red", "--min-width", "1")


# -- what imports leave alone -------------------------------------------------------------------

_IMPORT_ALL = """
import importlib, json, sys, warnings
import faiss
from PIL import Image
def seen():
    return {name: repr(eval(code)) for name, code in json.loads(sys.argv[1]).items()}
before = seen()
for module in sys.argv[2:]:
    importlib.import_module(module)
print(json.dumps([before, seen()]))
"""
OBSERVATIONS = {
    "FAISS's threads": "faiss.omp_get_max_threads()",
    "modules that must not be imported": "[n for n, m in sys.modules.items() if m is None]",
    "Pillow's limit of pixels": "Image.MAX_IMAGE_PIXELS",
    # NumPy, SciPy and PyTorch add their own when they are imported.
    "warning filters": "[f for f in warnings.filters if not any(name in repr(f) for name in "
    "('numpy', 'scipy', 'torch', 'matrix subclass'))]",
}
"""What is looked at before and after every module of the package is imported."""


def test_imports_change_nothing_in_the_process() -> None:
    modules = [
        "pixquery." + name_of(file).removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for file in FILES
    ]
    done = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALL, json.dumps(OBSERVATIONS), *modules],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    before, after = json.loads(done.stdout)
    assert after == before
