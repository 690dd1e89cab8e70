"""`--exclude`: however a folder is written, its photos stay out."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.indexer.build import Options, index
from pixquery.indexer.ignore import IGNORE_FILE
from pixquery.indexer.scan import scan
from tests.conftest import Invoke, NewLibrary, names, plant, square

TREE = ("a.png", "private/b.png", "private/deep/c.png", "sub/private/d.png", "sub/e.png")
AT_THE_TOP = {"a.png", "sub/private/d.png", "sub/e.png"}
ANYWHERE = {"a.png", "sub/e.png"}


def left(root: Path, *patterns: str) -> set[str]:
    return names(scan(root, patterns), root)


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of photos in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    plant(tmp_path / "photos", *TREE)
    return tmp_path / "photos"


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("private", ANYWHERE),
        ("private/", ANYWHERE),
        ("private//", ANYWHERE),
        ("private/.", ANYWHERE),
        ("priv*/", ANYWHERE),
        ("**/private", ANYWHERE),
        ("**/private/", ANYWHERE),
        ("**/private/**", ANYWHERE),
        ("/private", AT_THE_TOP),
        ("/private/", AT_THE_TOP),
        ("/private/**", AT_THE_TOP),
        ("./private", AT_THE_TOP),
        (".//private/", AT_THE_TOP),
        ("sub/../private/", ANYWHERE),
        ("/sub/private", {"a.png", "private/b.png", "private/deep/c.png", "sub/e.png"}),
        ("photos/private", AT_THE_TOP),
        ("photos/private/", AT_THE_TOP),
        ("./photos/private", AT_THE_TOP),
        ("../{here}/photos/private", AT_THE_TOP),
        ("photos/priv*", AT_THE_TOP),
        ("~/photos/private", AT_THE_TOP),
        ("{root}/private", AT_THE_TOP),
        ("{root}/private/", AT_THE_TOP),
        ("{root}/./private", AT_THE_TOP),
        ("{root}/private/**", AT_THE_TOP),
        ("{root}/*/private", {"a.png", "private/b.png", "private/deep/c.png", "sub/e.png"}),
        ("{root}/a.png", set(TREE) - {"a.png"}),
        ("{root}", set()),
        ("{root}/", set()),
        ("", set(TREE)),
        (".", set(TREE)),
        ("/", set(TREE)),
        ("..", set(TREE)),
        ("private.png", set(TREE)),
        ("photos", set(TREE)),  # seen from here it is the root, but it says no path
    ],
)
def test_ways_to_write_a_folder(pattern: str, expected: set[str], root: Path) -> None:
    assert left(root, pattern.format(root=root, here=root.parent.name)) == expected


def test_patterns_that_are_seen_from_inside_a_root(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root / "sub")
    inside = {"a.png", "private/b.png", "private/deep/c.png", "sub/e.png"}
    assert left(root, "../sub/private") == inside
    assert left(root, "./private/") == {"a.png", "sub/e.png"}  # at the top, and from here
    assert left(root, "e.png") == set(TREE) - {"sub/e.png"}
    monkeypatch.chdir(root)
    assert left(root, "sub/private") == inside


def test_a_folder_under_another_name(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    assert left(link, f"{root}/private") == AT_THE_TOP
    assert left(root, f"{link}/private/") == AT_THE_TOP
    assert left(root, "link/private") == AT_THE_TOP
    (tmp_path / "secret").symlink_to(root / "sub" / "private")
    assert left(root, f"{tmp_path}/secret") == set(TREE) - {"sub/private/d.png"}


def test_unicode_forms_of_a_name_are_one(root: Path) -> None:
    decomposed, composed = (
        "prive\N{COMBINING ACUTE ACCENT}",
        "priv\N{LATIN SMALL LETTER E WITH ACUTE}",
    )
    plant(root, f"{decomposed}/x.png", f"sub/{composed}/y.png")
    assert left(root, f"{composed}/") == set(TREE)
    assert left(root, decomposed) == set(TREE)


def test_a_pattern_that_looks_like_a_comment(root: Path) -> None:
    plant(root, "#old/x.png")
    assert left(root, "#old/") == left(root, "#old") == set(TREE)


def test_a_name_with_wildcards_in_it(root: Path) -> None:
    plant(root, "img[1].png", "sub/img[1].png")
    assert left(root, "img[[]1].png") == set(TREE)
    assert left(root, f"{root}/img[1].png") == {*TREE, "sub/img[1].png"}
    assert left(root, "photos/img[1].png") == {*TREE, "sub/img[1].png"}


def test_the_last_matching_pattern_decides(root: Path) -> None:
    assert left(root, "*.png", "!a.png") == {"a.png"}
    assert left(root, "!a.png", "*.png") == set()
    assert left(root, "private", "!/private") == set(TREE) - {"sub/private/d.png"}


def test_an_ignore_file_is_not_overruled(root: Path) -> None:
    (root / IGNORE_FILE).write_text("private/\n")
    assert left(root, "!private/") == ANYWHERE


@given(
    patterns=st.lists(
        st.text("ab*?/[]", max_size=4).filter(lambda text: not text.startswith("/")), max_size=3
    )
)
def test_nothing_gets_in_that_globs_kept_out(
    patterns: Sequence[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """As :mod:`fnmatch` has it, of names and of paths below the root; folders with all in them."""
    from fnmatch import fnmatchcase

    root = tmp_path_factory.getbasetemp() / "globs"
    tree = ("a.png", "b.png", "a/a.png", "a/b/b.png", "b/a/ab.png", "ab/a.png")
    if not root.exists():
        plant(root, *tree)

    def kept(name: str) -> bool:
        above = [name, *map(str, Path(name).parents)][:-1]
        return not any(
            fnmatchcase(part, glob) or fnmatchcase(Path(part).name, glob)
            for part in above
            for glob in patterns
        )

    assert left(root, *patterns) <= set(filter(kept, tree))


def test_stars_are_matched_in_no_time(root: Path) -> None:
    plant(root, "a" * 240 + ".png")
    assert "a" * 240 + ".png" in left(root, "*a*a*a*a*a*a*a*a*a*a*b", "**/a*/**/a*a*a*a*a*a/**/b")


def test_a_pattern_that_met_nothing_is_known(root: Path) -> None:
    (root / "link").symlink_to("private")
    (root / "film.mp4").touch()
    (root / ".hidden").mkdir()
    patterns = ("private/", "nothing", "*.mp4", ".hidden", "link", "", "!e.png", "private/deep")
    met = scan(root, patterns).met
    # What is in a folder that is left out is not looked at, unless it is named as a path.
    assert met == {"private/", "*.mp4", ".hidden", "link", "!e.png"}
    assert scan(root, ("private", "photos/private/deep")).met == {"private", "photos/private/deep"}


def test_it_is_told_once_over_all_roots(
    tmp_path: Path, root: Path, colours: Path, invoke: Invoke
) -> None:
    other = tmp_path / "other"
    square(other / "red.png", "red")
    square(root / "private" / "blue.png", "blue")
    done = invoke(
        "index", other, root, "--library", tmp_path / "l", "--profile", colours,
        "--exclude", "private", "--exclude", "privat e", "--json",
    )  # fmt: skip
    assert done.stderr.count("matched nothing") == 1
    assert "--exclude 'privat e' matched nothing" in done.stderr
    assert '"unmatched": [\n    "privat e"\n  ]' in done.stdout


def test_newly_excluded_photos_leave_the_library(tmp_path: Path, new_library: NewLibrary) -> None:
    """However many they are, and if nothing else is there: the disk is the same."""
    root = tmp_path / "photos"
    for number in range(25):
        square(root / "private" / f"{number}.png", (number, 0, 0))
    library = new_library()
    assert index(library, [root]).added == 25
    report = index(library, [root], Options(exclude=("private/",)))
    assert (report.removed, report.vanished, len(library)) == (25, (), 0)
    assert index(library, [root]).added == 25
    square(root / "red.png", "red")
    (root / IGNORE_FILE).write_text("private")
    report = index(library, [root])
    assert (report.added, report.removed, report.vanished, len(library)) == (1, 25, (), 1)
