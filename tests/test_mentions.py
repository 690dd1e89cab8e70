"""Photos that mention what is searched, among coloured squares with words of their own."""

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from pixquery import Library, Query
from pixquery.db.errors import BadQuery
from pixquery.db.metadata import Noted
from pixquery.db.records import Annotation, Filter, Line
from pixquery.db.words import FILE
from pixquery.engine.mentions import LOOKS, MOST, Match, asked_for
from pixquery.indexer.build import index
from tests.conftest import Invoke, NewLibrary, parsed, square

CORNERS = (0.0, 0.0, 1.0, 0.0, 1.0, 0.5, 0.0, 0.5)


def ids_of(library: Library) -> dict[str, int]:
    return {record.path.stem: record.id for record in library}


def write(library: Library, lines: dict[str, list[str]]) -> None:
    """Notes lines of text as read in the photos of these names."""
    ids = ids_of(library)
    rows = {ids[name]: [Line(text, 0.9, CORNERS) for text in own] for name, own in lines.items()}
    with library.writing():
        library.catalog.note_readings(rows, "reader")


@pytest.fixture
def worded(library: Library) -> Library:
    """Words in the squares, and what owners wrote about them."""
    write(
        library,
        {
            "red": ["STOP"],
            "blue": ["BOARDING PASS", "Vienna to Lisbon", "Gate B27"],
            "cyan": ["hot dog stop sale sale sale sale"],
            "black": [],
        },
    )
    note = Annotation(
        "Sunset", "At the beach.\nIt was late", ("holiday",), ("Anna Smith",), 4, "Red"
    )
    with library.writing():
        library.catalog.annotate({ids_of(library)["green"]: Noted(note)})
    return library


def found(library: Library, text: str) -> list[str]:
    names = {image_id: name for name, image_id in ids_of(library).items()}
    return [names[image_id] for image_id in library.mentions.of(text)]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("boarding pass", ["blue"]),
        ("my boarding pass to Lisbon", ["blue"]),
        ("BOARDING passes", ["blue"]),
        ("gate b27", ["blue"]),
        ("gate b28", []),
        ("stop", ["red", "cyan"]),  # where little else stands comes first
        ("boarding pass vienna porto", ["blue"]),  # one of four may be missing
        ("boarding pass porto madrid", []),
        ("anna", ["green"]),
        ("Anna at the beach", ["green"]),
        ("holidays", ["green"]),
        ("holi", []),
        ("the", []),
        ("", []),
        ("red", []),  # a colour label is no description
    ],
)
def test_what_is_mentioned(text: str, names: list[str], worded: Library) -> None:
    assert found(worded, text) == names


def test_a_mention_joins_the_candidates_and_says_why(worded: Library) -> None:
    first, *others = worded.search("boarding pass", k=8).hits
    assert first.path.stem == "blue"
    assert first.matched == (Match("text", "BOARDING PASS", CORNERS),)
    assert first.standing == "fits very well"
    assert {hit.matched for hit in others} == {(LOOKS,)}
    assert [hit.rank for hit in (first, *others)] == list(range(1, 9))


def test_a_photo_that_shows_and_says_it(worded: Library) -> None:
    write(worded, {"red": ["RED BULL"]})
    first = worded.search("red").hits[0]
    assert first.matched == (Match("text", "RED BULL", CORNERS), LOOKS)
    assert first.relevance == pytest.approx(1, abs=0.02)  # what it shows is worth more


def test_every_reason_is_kept_once(worded: Library) -> None:
    hit = worded.search("anna smith beach sunset").hits[0]
    assert [str(match) for match in hit.matched] == [
        "person: Anna Smith", "title: Sunset", "caption: At the beach.\nIt was late",
    ]  # fmt: skip


def test_without_words_hits_are_as_before(worded: Library, new_library: NewLibrary) -> None:
    plain = new_library()
    index(plain, [next(iter(worded)).path.parent])
    for text in ("red", "yellow", "a boy in magenta", "unheard of", "green white"):
        ours, theirs = (each.search(text, k=8).hits for each in (worded, plain))
        assert [(hit.path, hit.relevance) for hit in ours] == [
            (hit.path, hit.relevance) for hit in theirs
        ]


