"""What all routes share: the library, its pictures, and the queues for slow work."""

from dataclasses import dataclass, field
from functools import partial

from fastapi import Request

from pixquery.web.copies import Copies
from pixquery.web.gate import Gate
from pixquery.web.guard import Rules
from pixquery.web.pictures import Pictures
from pixquery.web.reader import Reader
from pixquery.web.training import Training
from pixquery.web.uploads import Uploads


@dataclass(frozen=True)
class Site:
    """What all routes share."""

    reader: Reader
    rules: Rules
    pictures: Pictures
    copies: Copies
    may_trash: bool = False
    """Whether clients on this computer may move copies of photos to the trash."""
    uploads: Uploads = field(default_factory=Uploads)
    searches: Gate = field(default_factory=partial(Gate, "search", threads=16, waiting=64))
    """More threads than cores, so that texts can be encoded in batches."""
    glances: Gate = field(default_factory=partial(Gate, "glance", threads=4, waiting=256))
    """Short reads: details, facets and cached pictures."""
    drawings: Gate = field(default_factory=partial(Gate, "draw", threads=2, waiting=256))
    """Makes pictures from photos."""
    training: Training = field(default_factory=Training)

    @property
    def gates(self) -> tuple[Gate, ...]:
        """All gates."""
        return self.searches, self.glances, self.drawings


def site_of(request: Request) -> Site:
    """The site that a request is for."""
    site = request.app.state.site
    assert isinstance(site, Site)  # noqa: S101 - the application put it there
    return site


def is_local(request: Request) -> bool:
    """Whether the client may see paths on this computer."""
    return site_of(request).rules.local(request.scope)
