"""The documents keep their promises: code runs, commands parse, links and files exist."""

import ast
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from pixquery import Library
from pixquery.commands.entry import main
from pixquery.db.errors import BadData, BadQuery
from pixquery.engine import wording
from pixquery.trainer.learning.ratings import parse_scale
from tests.conftest import REPOSITORY

DOCS = sorted(
    [
        REPOSITORY / "README.md",
        REPOSITORY / "CONTRIBUTING.md",
        *(REPOSITORY / "docs").glob("*.md"),
        REPOSITORY / "benchmarks" / "README.md",
        REPOSITORY / "examples" / "README.md",
        REPOSITORY / "tests" / "samples" / "README.md",
    ]
)
CHANGELOG = REPOSITORY / "CHANGELOG.md"
"""Its links are checked, but not its commands and files: some are gone by now."""
OURS = re.compile(r"https://github\.com/pixquery/pixquery/(?:blob|raw|tree)/main/")
ROOMS = "benchmarks|commands|db|docs|engine|examples|indexer|pixquery|tests|trainer|web"


def name_of(file: Path) -> str:
    return file.relative_to(REPOSITORY).as_posix()


def fenced(file: Path) -> Iterator[tuple[str, str]]:
    """The fenced blocks of a document: language and text.

    The lines before a block are kept as empty ones, so that errors name the right line.
    """
    text = file.read_text("utf-8")
    pattern = r"^[ ]*```(\w*)\n(.*?)^[ ]*```$"
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        yield match[1], "\n" * text[: match.start(2)].count("\n") + match[2]


def without_blocks(file: Path) -> str:
    text = file.read_text("utf-8")
    return re.sub(r"^[ ]*```.*?^[ ]*```$", "", text, flags=re.MULTILINE | re.DOTALL)


def inline_code(file: Path) -> Iterator[str]:
    """What stands in backquotes, on one line and without a table's escapes."""
    for code in re.findall(r"`([^`]+)`", without_blocks(file)):
        yield " ".join(code.replace(r"\|", "|").split())


# -- code -------------------------------------------------------------------------------------


def test_the_code_of_the_python_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    shutil.copytree(REPOSITORY / "examples" / "images", tmp_path / "photos")
    shutil.copy(tmp_path / "photos" / "p01.jpg", tmp_path / "photos" / "again.jpg")
    monkeypatch.chdir(tmp_path)
    file = REPOSITORY / "docs" / "python.md"
    names: dict[str, Any] = {"__name__": "docs"}
    code = [text for language, text in fenced(file) if language == "python"]
    assert len(code) >= 10
    for block in code:
        exec(compile(block, str(file), "exec"), names)
    output = capsys.readouterr().out
    assert "22 photos, 0 skipped" in output
    assert re.search(r"^1 0\.[5-9]\d p21\.jpg$", output, re.MULTILINE)
    assert "keep" in output
    assert "the query is empty" in output


def test_the_code_of_the_readme_runs(tmp_path: Path) -> None:
    (code,) = [text for language, text in fenced(REPOSITORY / "README.md") if language == "python"]
    with Library.open(tmp_path / "library", create=True):
        pass
    here = code.replace('"~/pixquery"', repr(str(tmp_path / "library")))
    assert here != code
    exec(compile(here, "README.md", "exec"), {})


def test_only_public_names_are_imported() -> None:
    for file in DOCS:
        for language, text in fenced(file):
            if language == "python":
                modules = re.findall(r"^(?:from|import) (pixquery[\w.]*)", text, re.MULTILINE)
                assert set(modules) <= {"pixquery"}, name_of(file)


# -- links ------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", [*DOCS, CHANGELOG], ids=name_of)
def test_links_lead_somewhere(file: Path) -> None:
    """Links within the repository, also to headings and pictures."""
    for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(file)):
        folder = file.parent
        if OURS.match(target):
            target, folder = OURS.sub("", target), REPOSITORY
        elif re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        linked = (folder / name).resolve() if name else file
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked), target


def test_links_of_the_readme_work_on_a_package_index() -> None:
    targets = re.findall(r"\]\(([^)\s]+)\)", without_blocks(REPOSITORY / "README.md"))
    assert [target for target in targets if not target.startswith("https://")] == []


def anchors(file: Path) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }


# -- commands ---------------------------------------------------------------------------------


def shell_lines(text: str) -> Iterator[str]:
    """The commands of a block: those after ``$``, if there are any, otherwise every line."""
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    prompted = [line.strip()[2:] for line in lines if line.strip().startswith("$ ")]
    for line in prompted or lines:
        yield from re.split(r" \| | && |; ", line.strip())


def words_of(line: str) -> list[str]:
    """A command's words without variables set before it; ``python cli.py`` is ``pixquery``."""
    words = shlex.split(line, comments=True)
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if words and Path(words[0]).name in ("python", "python3"):
        words[0] = "python"
        if words[1:2] == ["cli.py"] or words[1:3] == ["-m", "pixquery"]:
            words = ["pixquery", *words[2 if words[1] == "cli.py" else 3 :]]
    return words