def test_earlier_hits_stay_whatever_is_asked_for(new_library: NewLibrary, tmp_path: Path) -> None:
    for number in range(20):  # none as like red as another
        square(tmp_path / "p" / f"{number:02d}.png", (255, 12 * number, 3 * number))
    library = new_library()
    index(library, [tmp_path / "p"])
    write(library, {"04": ["red"], "11": ["red red"], "19": ["red"]})

    def ids(k: int, offset: int = 0) -> list[int]:
        hits = library.search(Query("red", k=k, offset=offset, candidates=3)).hits
        return [hit.id for hit in hits]

    whole = ids(20)
    assert sorted(whole) == sorted(ids_of(library).values())
    for k in range(1, 20):
        assert ids(k) == whole[:k]
        assert ids(2, k) == whole[k : k + 2]


def test_similarity_alone_knows_no_words(worded: Library) -> None:
    hits = worded.search(Query("red boarding pass", rerank=False)).hits
    assert hits[0].path.stem == "red"
    assert {hit.matched for hit in hits} == {(LOOKS,)}


def test_filters_and_least_relevance_hold_for_mentions(worded: Library) -> None:
    only = Query("boarding pass", where=Filter(paths=("red*",)))
    assert [hit.path.stem for hit in worded.search(only).hits] == ["red"]
    above = worded.search("boarding pass", min_relevance=0.5).hits
    assert [hit.path.stem for hit in above] == ["blue"]


def test_a_filter_counts_before_the_most_frequent_are_cut_off(
    new_library: NewLibrary, tmp_path: Path
) -> None:
    for number in range(MOST + 5):
        square(tmp_path / "p" / f"{number:03d}.png", (number, 0, 0))
    library = new_library()
    index(library, [tmp_path / "p"])
    write(library, {f"{number:03d}": ["stop"] for number in range(MOST + 5)})
    assert len(library.mentions.of("stop")) == MOST
    for name in ids_of(library):
        (hit,) = library.search(Query("stop", where=Filter(paths=(f"{name}.png",)))).hits
        assert hit.matched[0].kind == "text"


def test_text_alone(worded: Library) -> None:
    answer = worded.search(Query(words="stop"))
    assert [hit.path.stem for hit in answer.hits] == ["red", "cyan"]
    assert [hit.relevance for hit in answer.hits] == [None, None]
    assert answer.query == 'with the text "stop"'
    assert answer.among == 2
    assert [hit.rank for hit in worded.search(Query(words="stop", k=1, offset=1)).hits] == [2]
    assert worded.search(Query(words="anna")).hits == ()  # which nobody read in a photo
    described = worded.search(Query("cyan", words="stop"))
    assert [hit.path.stem for hit in described.hits] == ["cyan", "red"]
    assert described.hits[1].matched[0] == Match("text", "STOP", CORNERS)
    with pytest.raises(BadQuery, match="no word"):
        Query(words="?!")


def test_a_photo_added_since_the_vectors_were_loaded_is_no_error(
    worded: Library, squares: Path
) -> None:
    worded.search("red")
    with Library.open(worded.folder) as other:
        square(squares / "new.png", (1, 2, 3))
        index(other, [squares])
        write(other, {"new": ["boarding pass"]})
    assert worded.search("boarding pass").hits[0].path.stem == "blue"
    worded.refresh()
    both = {hit.path.stem for hit in worded.search("boarding pass").hits[:2]}
    assert both == {"blue", "new"}


