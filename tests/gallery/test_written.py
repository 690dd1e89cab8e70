"""Text in photos, places, dates and owners' words in the gallery."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from pixquery import Library
from pixquery.db.metadata import READS_TEXT, Noted
from pixquery.db.records import Annotation, Line, Locality
from tests.gallery.conftest import (
    PHONE,
    Open,
    accessible,
    called,
    first,
    library_of,
    needs_chromium,
    only,
    photos,
    tiles,
)

pytestmark = needs_chromium

UPRIGHT = (0.25, 0.125, 0.75, 0.125, 0.75, 0.25, 0.25, 0.25)
SLANTED = (0.1, 0.5, 0.4, 0.6, 0.38, 0.7, 0.08, 0.6)
WRITTEN = Annotation(
    "Dusk", "At the beach.\nLate.", ("holiday",), ("Anna Smith",), 4, "Red", ("Alfama",)
)


@pytest.fixture(scope="module")
def worded(
    serve: Callable[[Path], str], colours: Path, tmp_path_factory: pytest.TempPathFactory
) -> str:
    """A gallery in which the white photo has text, and Lisbon's green one has a caption."""
    folder = tmp_path_factory.mktemp("worded")
    place = library_of(colours, folder / "library", photos(folder)[0])
    with Library.open(place) as library, library.writing():
        ids = {record.path.stem: record.id for record in library}
        lines = [Line("BOARDING PASS", 0.9, UPRIGHT), Line("Gate B27", 0.8, SLANTED)]
        library.catalog.keep(READS_TEXT, "on")
        library.catalog.note_readings({ids["white"]: lines, ids["cyan"]: []}, "reader")
        library.catalog.annotate({ids["green"]: Noted(WRITTEN)})
        lisbon = Locality("Lisbon", "Lisbon", "Portugal", "PT")
        library.catalog.locate({ids["green"]: lisbon, ids["red"]: lisbon}, "gazetteer")
    return serve(place)


def chip(page: Page, words: str) -> Locator:
    return page.locator("#chips .chip", has_text=words)


def test_words_that_are_a_filter_are_a_chip(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=red+in+lisbon")
    only(page, "red.jpg", "green.png")
    expect(chip(page, "Lisbon")).to_have_attribute("title", "Only photos taken in Lisbon")
    expect(page.locator("#announcement")).to_contain_text("with lisbon as a filter")
    accessible(page)
    remover = page.get_by_role("button", name=re.compile("Search for “lisbon” as words"))
    remover.focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"{worded}?q=red+in+lisbon&literal=lisbon")
    expect(tiles(page)).to_have_count(8)
    expect(chip(page, "“lisbon” as words")).to_be_visible()
    page.reload()
    expect(tiles(page)).to_have_count(8)
    expect(chip(page, "“lisbon” as words")).to_be_visible()
    page.go_back()
    expect(tiles(page)).to_have_count(2)
    page.go_forward()
    page.get_by_role("button", name="Remove: “lisbon” as words").click()
    expect(tiles(page)).to_have_count(2)
    expect(page).to_have_url(f"{worded}?q=red+in+lisbon")


