"""The names that the places of a library's photos have, in any language.

Finding them all takes a tenth of a second, so they are kept until there are photos of other places.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from pixquery.db.catalog import Catalog
from pixquery.db.checksums import digest
from pixquery.db.words import Words

if TYPE_CHECKING:
    from pixquery.engine.place_names import Known

_KEPT = "places"


class KnownPlaces:
    """The names of places that a library has photos of."""

    def __init__(self, words: Words, catalog: Catalog) -> None:
        """Reads nothing yet."""
        self._words = words
        self._catalog = catalog
        self._revision = 0
        self._lookup: Callable[[str], Known | None] | None = None

    @property
    def lookup(self) -> "Callable[[str], Known | None] | None":
        """The place that a folded name means, if the library has photos of one.

        None if it has photos of no known place.
        """
        revision = self._catalog.located_revision
        if revision != self._revision:
            self._lookup = self._read(str(revision)) if revision else None
            self._revision = revision
        return self._lookup

    def _read(self, revision: str) -> "Callable[[str], Known | None]":
        from pixquery.engine.place_names import dumped, known_as, lookup  # few queries need it

        self._words.bring_up_to_date(self._catalog)
        noted, _, text = self._words.kept(_KEPT).partition("\n")
        if noted != f"{revision} {digest(text).hex()}":
            text = dumped(known_as(dict(self._catalog.known_localities())))
            self._words.keep(_KEPT, f"{revision} {digest(text).hex()}\n{text}")
        find = lookup(text)

        def known(name: str) -> "Known | None":
            try:
                return find(name)
            except (ValueError, TypeError, RecursionError):  # somebody else wrote it
                return None

        return known
