"""Photos in the order of their dates, which is worked out once and kept while nothing changes."""

from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pixquery.db.records import Filter, Ids

if TYPE_CHECKING:
    from pixquery.db.catalog import Catalog

_KEPT = 8
"""Orders that are kept; one of 100,000 photos takes 1 MB."""
_EVERYTHING = Filter()


class Month(NamedTuple):
    """The photos of a month that match a filter."""

    name: str | None
    """Such as "2023-07"; none for photos without any date."""
    images: int


@dataclass(frozen=True)
class DateOrder:
    """Photos by date: by the camera's clock, or the file's time if the camera noted none."""

    ids: Ids
    """int64[n]; photos of one second by id, and those without any date at the end."""
    months: tuple[Month, ...]
    """In the same order, without empty ones."""
    shapes: NDArray[np.float32]
    """float32[n], width / height."""

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def reverse(self) -> "DateOrder":
        """From the other end. Photos without any date stay at the end."""
        undated = self.months[-1:] if self.months and self.months[-1].name is None else ()
        dated = len(self) - sum(month.images for month in undated)
        order = np.concatenate([np.arange(dated)[::-1], np.arange(dated, len(self))[::-1]])
        months = (*self.months[: len(self.months) - len(undated)][::-1], *undated)
        return DateOrder(self.ids[order], months, self.shapes[order])

    def among(self, ids: Ids) -> "DateOrder":
        """Those of int64[m] ids."""
        chosen = np.isin(self.ids, ids)
        ends = np.cumsum([month.images for month in self.months])
        counts = np.diff(np.concatenate([[0], np.cumsum(chosen)[ends - 1]])) if len(ends) else ()
        months = tuple(
            Month(month.name, int(count))
            for month, count in zip(self.months, counts, strict=True)
            if count
        )
        return DateOrder(self.ids[chosen], months, self.shapes[chosen])


class DateOrders:
    """The date orders of a catalogue, for several filters."""

    def __init__(self, catalog: "Catalog") -> None:
        """Works out nothing yet."""
        self._catalog = catalog
        self._orders: OrderedDict[Filter, tuple[str, DateOrder]] = OrderedDict()
        self._changing = Lock()

    def state(self, where: Filter) -> str:
        """Changes whenever the photos that match, or their order, may have changed."""
        catalog = self._catalog
        state = [catalog.revision]
        if where != _EVERYTHING:  # names of places and what owners wrote arrive later
            state += [catalog.metadata_revision, catalog.located_revision]
        return ".".join(map(str, state))

    def kept(self, where: Filter) -> DateOrder | None:
        """The order of the photos that match, the newest first, if it is known already."""
        with self._changing:
            state, order = self._orders.get(where, ("", None))
        return order if order is not None and state == self.state(where) else None

    def of(self, where: Filter) -> DateOrder:
        """The order of the photos that match, the newest first; a scan if they changed."""
        state = self.state(where)
        with self._changing:  # others wait for the same scan rather than begin their own
            known = self._orders.get(where)
            if known is None or known[0] != state:
                known = self._orders[where] = state, self._worked_out(where)
            self._orders.move_to_end(where)
            if len(self._orders) > _KEPT:
                self._orders.popitem(last=False)
            return known[1]

    def _worked_out(self, where: Filter) -> DateOrder:
        rows = self._catalog.dated(where)
        numbers = np.array([(row[0], row[2], row[3]) for row in rows], np.int64).reshape(-1, 3)
        ids, widths, heights = numbers.T
        shapes = np.maximum(widths, 1) / np.maximum(heights, 1)
        months = [
            Month(name, sum(1 for _ in group)) for name, group in groupby(row[1] for row in rows)
        ]
        return DateOrder(np.ascontiguousarray(ids), tuple(months), shapes.astype(np.float32))