def test_typing_keeps_words_that_are_still_there(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=red+in+lisbon&literal=lisbon")
    expect(tiles(page)).to_have_count(8)
    page.get_by_role("searchbox").fill("green in Lisbon")
    first(page, "green.png")
    expect(page).to_have_url(f"{worded}?q=green+in+Lisbon&literal=lisbon")
    page.get_by_role("searchbox").fill("may 2021")
    expect(chip(page, "may 2021")).to_have_attribute(
        "title", "Only photos taken 1 May 2021 to 31 May 2021"
    )
    expect(page).to_have_url(f"{worded}?q=may+2021")
    expect(page.locator("#summary")).to_have_text("1 photo, newest first")
    only(page, "red.jpg")


def test_hits_by_words_say_why(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=boarding+pass")
    first(page, "white.jpg")
    expect(tiles(page).first.locator(".why")).to_have_text("text: “BOARDING PASS”")
    expect(tiles(page).nth(1).locator(".why")).to_be_hidden()
    accessible(page)
    page.get_by_role("searchbox").fill("anna")
    first(page, "green.png")
    expect(tiles(page).first.locator(".why")).to_have_text("person: Anna Smith")
    page.get_by_role("searchbox").fill("lisbon")
    expect(tiles(page)).to_have_count(2)
    reason = tiles(page).first.locator(".why")
    expect(reason).to_have_css("opacity", "0")  # the chip says so, too
    tiles(page).first.get_by_role("link").focus()
    expect(reason).to_have_css("opacity", "1")
    expect(reason).to_have_text("place: Lisbon, Portugal")


def test_a_long_line_begins_where_it_matters(visit: Open, worded: str) -> None:
    page = visit(worded)
    line = {"kind": "text", "words": "7 DAYS WITH ORIGINAL RECEIPT", "corners": list(UPRIGHT)}
    hit = {"matched": [line, {"kind": "place", "words": "Lisbon", "corners": None}]}
    for asked, words in (
        ("my receipt", "“…RECEIPT”"), ("days", "“7 DAYS WITH ORIGINAL RECEIPT”"), ("", None)
    ):  # fmt: skip
        shown = called(page, "reasons", "why", hit, asked)
        assert shown == {"kind": "text", "words": words or "“7 DAYS WITH ORIGINAL RECEIPT”"}
    look = {"matched": [{"kind": "look", "words": "looks like it", "corners": None}]}
    assert called(page, "reasons", "why", look, "receipt") is None


def marked(page: Page) -> dict[str, float]:
    """Where the marked line lies on the photo, as shares of its width and height."""
    return dict(
        page.evaluate(
            """() => {
              const photo = document.getElementById("large").getBoundingClientRect();
              const line = document.querySelector("#lines .marked").getBoundingClientRect();
              return {
                left: (line.left - photo.left) / photo.width, width: line.width / photo.width,
                top: (line.top - photo.top) / photo.height, height: line.height / photo.height,
              };
            }"""
        )
    )


WHERE = {"left": 0.25, "width": 0.5, "top": 0.125, "height": 0.125}


def test_matched_text_is_marked_on_the_photo(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=boarding+pass", viewport={"width": 700, "height": 500})
    first(page, "white.jpg")
    tiles(page).first.get_by_role("link").click()
    expect(page.locator("#lines .marked")).to_have_count(1)
    expect(page.get_by_role("button", name="Full size")).to_be_enabled()
    assert marked(page) == pytest.approx(WHERE, abs=0.01)
    page.set_viewport_size({"width": 500, "height": 700})
    assert marked(page) == pytest.approx(WHERE, abs=0.01)
    page.keyboard.press("i")
    assert marked(page) == pytest.approx(WHERE, abs=0.01)
    page.keyboard.press("z")
    assert page.locator("#large").evaluate("photo => photo.clientWidth") == 1200
    assert marked(page) == pytest.approx(WHERE, abs=0.01)
    page.keyboard.press("ArrowRight")
    assert marked(page) == pytest.approx(WHERE, abs=0.01)
    page.keyboard.press("z")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lines polygon")).to_have_count(0)
    expect(page.get_by_role("button", name="Text", exact=True)).to_be_hidden()


def test_all_text_can_be_selected(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=boarding+pass")
    first(page, "white.jpg")
    tiles(page).first.get_by_role("link").click()
    button = page.get_by_role("button", name="Text", exact=True)
    expect(button).to_have_attribute("aria-pressed", "false")
    text = page.get_by_role("group", name="Text in the photo")
    expect(text).to_be_hidden()
    page.keyboard.press("t")
    expect(button).to_have_attribute("aria-pressed", "true")
    expect(text).to_be_visible()
    accessible(page)
    line = text.get_by_text("BOARDING PASS")
    photo = page.locator("#large").bounding_box()
    box = line.bounding_box()
    assert photo is not None
    assert box is not None
    assert box["width"] == pytest.approx(photo["width"] / 2, rel=0.03)
    assert box["height"] == pytest.approx(photo["height"] / 8, rel=0.03)
    slanted = text.get_by_text("Gate B27").bounding_box()
    assert slanted is not None
    assert slanted["height"] > photo["height"] * 0.17  # it is turned as the text is
    line.dblclick()
    assert page.evaluate("getSelection().toString()").strip() in ("BOARDING", "PASS")
    expect(page.get_by_role("button", name="Full size")).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(text).to_be_hidden()


def test_what_the_owner_wrote_is_in_the_details(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=green")
    first(page, "green.png")
    tiles(page).first.get_by_role("link").click()
    page.keyboard.press("i")
    details = page.get_by_role("region", name="Details")
    for words in ("Dusk", "At the beach.", "Alfama", "Red"):
        expect(details).to_contain_text(words)
    expect(details.get_by_role("img", name="4 of 5 stars")).to_be_visible()
    accessible(page)
    details.get_by_role("button", name="Portugal").click()
    expect(page).to_have_url(f"{worded}?place=Portugal")
    expect(tiles(page)).to_have_count(2)
    expect(chip(page, "taken in Portugal")).to_be_visible()
    page.go_back()
    for name, query, words in (
        ("holiday", "keyword=holiday", "keyword holiday"),
        ("Anna Smith", "person=Anna+Smith", "with Anna Smith"),
    ):
        page.get_by_role("region", name="Details").get_by_role("button", name=name).click()
        expect(page).to_have_url(f"{worded}?{query}")
        expect(chip(page, words)).to_be_visible()
        only(page, "green.png")
        page.go_back()


def test_filters_for_what_the_owner_wrote(visit: Open, worded: str) -> None:
    page = visit(worded)
    page.get_by_role("button", name="Filters").click()
    panel = page.locator("#filters")
    for field, value, address, words in (
        ("Keyword", "holiday", "keyword=holiday", "keyword holiday"),
        ("Person", "Anna Smith", "person=Anna+Smith", "with Anna Smith"),
    ):
        panel.get_by_label(field).press_sequentially(value)
        expect(page).to_have_url(f"{worded}?{address}")
        expect(chip(page, words)).to_be_visible()
        only(page, "green.png")
        accessible(page)
        panel.get_by_label(field).fill("")
        panel.get_by_label(field).blur()
        expect(page).to_have_url(worded)
    panel.get_by_label("Stars").select_option("4 stars or more")
    expect(chip(page, "4 stars or more")).to_be_visible()
    only(page, "green.png")
    panel.get_by_label("Stars").select_option("5 stars")
    expect(page.get_by_role("heading", name="No photo matches")).to_be_visible()


def test_the_details_list_the_text(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?q=gate+b27")
    first(page, "white.jpg")
    tiles(page).first.get_by_role("link").click()
    page.keyboard.press("i")
    details = page.get_by_role("region", name="Details")
    expect(details).to_contain_text("Found bytext: “Gate B27”")
    expect(details).to_contain_text("Text in the photoBOARDING PASSGate B27")


def test_filters_by_text_and_place(visit: Open, worded: str) -> None:
    page = visit(worded)
    page.get_by_role("button", name="Filters").click()
    page.get_by_label("Text in the photo").fill("gate")
    expect(page).to_have_url(f"{worded}?text=gate")
    expect(page.locator("#summary")).to_have_text("1 photo with this text")
    expect(page.locator("#reading")).to_be_visible()
    page.get_by_label("Text in the photo").fill("gate 99")
    expect(page.locator("#notice")).to_contain_text("No photo with this text")
    page.get_by_label("Text in the photo").fill("")
    expect(tiles(page)).to_have_count(8)
    place = page.get_by_label("Town, region or country")
    choices = page.locator("#places option").evaluate_all("all => all.map(one => one.value)")
    assert choices == ["Lisbon", "Portugal"]
    place.press_sequentially("Lisbo")
    expect(page).to_have_url(worded)  # half a name is not searched for
    place.press_sequentially("n")
    expect(page).to_have_url(f"{worded}?place=Lisbon")
    expect(tiles(page)).to_have_count(2)
    accessible(page)


def test_an_unknown_place_is_a_sentence(visit: Open, worded: str) -> None:
    page = visit(f"{worded}?place=Lisbn", refused=(422,))
    expect(page.get_by_role("alert")).to_contain_text("No place named 'Lisbn' is known")
    page.get_by_role("button", name="Remove all filters").click()
    expect(tiles(page)).to_have_count(8)


def test_how_far_text_was_read(visit: Open, worded: str) -> None:
    page = visit(worded, **PHONE)
    expect(page.locator("#reading")).to_have_text("Text read in 2 of 8 photos")
    accessible(page)
    page.goto(f"{worded}?q=red")
    first(page, "red.jpg")
    expect(page.locator("#reading")).to_be_hidden()
    done: dict[str, Any] = {"text": {"on": True, "read": 8}, "images": 8}
    assert called(page, "phrases", "reading", done) == ""
