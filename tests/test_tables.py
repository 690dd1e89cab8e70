"""Tables: what is good is read, and all bad lines are reported at once."""

import csv
import io
import os
import time
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from pixquery.db.errors import BadData
from pixquery.trainer.learning.captions import read_captions
from pixquery.trainer.learning.ratings import (
    read_crowd_ratings,
    read_expert_ratings,
    read_ratings,
)
from pixquery.trainer.measuring.judgements import read_judgements
from pixquery.trainer.measuring.pairs import read_pairs
from pixquery.trainer.measuring.queries import TestQuery, read_queries


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.csv"


_cells = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\0"), min_size=1, max_size=20
).filter(str.strip)


@given(
    rows=st.lists(st.tuples(_cells, _cells, _cells), min_size=1, max_size=6),
    sep=st.sampled_from(",|\t;"),
)
@hypothesis_settings(max_examples=80)
def test_everything_a_csv_writer_writes_is_read(
    rows: list[tuple[str, str, str]], sep: str, file: Path
) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=sep, lineterminator="\n")
    writer.writerows([("query_id", "query_text", "image"), *rows])
    file.write_bytes(out.getvalue().encode())
    assert read_queries(file) == [TestQuery(*map(str.strip, row)) for row in rows]


@pytest.mark.parametrize("sep", [",", "|", "\t", ";"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_are_found_by_name(sep: str, encoding: str, end: str, file: Path) -> None:
    lines = [
        sep.join(["image", "extra", "query_text", "query_id"]),
        sep.join(["a.jpg", "", "ein Mädchen", "7"]),
        "",
        sep.join(["b.jpg", "x", '"two', "8"]).replace('"two', '"two lines" '),
    ]
    file.write_bytes((end.join(lines) + end).encode(encoding))
    assert read_queries(file) == [
        TestQuery("7", "ein Mädchen", "a.jpg"),
        TestQuery("8", "two lines", "b.jpg"),
    ]


def test_a_separator_can_be_given(file: Path) -> None:
    file.write_text("query_id:query_text:image\n1:a, b | c:d.jpg\n")
    assert read_queries(file, ":") == [TestQuery("1", "a, b | c", "d.jpg")]
    with pytest.raises(BadData, match="first line"):
        read_queries(file)
    with pytest.raises(BadData, match="one character"):
        read_queries(file, "::")


def test_every_bad_line_is_reported_with_its_number(file: Path) -> None:
    file.write_text(
        "query_id,query_text,image\n1,fine,a.jpg\n2,,b.jpg\n3,short\n4,ok,c.jpg\n5,a,b,c\n"
    )
    with pytest.raises(BadData) as told:
        read_queries(file)
    for words in ("3 bad lines", "line 3: a column is empty", "line 4: 3 columns are needed, not 2",
                  "line 6: 3 columns are needed, not 4", str(file)):  # fmt: skip
        assert words in str(told.value)


def test_many_bad_lines_are_counted(file: Path) -> None:
    file.write_text("query_id,query_text,image\n" + "x\n" * 25)
    with pytest.raises(BadData, match=r"25 bad lines.*and 15 more"):
        read_queries(file)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"query_id,query_text,image\n", "nothing else"),
        (b"id,text,image\n1,2,3\n", "first line must name"),
        (b"query_id,query_text,image\n1,\xff\xfe,a.jpg\n", "UTF-8"),
    ],
)
def test_files_of_another_kind(content: bytes, words: str, file: Path) -> None:
    file.write_bytes(content)
    with pytest.raises(BadData, match=words):
        read_queries(file)


def test_a_missing_file_and_a_folder(tmp_path: Path) -> None:
    for reader in (
        read_queries, read_pairs, read_captions, read_expert_ratings, read_crowd_ratings,
        read_judgements, lambda file: read_ratings(file, (1, 5)),
    ):  # fmt: skip
        with pytest.raises(BadData, match="cannot be read"):
            reader(tmp_path / "none.csv")
        with pytest.raises(BadData, match="cannot be read"):
            reader(tmp_path)


def test_an_unclosed_quote_is_reported(file: Path) -> None:
    lines = "".join(f"{number},a dog runs on the beach,{number}.jpg\n" for number in range(9_000))
    file.write_text(f'query_id,query_text,image\n0,"a dog,0.jpg\n{lines}')
    with pytest.raises(BadData):
        read_queries(file)


