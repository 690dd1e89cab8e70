"""The documents' promises: code that runs, links that lead somewhere, commands that exist."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from pixquery import Library
from tests.conftest import REPOSITORY

DOCS = sorted([REPOSITORY / "README.md", *(REPOSITORY / "docs").glob("*.md")])


def blocks(file: Path, language: str) -> list[str]:
    """The fenced blocks of a language, each with the lines before it so that errors name theirs."""
    text = file.read_text("utf-8")
    found = re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return ["\n" * text[: match.start(1)].count("\n") + match[1] for match in found]


def test_the_code_of_the_python_page_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("pandas")
    shutil.copytree(REPOSITORY / "examples" / "images", tmp_path / "photos")
    shutil.copy(tmp_path / "photos" / "p01.jpg", tmp_path / "photos" / "again.jpg")
    monkeypatch.chdir(tmp_path)
    file = REPOSITORY / "docs" / "python.md"
    names: dict[str, Any] = {"__name__": "docs"}
    code = blocks(file, "python")
    assert len(code) >= 10
    for block in code:
        exec(compile(block, str(file), "exec"), names)
    said = capsys.readouterr().out
    assert "22 photos, 0 skipped" in said
    assert re.search(r"^1 0\.[5-9]\d p21\.jpg$", said, re.MULTILINE)
    assert "keep" in said
    assert "the query is empty" in said


def test_the_readmes_code_is_that_of_the_contract(tmp_path: Path) -> None:
    (code,) = blocks(REPOSITORY / "README.md", "python")
    with Library.open(tmp_path / "library", create=True):
        pass
    ran = code.replace('"~/pixquery"', repr(str(tmp_path / "library")))
    assert ran != code
    exec(compile(ran, "README.md", "exec"), {})


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    """Those within the repository, to headings too; pictures as well."""
    text = re.sub(r"^```.*?^```$", "", file.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        place = (file.parent / name).resolve() if name else file
        assert place.exists(), target
        if anchor:
            assert anchor in anchors(place), target


def anchors(file: Path) -> set[str]:
    """What a page's headings can be linked by."""
    headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    }
