"""The duplicates page: compared while the page shows how far, chosen, confirmed, moved."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.conftest import square
from tests.gallery.conftest import PHONE, Open, accessible, library_of

if sys.platform != "linux":
    pytest.skip("the trash is read as Linux desktops keep it", allow_module_level=True)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """A best photo, an equal one, a smaller one of the same picture, and another photo."""
    folder = tmp_path / "photos"
    best = square(folder / "best.png", "red", (480, 320))
    shutil.copy(best, folder / "<b>copy.png")
    os.utime(best, (1_700_000_000,) * 2)
    square(folder / "small.png", "red", (240, 160))
    square(folder / "blue.png", "blue", (480, 320))
    return folder


@pytest.fixture
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The trash of the server that is started next."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    return tmp_path / "data" / "Trash" / "files"


def compare(page: Page, kind: str = "Also what looks the same") -> None:
    page.get_by_label(kind).check()
    page.get_by_role("button", name="Compare the photos").click()
    expect(page.locator("#groups > li")).to_have_count(1)


def test_copies_are_chosen_and_confirmed(
    photos: Path, bin_: Path, colours: Path, tmp_path: Path, serve: Callable[..., str], visit: Open
) -> None:
    address = serve(library_of(colours, tmp_path / "library", photos), "--trash")
    page = visit(address)
    page.get_by_role("link", name="Duplicates").click()
    compare(page)
    expect(page.get_by_role("status")).to_contain_text("2 copies in 1 group")
    group = page.get_by_label("Group 1")
    expect(group.locator(".file").first).to_contain_text("best.png")
    expect(group.locator(".file").first).to_contain_text("Best: stays")
    expect(group).to_contain_text("Equal, byte for byte")
    expect(group).to_contain_text("Looks the same, likeness 1.00")
    accessible(page)

    page.get_by_role("button", name="Choose the equal files below").click()
    expect(page.get_by_label("Choose <b>copy.png")).to_be_checked()
    expect(page.get_by_label("Choose small.png")).not_to_be_checked()
    expect(page.locator("#chosen-words")).to_contain_text("1 photo chosen")
    page.get_by_role("button", name="Move to the trash …").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Keep them")).to_be_focused()
    accessible(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    assert (photos / "<b>copy.png").exists()

    page.get_by_role("button", name="Move to the trash …").click()
    dialog.get_by_role("button", name="Move to the trash").click()
    expect(group).to_contain_text("In the trash")
    expect(page.get_by_role("status")).to_contain_text("1 copy in 1 group")
    expect(page.locator("#chosen")).to_be_hidden()
    assert [path.name for path in bin_.iterdir()] == ["<b>copy.png"]
    assert sorted(path.name for path in photos.iterdir()) == ["best.png", "blue.png", "small.png"]

    page.reload()  # the result outlives the page
    expect(page.get_by_label("Group 1")).to_contain_text("In the trash")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_without_the_option_copies_are_only_shown(
    scheme: str, photos: Path, colours: Path, tmp_path: Path, serve: Callable[..., str], visit: Open
) -> None:
    address = serve(library_of(colours, tmp_path / "library", photos))
    page = visit(f"{address}duplicates", color_scheme=scheme, **PHONE)
    compare(page, "Equal files")
    expect(page.get_by_role("status")).to_contain_text("pixquery serve --trash")
    expect(page.locator("#groups input")).to_have_count(0)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    accessible(page)


def test_a_library_without_copies_says_so(gallery: str, visit: Open) -> None:
    page = visit(f"{gallery}duplicates")
    page.get_by_role("button", name="Compare the photos").click()
    expect(page.get_by_role("status")).to_have_text("None of the 60 photos is there twice.")
