"""Names the places in which photos were taken, once they are indexed."""

import numpy as np

from pixquery.db.catalog import Catalog

_AT_ONCE = 10_000


def name_places(catalog: Catalog) -> int:
    """Notes the town, region and country of photos that have coordinates and no such names.

    Returns:
        How many photos got them.
    """
    if not catalog.has_places():
        return 0
    from pixquery.engine.gazetteer import gazetteer  # its data is read for photos with coordinates

    names = gazetteer()
    waiting = list(catalog.unlocated(names.version).items())
    named = 0
    for start in range(0, len(waiting), _AT_ONCE):
        part = waiting[start : start + _AT_ONCE]
        positions = np.array([place for _, place in part], np.float64)
        found = names.localities(positions[:, 0], positions[:, 1])
        localities = {
            image_id: locality
            for (image_id, _), locality in zip(part, found, strict=True)
            if locality is not None
        }
        catalog.locate(localities, names.version)
        named += len(localities)
    return named
