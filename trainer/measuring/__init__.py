"""How well a library answers: queries, judgements, measures."""
