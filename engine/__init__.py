"""Everything a query needs: encoders, alignment, vector index, relevance, library."""