def test_an_open_quote_swallows_no_lines(file: Path) -> None:
    file.write_text('query_id,image,query_text\n1,a.jpg,fine\n2,b.jpg,"a dog\n3,c.jpg,a cat\n')
    with pytest.raises(BadData, match=r"line 3: a quote is opened and never closed"):
        read_queries(file)
    file.write_text('query_id,image,query_text\n2,b.jpg,"a dog\nor two"\n3,c.jpg,a cat\n4,d.jpg\n')
    with pytest.raises(BadData, match="1 bad lines: line 5: 3 columns"):  # where it begins
        read_queries(file)


def test_a_column_named_twice_is_refused(file: Path) -> None:
    file.write_text("query_id,query_text,image,image\n1,a,b,c\n")
    with pytest.raises(BadData, match="the column image more than once"):
        read_queries(file)


def test_rare_characters_that_look_like_line_ends_are_text(file: Path) -> None:
    text = "one\u2028two\x0bthree\x85four"
    file.write_text(f"query_id,query_text,image\n1,{text},a.jpg\n", "utf-8")
    assert read_queries(file) == [TestQuery("1", text, "a.jpg")]


# -- what is no file of text -----------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_that_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for read in (read_queries, read_pairs, read_judgements, read_expert_ratings):
        with pytest.raises(BadData, match="pipe is a pipe that nobody writes to: name a file"):
            read(tmp_path / "pipe")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("pause", [0.1, 0.4])
def test_a_pipe_is_read_to_its_end(tmp_path: Path, pause: float) -> None:
    """As in ``evaluate <(command)``, whose writer has the pipe open."""
    pipe, text = tmp_path / "pipe", "query_id,image,relevance\n1,a.jpg,1\n"
    text += "".join(f"{number},b.jpg,2\n" for number in range(2, 20_000))
    os.mkfifo(pipe)
    both = os.open(pipe, os.O_RDWR)  # opened for both, it does not wait for a reader
    theirs = os.open(pipe, os.O_WRONLY)
    os.close(both)

    def write() -> None:
        time.sleep(pause)
        with os.fdopen(theirs, "w") as out:
            out.write(text)

    writer = Thread(target=write)
    writer.start()
    assert len(read_judgements(pipe)) == 19_999
    writer.join()


@pytest.mark.parametrize("name", ["/dev/null", "/dev/zero", "/dev/urandom"])
def test_devices_are_refused(name: str) -> None:
    if not Path(name).is_char_device():
        pytest.skip("there is no such device")
    with pytest.raises(BadData, match=f"{name} is no file: name one with the table"):
        read_pairs(Path(name))


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot be read: "):
        read_pairs(tmp_path)


def test_more_than_a_table_can_have_is_refused(file: Path) -> None:
    file.write_bytes(b"image,text\n")
    os.truncate(file, 30 * 10**9)  # a hole: it takes no room
    with pytest.raises(BadData, match=r"larger than 1,000 MB: split the table"):
        read_pairs(file)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_other_encodings_are_named(encoding: str, file: Path) -> None:
    file.write_bytes("image,text\na.jpg,red\n".encode(encoding))
    with pytest.raises(BadData, match=r"is not UTF-8 text .*: save it as UTF-8"):
        read_pairs(file)


def test_cells_beyond_the_readers_limit_are_refused(file: Path) -> None:
    long = "x" * (csv.field_size_limit() + 1)
    for text, read, words in (
        (f"image,text,{long}\na,b,c\n", read_pairs, "the first line must name the columns"),
        (f"{long}\n", read_pairs, "the first line must name the columns"),
        (f"image,text\na,{long}\n", read_pairs, "line 2: field larger than field limit"),
        (f"a\tb#0\t1\t2\t{long}\n", read_expert_ratings, "line 1: field larger than"),
        (f"1 0 {long} 1\n", read_judgements, None),  # no quotes and no limit
    ):
        file.write_text(text)
        if words is None:
            read(file)
            continue
        with pytest.raises(BadData, match=words) as told:
            read(file)
        assert len(str(told.value)) < 400


@pytest.mark.parametrize("sep", ["", ",,", "\n", "\r", '"'])
def test_what_cannot_separate_is_refused(sep: str, file: Path) -> None:
    file.write_text("query_id,query_text,image\n1,a,b\n")
    with pytest.raises(BadData, match="the separator must be one character"):
        read_queries(file, sep)
