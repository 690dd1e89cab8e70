"""Makes ``engine/place-words.txt``: words of everyday English that are names of places as well.

Words are those that WordNet 3.0 writes in lower case (Princeton University; see NOTICE), with their
inflections, and those that it leaves out, such as pronouns. Names are those of the gazetteer::

    apt-get download wordnet-base
    python -m pixquery.trainer.place_words wordnet-base_*.deb
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pixquery.engine.folding import folded
from pixquery.engine.gazetteer import gazetteer
from pixquery.engine.places import WORDS

_HEADER = """\
# Words of everyday English that are names of places as well, one a line. In a query, they name a
# place only with a capital letter. trainer/place_words.py makes this file.
"""
_FUNCTION = (
    "the and are them from with her his him she you they this that these those who what when where "
    "why how for not but its our your their was were been has had have did does than then there "
    "here into onto off out over under near along among around behind below beside between by down "
    "during inside outside past since through till until toward upon via within without any each "
    "every few many more most much other some such all both either neither none one two three four "
    "five six seven eight nine ten mine ours hers yours myself himself herself itself someone "
    "anyone everyone somebody anybody could should would might must shall can will may"
)
_ELSEWHERE = (
    "essen see berg strand wald feld garten haus baum kind hund katze auto stadt dorf meer sonne "
    "mond stern herbst sommer winter leben liebe reise ferien familie hochzeit mutter vater bruder "
    "mer plage ville fille femme homme chien chat maison jardin soleil lune neige "
    "playa mar casa perro gato sol luna nieve ciudad familia boda cielo "
    "mare spiaggia sole cane gatto neve fiume monte torre ponte lago villa scala campo"
)
"""The same in German, French, Spanish and Italian; the most usual ones only."""
_GIVEN = "barack obama jesus michael jackson david dave winnie harly finley"

_RATHER_PLACES = (
    "berlin cordoba shanghai tripoli bologna marseille jodhpur malacca muscat tangier geneva liege "
    "nimes oxford saskatoon anchorage bolivia brazil morocco curacao japan wales lucerne bursa "
    "samara astrakhan manhattan kotor bled varna grisons ulster gent faro angers worthing"
)
"""Words so rare that the place is meant: a berlin is a carriage."""


def write(wordnet: Path, file: Path = WORDS) -> None:
    """Makes the list from Debian's package of WordNet."""
    data = gazetteer()
    names = set(data.names.text.decode().lower().split("\n"))
    names.update(*(line.split("\t") for line in data.aliases.text.decode().split("\n")))
    for region in data.regions:
        names |= {folded(region.name), *region.aliases}
    for country in data.countries.values():
        names |= {folded(country.name), *country.aliases}
    words = {*words_of(wordnet), *_FUNCTION.split(), *_ELSEWHERE.split(), *_GIVEN.split()}
    words -= set(_RATHER_PLACES.split())
    for name in list(names):  # the words of "long beach", too
        if " " in name and words.issuperset(name.split()):
            names.update(name.split())
    common = sorted(word for word in words & names if len(word) > 2)
    file.write_text(_HEADER + "\n".join(common) + "\n", "utf-8")


def words_of(wordnet: Path) -> Iterator[str]:
    """The words of WordNet in lower case, with their inflections."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg", "-x", wordnet, folder], check=True)
        for file in sorted(Path(folder).rglob("data.*")):
            for line in file.read_text("ascii").splitlines():
                if not line.startswith(" "):
                    fields = line.split()
                    for word in fields[4 : 4 + 2 * int(fields[3], 16) : 2]:
                        if word.isalpha() and word.islower():
                            yield from _inflected(word)
        for file in sorted(Path(folder).rglob("*.exc")):
            for line in file.read_text("ascii").splitlines():
                if line.split()[0].isalpha():
                    yield line.split()[0]


def _inflected(word: str) -> Iterator[str]:
    """A word, and what its plural, third person, past and participle may be."""
    stem = word.removesuffix("e")
    yield word
    yield from (word + ending for ending in ("s", "es", "ed", "d", "ing", "er", "r"))
    yield from (stem + "ing", word + word[-1] + "ing", word + word[-1] + "ed")
    if word.endswith("y"):
        yield from (word[:-1] + "ies", word[:-1] + "ied")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
