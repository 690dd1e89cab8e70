"""The line that names a larger model: once a library, and never in the way."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pixquery.commands import recommendation
from pixquery.commands.recommendation import _duration
from pixquery.db.errors import BadData
from pixquery.trainer.adopting.known import KNOWN, RECOMMENDED
from tests.conftest import PHOTOS, REPOSITORY, Invoke, parsed, write_profile

EXAMPLES = REPOSITORY / "examples" / "images"
LINE = (
    r"a larger model finds more, in 109 languages: `pixquery models add siglip2-b16` \(downloads "
    r"1\.5 GB; encoding these 21 photos again would take about \d+ (?:second|minute)s here, "
    r"measured on ten of them\)\n"
)


@pytest.fixture(autouse=True)
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of added profiles, which does not exist yet."""
    monkeypatch.setenv("PIXQUERY_PROFILES", str(tmp_path / "profiles"))
    return tmp_path / "profiles"


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A folder of twelve photos that are none of the examples."""
    (tmp_path / "photos").mkdir()
    for photo in PHOTOS:
        shutil.copy(photo, tmp_path / "photos")
    altered(tmp_path / "photos")
    return tmp_path / "photos"


def altered(folder: Path) -> None:
    """Gives every photo another name and other bytes, so that it is a new one."""
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        file.unlink()
        file.with_name(f"new-{file.name}").write_bytes(content + b" ")


def test_it_is_shown_once_a_library(photos: Path, tmp_path: Path, invoke: Invoke) -> None:
    library = ("--library", tmp_path / "library")
    first = invoke("index", EXAMPLES, *library)
    assert first.exit_code == 0
    assert re.fullmatch(LINE, first.stderr), first.stderr
    assert "larger model" not in first.stdout
    again = invoke("index", EXAMPLES, *library, "--rebuild")
    more = invoke("index", photos, *library)
    assert "12 added" in more.stdout
    assert again.stderr == more.stderr == ""
    assert invoke("verify", *library).exit_code == 0


def test_json_has_no_room_for_it(photos: Path, tmp_path: Path, invoke: Invoke) -> None:
    done = invoke("index", photos, "--library", tmp_path / "library", "--json")
    assert (parsed(done)["added"], done.stderr) == (12, "")


def test_few_photos_are_not_enough(photos: Path, tmp_path: Path, invoke: Invoke) -> None:
    for photo in sorted(photos.iterdir())[9:]:
        photo.unlink()
    done = invoke("index", photos, "--library", tmp_path / "library")
    assert (done.exit_code, done.stderr) == (0, "")


def test_those_who_have_it_or_chose_another_profile_are_not_told(
    photos: Path, tmp_path: Path, colours: Path, profiles: Path, invoke: Invoke
) -> None:
    other = invoke("index", photos, "--library", tmp_path / "other", "--profile", colours)
    assert (other.exit_code, other.stderr) == (0, "")
    write_profile(profiles / RECOMMENDED, RECOMMENDED)
    owner = invoke("index", photos, "--library", tmp_path / "owner")
    assert (owner.exit_code, owner.stderr) == (0, "")


def test_what_fails_is_passed_over_and_tried_again(
    photos: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = ("--library", tmp_path / "library")
    errors = [RuntimeError("no memory"), MemoryError(), OSError(5, "no"), BadData("no")]
    for error in errors:

        def fail(error: Exception = error) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(recommendation, "_network", fail)
            done = invoke("index", photos, *library)
        assert (done.exit_code, done.stderr) == (0, "")
        altered(photos)
    assert "larger model" in invoke("index", photos, *library).stderr


def test_ctrl_c_ends_it(
    photos: Path, tmp_path: Path, invoke: Invoke, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(recommendation, "_network", interrupted)
    done = invoke("index", photos, "--library", tmp_path / "library")
    assert (done.exit_code, done.stderr) == (130, "pixquery: interrupted\n")
    assert "12 added" in done.stdout  # which was complete
    assert len(parsed(invoke("query", "dog", "--library", tmp_path / "library", "--json"))["hits"])


def test_a_closed_stderr_is_no_failure(photos: Path, tmp_path: Path) -> None:
    if sys.platform == "win32":
        pytest.skip("needs a shell")
    words = [sys.executable, str(REPOSITORY / "cli.py"), "index", str(photos), "--library",
             str(tmp_path / "library")]  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" 2>&-', "sh", *words], capture_output=True, text=True, check=True
    )
    assert "12 added" in done.stdout


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "a second"), (2.2, "2 seconds"), (119, "120 seconds"), (120, "2 minutes"),
     (2449, "41 minutes"), (7300, "2 hours"), (40_000, "11 hours"), (2e5, "2 days"),
     (1.234e7, "140 days"), (1e9, "12,000 days")],
)  # fmt: skip
def test_durations(seconds: float, words: str) -> None:
    assert _duration(seconds) == words


def test_what_is_measured_is_what_is_recommended() -> None:
    """Its network is known by heart, and so are its languages."""
    assert RECOMMENDED == "siglip2-b16"
    assert KNOWN[RECOMMENDED].what == "SigLIP 2 B/16, 256 pixels"
    network = recommendation._network()
    assert (network.size, network.patch, network.width, network.layers) == (256, 16, 768, 12)