def command_of(words: list[str]) -> tuple[click.Command, list[str]]:
    """The command that words after ``pixquery`` call, and the words that are left for it."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        inner = command.get_command(click.Context(command), words[0])
        assert inner is not None, f"there is no command {words[0]}"
        command, words = inner, words[1:]
    return command, words


def parse(words: list[str], *, mentioned: bool = False) -> None:
    """Parses the words after ``pixquery`` as the command line does, and runs nothing.

    Args:
        words: The command with its options and arguments.
        mentioned: Arguments may be missing, and placeholders stand for values.
    """
    if mentioned:
        words = [placeholder(word) for word in words if word != "..."]
    command, words = command_of(words)
    if isinstance(command, click.Group) and not words:
        return
    try:
        parent = click.Context(main, **main.context_settings)
        context = command.make_context(command.name, list(words), parent)
    except click.exceptions.Exit:  # --help, --version
        return
    except (click.MissingParameter, click.BadOptionUsage) as error:
        unfinished = isinstance(error, click.MissingParameter) or "requires" in error.message
        if mentioned and unfinished:
            return
        raise
    options = context.params
    for name, read in (
        ("taken", wording.period), ("modified", wording.period), ("near", wording.near)
    ):  # fmt: skip
        if options.get(name):
            read(options[name])
    for each in options.get("formats") or ():
        wording.format_name(each)
    for each in (*(options.get("plus") or ()), *(options.get("minus") or ())):
        wording.weighted(each)
    if options.get("scale"):
        parse_scale(options["scale"])


def placeholder(word: str) -> str:
    """A value for a placeholder such as N, [PATH...] or on|off|show."""
    word = word.strip("[]").split("|")[0].removesuffix("...")
    return {"N": "1", "ID": "1", "COMMAND": "query", "GLOB": "*"}.get(word, word)


def check(line: str, *, mentioned: bool = False) -> bool:
    """Checks one command; returns whether it is one of ours."""
    words = words_of(line)
    if words[:1] == ["pixquery"]:
        parse(words[1:], mentioned=mentioned)
    elif words[:1] == ["make"] and len(words) > 1:
        assert set(words[1:]) <= targets(), f"make has no target for {line}"
    elif words[:2] == ["python", "-m"] and re.match(r"(benchmarks|tests)\.", words[2]):
        assert importlib.util.find_spec(words[2]), f"there is no module {words[2]}"
        for option in (word for word in words[3:] if word.startswith("--") and word != "--help"):
            assert option in script_options(words[2].rpartition(".")[0]), line
    else:
        return False
    return True


@cache
def targets() -> set[str]:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z][a-z-]*):", makefile, re.MULTILINE))


@cache
def script_options(package: str) -> set[str]:
    """The options of the scripts in a package such as ``tests.proofs``."""
    files = REPOSITORY.joinpath(*package.split(".")).glob("*.py")
    return set(re.findall(r'"(--[a-z-]+)"', "".join(file.read_text("utf-8") for file in files)))


@cache
def commands() -> dict[str, click.Command]:
    """Every command by its name, such as ``models add``."""
    found = {}
    for name in main.list_commands(context := click.Context(main)):
        command = main.get_command(context, name)
        assert command is not None
        found[name] = command
        if isinstance(command, click.Group):
            found |= {f"{name} {inner}": each for inner, each in command.commands.items()}
    return found


@pytest.mark.parametrize("file", DOCS, ids=name_of)
def test_commands_in_blocks_parse(file: Path) -> None:
    for language, text in fenced(file):
        if language not in ("python", "mermaid"):
            for line in shell_lines(text):
                if re.search(r"\bpixquery |\bcli\.py |^make |-m (benchmarks|tests)\.", line):
                    check(line)


@pytest.mark.parametrize("file", DOCS, ids=name_of)
def test_commands_in_sentences_parse(file: Path) -> None:
    """Also without ``pixquery`` before them, as in ``index --watch``, and options alone."""
    for code in inline_code(file):
        if re.match(r"_PIXQUERY_COMPLETE|eval ", code):
            continue  # run below
        first, *others = code.split(" ")
        if first.startswith("-") and first != "-e":
            assert any(option_parses(name, code) for name in commands()) or (
                first in script_options("benchmarks") | script_options("tests.proofs")
            ), f"no command takes {code}"
        elif first in main.list_commands(click.Context(main)) and others:
            check(f"pixquery {code}", mentioned=True)
        elif re.match(r"(\w+=\S+ )?(pixquery|python|make) ", code):
            check(code, mentioned=True)


def filled(value: ast.expr) -> str:
    """A placeholder for a value in a message, which may be the option that names a library."""
    text = ast.unparse(value.value if isinstance(value, ast.FormattedValue) else value)
    option = text.startswith("library_option(") or text in {"own", "where"}
    return " --library 1" if option else "1"


def option_parses(name: str, code: str) -> bool:
    try:
        parse([*name.split(), *shlex.split(code)], mentioned=True)
    except click.UsageError:
        return False
    return True


@cache
def sentences() -> list[tuple[str, str]]:
    """The texts in the product's code, by file; a value that is filled in is a placeholder."""
    found = []
    for room in ("commands", "db", "engine", "indexer", "trainer", "web"):
        for file in sorted((REPOSITORY / room).rglob("*.py")):
            inner: set[ast.AST] = set()
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.JoinedStr):
                    inner |= set(node.values)
                    parts = [
                        x.value if isinstance(x, ast.Constant) else filled(x) for x in node.values
                    ]
                    found.append((name_of(file), "".join(map(str, parts))))
                elif isinstance(node, ast.Constant) and node not in inner:
                    found.append((name_of(file), str(node.value)))
    return found


