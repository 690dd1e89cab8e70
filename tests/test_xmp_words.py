"""What the owner wrote in XMP, and packets that are refused."""

import time
import tracemalloc
from collections.abc import Sequence
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pixquery.db.records import Annotation
from pixquery.indexer.typed import caption_of, distinct, keyword_of, title_of
from pixquery.indexer.xmp_words import stars_of, stars_of_percent, words_of

SPACES = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "dc": "http://purl.org/dc/elements/1.1/",
    "exif": "http://ns.adobe.com/exif/1.0/",
    "tiff": "http://ns.adobe.com/tiff/1.0/",
    "photoshop": "http://ns.adobe.com/photoshop/1.0/",
    "lr": "http://ns.adobe.com/lightroom/1.0/",
    "crs": "http://ns.adobe.com/camera-raw-settings/1.0/",
    "mwg-rs": "http://www.metadataworkinggroup.com/schemas/regions/",
    "MP": "http://ns.microsoft.com/photo/1.2/",
    "MPRI": "http://ns.microsoft.com/photo/1.2/t/RegionInfo#",
    "MPReg": "http://ns.microsoft.com/photo/1.2/t/Region#",
    "MicrosoftPhoto": "http://ns.microsoft.com/photo/1.0",
    "Iptc4xmpCore": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
    "Iptc4xmpExt": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "digiKam": "http://www.digikam.org/ns/1.0/",
    "darktable": "http://darktable.sf.net/",
}


def packet(elements: str = "", attributes: str = "") -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        f'<x:xmpmeta xmlns:x="adobe:ns:meta/" {spaces}><rdf:RDF>'
        f'<rdf:Description rdf:about="" {attributes}>{elements}</rdf:Description>'
        "</rdf:RDF></x:xmpmeta>" + " " * 100 + '<?xpacket end="w"?>'
    ).encode()


def array(name: str, items: Sequence[str], kind: str = "Bag") -> str:
    listed = "".join(f"<rdf:li>{escape(item)}</rdf:li>" for item in items)
    return f"<{name}><rdf:{kind}>{listed}</rdf:{kind}></{name}>"


def languages(name: str, **texts: str) -> str:
    listed = "".join(
        f"<rdf:li xml:lang={quoteattr(language.replace('_', '-'))}>{escape(text)}</rdf:li>"
        for language, text in texts.items()
    )
    return f"<{name}><rdf:Alt>{listed}</rdf:Alt></{name}>"


def words(elements: str = "", attributes: str = "") -> Annotation:
    return words_of(packet(elements, attributes))


# -- title, caption, keywords -------------------------------------------------------------------


def test_the_default_language_comes_first() -> None:
    both = languages("dc:title", de="Ernte", x_default="Harvest")
    assert words(both).title == "Harvest"
    assert words(languages("dc:title", de="Ernte", fr="Moisson")).title == "Ernte"
    assert words(languages("dc:title", x_default="", de="Ernte")).title == "Ernte"
    caption = languages("dc:description", x_default="Line one\nand <two> & 'three'")
    assert words(caption).caption == "Line one\nand <two> & 'three'"


def test_simple_values_as_elements_and_attributes() -> None:
    assert words(attributes='dc:title="Harvest" xmp:Rating="3"') == Annotation(
        title="Harvest", rating=3
    )
    assert words("<dc:title>Harvest</dc:title><xmp:Label>Red</xmp:Label>") == Annotation(
        title="Harvest", label="Red"
    )
    assert words("<dc:subject>wheat, barley; rye</dc:subject>").keywords == (
        "wheat", "barley", "rye",
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["Bag", "Seq", "Alt"])
def test_keywords_of_every_kind_of_array(kind: str) -> None:
    items = ["Lisbon", "New  York", "B/W", "", "lisbon", "a, b"]
    assert words(array("dc:subject", items, kind)).keywords == ("Lisbon", "New York", "B/W", "a, b")


def test_an_item_with_qualifiers() -> None:
    item = '<rdf:li rdf:parseType="Resource"><rdf:value>Anna</rdf:value><xmp:a>b</xmp:a></rdf:li>'
    assert words(f"<dc:subject><rdf:Bag>{item}</rdf:Bag></dc:subject>").keywords == ("Anna",)


@pytest.mark.parametrize(
    ("name", "separator"),
    [("lr:hierarchicalSubject", "|"), ("digiKam:TagsList", "/"),
     ("MicrosoftPhoto:LastKeywordXMP", "/")],
)  # fmt: skip
def test_each_level_of_a_hierarchy_is_a_keyword(name: str, separator: str) -> None:
    paths = [["Places", "Portugal", "Lisbon"], ["Places", "Spain"], ["People", "Family", "Anna"]]
    read = words(array(name, [separator.join(path) for path in paths]))
    assert read.keywords == ("Places", "Portugal", "Lisbon", "Spain", "People", "Family", "Anna")
    assert read.people == ("Anna",)


