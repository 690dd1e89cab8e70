"""Makes ``engine/months.txt``: the names of the months in all languages of Unicode's CLDR.

A name that is another month in another language is left out, such as listopad, and so is an
everyday word of English, such as mart, unless its language is a usual one. CLDR is under the
Unicode License v3; see NOTICE::

    npm pack cldr-dates-full@48.2.0
    apt-get download wordnet-base
    python -m pixquery.trainer.month_names cldr-dates-full-*.tgz wordnet-base_*.deb
"""

import json
import sys
import tarfile
from collections import defaultdict
from pathlib import Path

from pixquery.engine.date_words import MONTHS
from pixquery.engine.folding import folded
from pixquery.trainer.place_words import words_of

_HEADER = """\
# The names of the months in all languages, folded: one line a month, names between tabulators.
# trainer/month_names.py makes this file.
"""

_MAIN = {"en", "de", "fr", "es", "it", "pt"}
"""Languages whose months are kept although they are words of English, such as mars."""


def write(package: Path, wordnet: Path, file: Path = MONTHS) -> None:
    """Makes the list from the npm package of CLDR's dates and Debian's of WordNet."""
    meant: dict[str, set[int]] = defaultdict(set)
    kept: set[str] = set()
    with tarfile.open(package) as archive:
        for member in sorted(archive.getmembers(), key=lambda member: member.name):
            stream = archive.extractfile(member)
            if stream is None or not member.name.endswith("/ca-gregorian.json"):
                continue
            ((language, main),) = json.load(stream)["main"].items()
            months = main["dates"]["calendars"]["gregorian"]["months"]
            for usage in ("format", "stand-alone"):
                for number, name in months[usage]["wide"].items():
                    if len(folded(name)) > 2 and folded(name).isalpha():
                        meant[folded(name)].add(int(number))
                        kept |= {folded(name)} if language in _MAIN else set()
    everyday = set(words_of(wordnet)) - kept
    lines = [
        "\t".join(sorted(name for name in meant if meant[name] == {month} and name not in everyday))
        for month in range(1, 13)
    ]
    file.write_text(_HEADER + "\n".join(lines) + "\n", "utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]), Path(sys.argv[2]))