def test_commands_in_messages_and_help_parse() -> None:
    """An error names the next command to type."""
    checked = 0
    for file, text in sentences():
        for code in re.findall(r"`(pixquery [^`]+)`", text):
            words = code.replace("--quality 1", "--quality high")
            assert check(words, mentioned=True), (file, code)
            checked += 1
    assert checked > 30


def test_enough_commands_are_found() -> None:
    readme = REPOSITORY / "README.md"
    checked = [line for _, text in fenced(readme) for line in shell_lines(text) if check(line)]
    assert any("pixquery query" in line for line in checked)
    named = {name for name in commands() if f"`pixquery {name}" in readme.read_text("utf-8")}
    assert named >= {name for name, each in commands().items() if not isinstance(each, click.Group)}


def test_wrong_commands_are_noticed() -> None:
    with pytest.raises(click.UsageError):
        check("pixquery query --nonsense")
    with pytest.raises(click.UsageError):
        check("pixquery score")
    with pytest.raises(click.UsageError):
        check("pixquery train ratings.csv --scale 1 5 --out DIR")
    with pytest.raises(BadData):
        check("pixquery train ratings.csv --scale 1-5 --out DIR")
    with pytest.raises(click.UsageError):
        check("pixquery query red -k many")
    with pytest.raises(BadQuery):
        check("pixquery query red --plus blue::")
    with pytest.raises(AssertionError):
        check("pixquery nonsense")
    with pytest.raises(AssertionError):
        check("make nonsense")
    with pytest.raises(AssertionError):
        check("python -m benchmarks.nonsense")


def test_the_examples_of_every_help_parse() -> None:
    for name, command in commands().items():
        assert command.epilog, f"{name} has no example"
        examples = re.findall(r"(?:\w+=\S+ )?pixquery .*", command.epilog)
        assert examples, f"{name} has no example"
        for example in examples:
            assert check(example.split(" | ")[0].split(" > ")[0]), example


def test_help_lists_whole_sentences() -> None:
    for command in commands().values():
        first = (command.help or "").partition("\n\n")[0]
        assert first.endswith("."), first
        assert len(first) <= 62, first  # what click shows of it in a list


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shell_completion(shell: str, tmp_path: Path) -> None:
    (line,) = [
        code
        for code in inline_code(REPOSITORY / "README.md")
        if f"_PIXQUERY_COMPLETE={shell}_source" in code
    ]
    program = tmp_path / "pixquery"
    program.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(REPOSITORY)!r})\n"
        "from pixquery.commands.entry import main\nmain()\n"
    )
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "HOME": str(tmp_path)}
    script = subprocess.run(
        [program], env={**env, "_PIXQUERY_COMPLETE": f"{shell}_source"},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert f"_PIXQUERY_COMPLETE={shell}_complete" in script.stdout
    if shell == "bash" and shutil.which("bash"):
        completed = subprocess.run(
            ["bash", "-c", f"{line}; complete -p pixquery"], env=env,
            capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert "_pixquery_completion" in completed.stdout


# -- files ------------------------------------------------------------------------------------


@cache
def file_names() -> set[str]:
    """The names of the repository's files that documents name without a folder."""
    top = {path.name for path in REPOSITORY.iterdir() if path.is_file()}
    inner = [p for room in ROOMS.split("|") for p in (REPOSITORY / room).rglob("*.*")]
    return top | {path.name for path in inner}


@pytest.mark.parametrize("file", DOCS, ids=name_of)
def test_named_files_exist(file: Path) -> None:
    if file.parent.name == "examples":  # it names files of other packages
        return
    diagrams = [text for language, text in fenced(file) if language == "mermaid"]
    for code in [*inline_code(file), *diagrams]:
        for path in re.findall(rf"(?<![\w./-])(?:{ROOMS})/[\w./*-]*\w", code):
            if not (REPOSITORY / path).exists():
                assert list(REPOSITORY.glob(path)), f"there is no {path}"
        for name in re.findall(r"(?<![\w./*-])[\w-]+\.(?:py|md|cfg)\b", code):
            assert name in file_names(), f"there is no {name}"