def test_hierarchies_that_programs_keep_for_themselves() -> None:
    assert not words(array("lr:hierarchicalSubject", ["darktable|changed", "darktable|exported"]))
    assert not words(array("digiKam:TagsList", ["_Digikam_Internal_Tags_/Need Resync"]))
    assert words(array("digiKam:TagsList", ["People/Unknown", "Personen"])).people == ()


# -- persons ------------------------------------------------------------------------------------

MWG = (
    '<mwg-rs:Regions rdf:parseType="Resource"><mwg-rs:AppliedToDimensions xmp:w="1"/>'
    "<mwg-rs:RegionList><rdf:Bag>"
    '<rdf:li rdf:parseType="Resource"><mwg-rs:Name>Anna Müller</mwg-rs:Name>'
    '<mwg-rs:Type>Face</mwg-rs:Type><mwg-rs:Area xmp:x="0.5"/></rdf:li>'
    '<rdf:li><rdf:Description mwg-rs:Name="Tom" mwg-rs:Type="Face"><mwg-rs:Area/>'
    '</rdf:Description></rdf:li><rdf:li mwg-rs:Name="Cleo" mwg-rs:Type="Face"/>'
    '<rdf:li><rdf:Description mwg-rs:Name="Rex" mwg-rs:Type="Pet"/></rdf:li>'
    '<rdf:li><rdf:Description mwg-rs:Name="" mwg-rs:Type="Face"/></rdf:li>'
    '<rdf:li><rdf:Description mwg-rs:Type="Focus"/></rdf:li>'
    "</rdf:Bag></mwg-rs:RegionList></mwg-rs:Regions>"
)
MICROSOFT = (
    "<MP:RegionInfo><rdf:Description><MPRI:Regions><rdf:Bag>"
    '<rdf:li><rdf:Description MPReg:Rectangle="0, 0, 1, 1" MPReg:PersonDisplayName="Dora"/>'
    '</rdf:li><rdf:li rdf:parseType="Resource">'
    "<MPReg:PersonDisplayName>tom</MPReg:PersonDisplayName></rdf:li>"
    "</rdf:Bag></MPRI:Regions></rdf:Description></MP:RegionInfo>"
)
DETAILS = (
    '<Iptc4xmpExt:PersonInImageWDetails><rdf:Bag><rdf:li rdf:parseType="Resource">'
    + languages("Iptc4xmpExt:PersonName", x_default="Finn")
    + "</rdf:li></rdf:Bag></Iptc4xmpExt:PersonInImageWDetails>"
)


def test_names_in_regions() -> None:
    assert words(MWG).people == ("Anna Müller", "Tom", "Cleo")
    assert words(MICROSOFT).people == ("Dora", "tom")
    everywhere = MWG + MICROSOFT + array("Iptc4xmpExt:PersonInImage", ["Emil", "ANNA MÜLLER"])
    assert words(everywhere + DETAILS).people == (
        "Anna Müller", "Tom", "Cleo", "Dora", "Emil", "Finn",
    )  # fmt: skip


# -- rating, label, places ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stars"),
    [("5", 5), ("0", 0), ("-1", -1), ("4.0", 4), (" 3 ", 3), ("6", None), ("-2", None),
     ("nan", None), ("1e999", None), ("", None), ("five", None), ("9" * 5000, None)],
)  # fmt: skip
def test_stars(text: str, stars: int | None) -> None:
    assert stars_of(text) == stars
    assert words(attributes=f'xmp:Rating="{text}" xmp:Label="x"').rating == stars


def test_stars_in_percent() -> None:
    percents = {0: 0, 1: 1, 25: 2, 50: 3, 75: 4, 99: 5, 100: 5}
    assert {percent: stars_of_percent(percent) for percent in percents} == percents
    assert words(attributes='MicrosoftPhoto:Rating="75"').rating == 4
    assert words(attributes='MicrosoftPhoto:Rating="75" xmp:Rating="2"').rating == 2


def test_labels() -> None:
    assert words(attributes='xmp:Label="Zu tun"').label == "Zu tun"
    assert words(array("darktable:colorlabels", ["3", "0"], "Seq")).label == "Blue"
    assert not words(array("darktable:colorlabels", ["9", "x"], "Seq"))


