"""Everything a query needs: encoders, alignment, vector index, relevance, library."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.library import Library
    from engine.search import Query

__all__ = ["Library", "Query"]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used: the command line overlaps their loading."""
    if name == "Library":
        from engine.library import Library

        return Library
    if name == "Query":
        from engine.search import Query

        return Query
    raise AttributeError(f"module 'engine' has no attribute {name!r}")