def test_others_that_look_like_those_that_mention_it(
    new_library: NewLibrary, tmp_path: Path
) -> None:
    for number in range(6):
        square(tmp_path / "p" / f"receipt{number}.png", (250 - number, 3, 0))
    for number in range(6):
        square(tmp_path / "p" / f"other{number}.png", (40 * number, 255, 40 * number))
    library = new_library()
    index(library, [tmp_path / "p"])
    write(library, {f"receipt{number}": ["RECEIPT"] for number in range(3)})
    hits = library.search("receipt", k=12).hits
    assert {hit.path.stem for hit in hits[:3]} == {"receipt0", "receipt1", "receipt2"}
    assert {hit.path.stem for hit in hits[3:6]} <= {f"receipt{number}" for number in range(3, 6)}
    assert hits[3].matched[0].kind == "alike"
    write(library, {f"other{number}": ["SALE"] for number in (0, 3, 5)})  # of three colours
    assert all(
        match.kind != "alike" for hit in library.search("sale").hits for match in hit.matched
    )


def test_profiles_without_relevance_add_reciprocal_ranks(worded: Library) -> None:
    from pixquery.engine.answers import Milliseconds
    from pixquery.engine.mentions import Mention
    from pixquery.engine.ranking import Ranking

    mentions = {13: Mention(0.9, ()), 99: Mention(0.8, ())}
    ranking = Ranking(
        ids=np.array([10, 11, 12, 13, 99]),
        similarities=np.array([0.9, 0.8, 0.7, 0.6, 0.1], np.float32),
        relevances=None,
        milliseconds=Milliseconds(0, 0, 0, 0),
        mentioned=mentions,
        near=4,
    )
    # 13 is fourth and first: 1/63 + 1/60; 10 is first: 1/60; 99 is the second mention: 1/61, as
    # is 11, which is more similar.
    assert ranking.ids[ranking.order(rerank=True)].tolist() == [13, 10, 11, 99, 12]
    assert ranking.order(rerank=False).tolist() == [0, 1, 2, 3, 4]


def test_the_command_says_why(worded: Library, invoke: Invoke) -> None:
    place = worded.folder
    hits = parsed(invoke("query", "boarding pass", "-k", "2", "--library", place, "--json"))["hits"]
    assert hits[0]["matched"] == [
        {"kind": "text", "words": "BOARDING PASS", "corners": list(CORNERS)}
    ]
    assert hits[1]["matched"] == [{"kind": "look", "words": "looks like it"}]
    texts = parsed(invoke("query", "--text", "b27", "--library", place, "--json"))["hits"]
    assert [Path(hit["path"]).stem for hit in texts] == ["blue"]
    none = invoke("query", "--text", "zebra", "--library", place)
    assert none.exit_code == 3
    assert "was read in" in none.stderr


def test_forms_of_a_term() -> None:
    assert asked_for("the Receipts of a store") == [
        ("receipts", "receipt", "receiptss"), ("store", "stores"),
    ]  # fmt: skip
    assert asked_for("three stooges") == [
        ("three", "threes", "threestooges"), ("stooges", "stooge", "stoogess", "threestooges"),
    ]  # fmt: skip


def test_words_that_were_read_as_one_or_not_quite_right(library: Library) -> None:
    write(library, {"red": ["THREESTOOGES", "BISTRO"], "blue": ["chopping b0ard", "wood"]})
    assert found(library, "three stooges") == ["red"]
    assert found(library, "stooges bistro") == ["red"]  # within a longer word
    assert found(library, "chopping board wood") == ["blue"]
    assert found(library, "chopping board") == ["blue"]
    assert found(library, "chopping wooden board") == []  # two of three are not there
    assert found(library, "chopping knives") == []
    whole, part = (library.mentions.of(text) for text in ("chopping wood", "chopping board"))
    assert next(iter(whole.values())).strength > next(iter(part.values())).strength


def test_verify_compares_the_words(worded: Library, invoke: Invoke) -> None:
    assert found(worded, "stop") == ["red", "cyan"]
    worded.close()
    with closing(sqlite3.connect(worded.folder / FILE)) as other, other:
        other.execute("UPDATE words SET text = 'go' WHERE text = 'stop'")
    words = ("verify", "--library", worded.folder)
    assert "index of words" in invoke(*words).stdout
    assert "repaired: words" in invoke(*words, "--repair").stdout
    assert "no problems found" in invoke(*words).stdout
    with Library.open(worded.folder) as again:
        assert found(again, "stop") == ["red", "cyan"]
