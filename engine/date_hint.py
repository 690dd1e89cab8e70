"""Whether a text can name a date at all: a look that takes microseconds.

The rules of :mod:`pixquery.engine.dates` take longer to load than many a query.
"""

import re

_EVERY_DATE_HAS = re.compile(
    r"\d{4}|\d0s\b|ies\b|day\b|\b(?:last|past|this|ago|tonight|letzte|vorige|gestern|heute|vor|"
    r"il y a|hace|fa|derni|pass|pasad|scors|ayer|anteayer|ieri|vorgestern)|年",
    re.IGNORECASE,
)


def may_name_date(text: str) -> bool:
    """Whether a text is worth a closer look."""
    return _EVERY_DATE_HAS.search(text) is not None
