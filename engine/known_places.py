"""The names that the places of a library's photos have, in any language.

Finding them all takes a tenth of a second, so they are kept until there are photos of other places.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pixquery.db.catalog import Catalog
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
        self._names: Mapping[str, Known] = {}

    @property
    def names(self) -> "Mapping[str, Known]":
        """Every name, folded, and the place that it means."""
        revision = self._catalog.located_revision
        if revision != self._revision:
            self._names = self._read(str(revision)) if revision else {}
            self._revision = revision
        return self._names

    def _read(self, revision: str) -> "Mapping[str, Known]":
        from pixquery.engine.place_names import dumped, known_as, loaded  # few queries need it

        self._words.bring_up_to_date(self._catalog)
        noted, _, text = self._words.kept(_KEPT).partition("\n")
        if noted == revision:
            try:
                return loaded(text)
            except (ValueError, TypeError):  # it is derived, and can be found again
                pass
        names = known_as(dict(self._catalog.known_localities()))
        self._words.keep(_KEPT, f"{revision}\n{dumped(names)}")
        return names
