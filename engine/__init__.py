"""Everything a query needs: encoders, alignment, vector index, relevance, library."""

from engine.library import Library
from engine.search import Query

__all__ = ["Library", "Query"]