def test_places() -> None:
    flat = 'Iptc4xmpCore:Location="Alfama" photoshop:City="Lisbon" photoshop:Country="Portugal"'
    assert words(attributes=flat).location == ("Alfama", "Lisbon", "Portugal")
    parts = (
        '<Iptc4xmpExt:LocationShown><rdf:Bag><rdf:li Iptc4xmpExt:City="Porto" '
        'Iptc4xmpExt:CountryName="Portugal"/></rdf:Bag></Iptc4xmpExt:LocationShown>'
    )
    assert words(parts).location == ("Porto", "Portugal")
    assert words(parts, flat).location == ("Alfama", "Lisbon", "Portugal")


# -- what is not the owner's, damage and attacks --------------------------------------------------


def test_settings_of_programs_are_passed_over() -> None:
    mask = "<crs:Masks><rdf:Seq><rdf:li><rdf:Description>" + array("dc:subject", ["mask"])
    mask += "</rdf:Description></rdf:li></rdf:Seq></crs:Masks>"
    assert words(mask + array("dc:subject", ["Lisbon"])).keywords == ("Lisbon",)
    assert not words(attributes='xmp:CreatorTool="Camera 1.0" tiff:Make="Maker"')


def test_damage_costs_only_what_comes_after() -> None:
    whole = packet(array("dc:subject", ["Lisbon", "Zug"]) + languages("dc:title", de="Ernte"))
    cut = whole[: whole.index(b"Ernte")]
    assert words_of(cut).keywords == ("Lisbon", "Zug")
    assert words_of(whole.replace(b"Ernte", b"M\xfcller \x01\x02")).title == "M\ufffdller"
    assert words_of(whole.replace(b"<x:", b"<y:")).keywords == ()


ENTITIES = (
    b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    + b"".join(b'<!ENTITY %c "%s">' % (98 + i, b"&%c;" % (97 + i) * 10) for i in range(9))
    + b"]>"
)
LISBON = array("dc:subject", ["Lisbon"])
HOSTILE = {
    "entities": ENTITIES + packet(languages("dc:title", de="&j;").replace("&amp;", "&")),
    "an entity of the system": b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
    + packet(LISBON),
    "nested in a property": packet("<dc:subject>" + "<rdf:li>" * 100_000 + "x" + "</rdf:li>" * 9),
    "nested elsewhere": b"<a>" * 1_000_000 + packet(LISBON),
    "a million attributes": packet(LISBON, " ".join(f'dc:a{n}=""' for n in range(1_000_000))),
    "250,000 attributes": packet(LISBON, " ".join(f'dc:a{n}=""' for n in range(250_000))),
    "200,000 items": packet(array("dc:subject", ["x"] * 150_000)),
    "100 MB": packet(LISBON + "<dc:title>" + "x" * 100 * 2**20 + "</dc:title>"),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_packet_is_refused(content: bytes) -> None:
    tracemalloc.start()
    try:
        begin = time.perf_counter()
        assert words_of(content) == Annotation()
        assert time.perf_counter() - begin < 5
        assert tracemalloc.get_traced_memory()[1] < 50 * 2**20
    finally:
        tracemalloc.stop()


def test_a_large_packet_is_read_up_to_the_limits() -> None:
    read = words(array("dc:subject", [f"k{number}" for number in range(20_000)]))
    assert len(read.keywords) == 1000
    assert len(words(languages("dc:description", de="é" * 10**6)).caption) == 10_000


# -- round trips --------------------------------------------------------------------------------

_LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\ufffe\uffff")
TEXTS = st.text(_LETTERS, max_size=40).map(
    lambda text: "".join(c for c in text if c in "\t\n\r" or c >= " ")
)


@given(TEXTS, TEXTS, st.lists(TEXTS, max_size=6), st.lists(TEXTS, max_size=4))
def test_what_is_written_is_read(
    title: str, caption: str, keywords: list[str], people: list[str]
) -> None:
    content = packet(
        languages("dc:title", de="-", x_default=title)
        + languages("dc:description", x_default=caption)
        + array("dc:subject", ["Zug", *keywords])
        + array("Iptc4xmpExt:PersonInImage", people)
    )
    read = words_of(content)
    assert read.title == title_of(title)
    assert read.caption == caption_of(caption)
    flat = (part for keyword in ["Zug", *keywords] for part in keyword.split("|"))
    assert read.keywords == distinct(map(keyword_of, flat), 1000)
    known = {"unknown", "unconfirmed", "ignored"}
    names = (keyword_of(name) for name in people)
    assert read.people == distinct((name for name in names if name.casefold() not in known), 1000)


@given(st.binary(max_size=200), st.integers(0, 2000))
def test_any_bytes(junk: bytes, at: int) -> None:
    whole = packet(MWG + LISBON)
    words_of(whole[:at] + junk + whole[at:])
    words_of(b"Rating" + junk)
