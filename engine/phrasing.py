"""Turns what people type into what is searched: "my photos of dogs without a leash".

The encoders were trained on captions. A caption is never addressed to the program, so words such as
"show me all pictures of" only lead them astray, and they take "without people" for people. Other
descriptions are left as they are. ``docs/typing.md`` has the figures behind each rule.
"""
# ruff: noqa: RUF001, SIM905 - typographic signs, and words that are easier to read as one text

import re
from dataclasses import dataclass
from functools import lru_cache

from pixquery.engine.plurals import regular, singular

MOST_WORDS = 8
"""Longer texts are descriptions: in them "a man with no shirt" is part of the scene."""
UNWANTED = 0.5
"""How much less of an unwanted thing is searched for, where 1 is as much as of the wanted one."""
_SHORT = 3
"""Words of a bare noun phrase, without its article."""


@dataclass(frozen=True, slots=True)
class Phrase:
    """What is searched for a text that somebody typed."""

    text: str
    """What photos should show; never empty unless what was typed is."""
    also: str = ""
    """The singular of a bare plural; photos are compared with the mean of both."""
    minus: tuple[str, ...] = ()
    """What photos should not show."""
    reworded: bool = False
    """Whether more was changed than articles, quotation marks, signs and the singular added."""

    def __str__(self) -> str:
        return ", without ".join(
            [self.text, " or ".join(self.minus)] if self.minus else [self.text]
        )


@lru_cache(maxsize=256)
def phrase(typed: str, *, negation: bool = True) -> Phrase:
    """Finds out what to search for.

    Args:
        typed: Any text.
        negation: Search for less of what follows "without" or "no". Otherwise these words stay in
            the text.
    """
    whole = " ".join(typed.split())
    core = _core(whole)
    wanted, unwanted = _split(core) if negation else (core, ())
    text = (_core(wanted) if unwanted else core) or whole
    if text == whole.rstrip(_ENDS) and not _is_name(text):
        return Phrase(whole)  # captions end with a full stop, too
    lowered = f" {whole.lower()}"
    one = _ONE.match(text) or any(f" {a} {text.lower()}" in lowered for a in ("a", "an"))
    return Phrase(
        text=text,
        also=singular(text) if _is_name(text) and not one else "",
        minus=unwanted,
        reworded=bool(unwanted) or _content(core) != _content(whole),
    )


def _core(text: str) -> str:
    """A text without what is said to the program, and a name without its article."""
    before = None
    while text != before:
        before = text
        text = _without_article(_unwrapped(text))
    return text


def _content(text: str) -> list[str]:
    """The words that matter for saying what was searched."""
    words = re.findall(r"\w+", text.lower())
    return [word for word in words if word not in _ARTICLES]


# -- what is said to the program, not of the photo -------------------------------------------------

_PHOTO = r"(?:photo(?:graph)?s?|pictures?|pics?|images?|snapshots?|snaps|shots)"
_OWN = r"(?:my|our)"
_WHICH = rf"(?:(?:all|any|some|every|each|the|a|an|these|those|of|{_OWN}|more|other)\s+)*"
_BEGINNINGS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"(?:please|pls|hey|hi|hello|ok|okay)[,!]?\s+",
        r"(?:can|could|would|will)\s+you\s+(?:please\s+)?(?=find|show|give|get|search|look)",
        r"(?:can|could|may)\s+(?:i|we)\s+(?:please\s+)?(?:see|have|get)\s+",
        r"(?:i|we)(?:\s*['’]?\s*(?:a?m|are|re|d|would|will|ll))?\s+(?:just\s+)?"
        r"(?:(?:want|like|need|wish)\s+(?:to\s+(?:see|find|have|get|look\s+at)\s+)?"
        r"|(?:looking|searching)\s+for\s+)",
        r"(?:show|give|get|bring|find|fetch)\s+(?:me|us)\s+",
        r"(?:search|searching|look|looking)\s+for\s+",
        rf"(?:find|show|get|list|display|see|search)\s+"
        rf"(?=(?:all|any|some|every|the|an?|{_OWN}|{_PHOTO})\s)",
        r"find\s+",
        rf"do\s+(?:i|we)\s+have\s+(?:any\s+)?(?={_WHICH}{_PHOTO}\s|an?\s)",
        rf"(?:are|is)\s+there\s+(?:any\s+|an?\s+|some\s+)?(?={_PHOTO}\s+(?:of|with)\s)",
        rf"where\s+(?:is|are)\s+(?=(?:the|{_OWN})\s)",
        r"(?:all|everything|anything)\s+(?:with|showing)\s+",
        rf"{_WHICH}{_PHOTO}\s+(?:taken\s+)?(?:of|with|from|showing|containing|featuring|depicting"
        r"|including|about|that\s+(?:i|we)\s+(?:took|have|made)\s+of"
        r"|(?:that|which)\s+(?:shows?|contains?|ha(?:s|ve)|includes?|depicts?)"
        r"|(?:where|in\s+which)\s+(?:there\s+(?:is|are)|(?:you|i|we)\s+(?:can\s+)?see))\s+",
        rf"(?:all\s+)?(?:of\s+)?{_OWN}\s+{_PHOTO}\s+(?=(?:taken\s+)?(?:in|at|on|during)\s)(?:taken\s+)?",
        rf"all\s+(?:of\s+)?(?:the\s+|{_OWN}\s+)?(?=\w)",
    )
]
_ENDINGS = [
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        r"[,]?\s+(?:please|pls|thanks|thank\s+you)$",
        r"\s+(?:that|which)\s+(?:i|we)\s+(?:took|have|made)$",
    )
]
_WITHIN = re.compile(
    rf"\s+(?:in|on|from|among)\s+(?:it|them|(?:the|this|these|{_OWN})\s+"
    rf"(?:{_PHOTO}|library|collection|gallery|album|phone|camera))$",
    re.IGNORECASE,
)
_PLURAL_PHOTOS = re.compile(
    r"^((?:[\w'’-]+\s+){1,2})(?:photos|pictures|pics|images|snapshots|photographs)$", re.IGNORECASE
)
_ABOUT_PHOTOS = frozenset(
    "taking holding looking viewing watching making shooting hanging showing displaying old "
    "vintage antique polaroid framed printed blurry sepia white black color colour torn of and "
    "with in on at the a an to by many two three several some passport wall ultrasound "
    "satellite aerial x-ray".split()
)  # fmt: skip
"""Words before "photos" that say something of the photos themselves, or do something with them."""
_ENDS = " ?!.,;:…"
_QUOTES = {'"': '"', "'": "'", "“": "”", "‘": "’", "„": "“", "«": "»", "`": "`"}


def _unquoted(text: str) -> str:
    """A text without the quotation marks around it and the signs at its end."""
    before = ""
    while text != before:
        before = text
        text = text.rstrip(_ENDS)
        closing = _QUOTES.get(text[:1])
        inner = text[1:-1]
        if closing and len(text) > 2 and text.endswith(closing) and closing not in inner:
            text = inner.strip()
    return text


def _unwrapped(text: str) -> str:
    """A text without the words at its beginning and end that do not describe a photo."""
    before, typed = "", _unquoted(text)
    while text != before:
        before = text = _unquoted(text)
        for pattern in _BEGINNINGS:
            text = _left(text, pattern.match(text))
        if text != typed:  # the same words may end a description
            text = _left(text, _WITHIN.search(text))
        for pattern in _ENDINGS:
            text = _left(text, pattern.search(text))
        named = _PLURAL_PHOTOS.match(text)
        if named and not _ABOUT_PHOTOS & set(named[1].lower().split()):
            text = _left(text, re.search(r"\s+\S+$", text))
    return text


def _left(text: str, match: re.Match[str] | None) -> str:
    """What a match leaves of a text, or the text if that is nothing that can be searched for."""
    if match is None:
        return text
    rest = (text[: match.start()] + text[match.end() :]).strip(" ,:;")
    return rest if _describes(rest) else text


def _describes(text: str) -> bool:
    """Whether a text says something besides articles and what is not wanted."""
    words = [word.strip(_AROUND) for word in text.lower().split()]
    return bool({*words} - _EMPTY - _PHOTOS - {""}) and words[0] not in _UNWANTED


_AROUND = "?!.,;:…-\"'`“”‘’„«»"
_EMPTY = frozenset("a an the my our all any some of with in on at it them me us no not".split())
_PHOTOS = frozenset(
    "photo photos photograph photographs picture pictures pic pics image images snapshot "
    "snapshots snap snaps shot shots".split()
)
_UNWANTED = frozenset("no not without w/o minus except excluding".split())


# -- what is not wanted ----------------------------------------------------------------------------

_CUE = (
    r"(?:(?:,|\bbut|\band)?\s*(?:\bwithout|\bwith\s+no|\bw/o|\bminus|\bexcept(?:\s+for)?|\bexcluding"
    r"|\bbut\s+not?|\bno|\bnot)\s+(?:any\s+|an?\s+|the\s+)?|(?<=\s)[-−])"
)
_WORD = r"[^\W\d_][\w'’-]*"
_THING = rf"{_WORD}(?:\s+(?:(?:an?|the)\s+)?{_WORD})??"
_PLACE = (
    r"(?:(?:in|at|on|under|by|near|during|behind|over|along|around|inside|outside|through)\s+"
    r"(?!(?:is|are|was|were)\b|\w+ing\b)\S.*)"
)
_AFTER = re.compile(
    rf"^(?P<wanted>\S.*?)\s*{_CUE}(?P<thing>{_THING})"
    rf"(?P<more>(?:\s*(?:,|\bor\b|\band\b)\s*(?:no\s+|without\s+|any\s+)*{_THING}|\s+[-−]{_THING})*)"
    rf"(?:\s+(?:on|around|visible|anywhere|there|at\s+all))?(?:\s+(?P<place>{_PLACE}))?$",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"^(?:no|without(?:\s+any)?)\s+(?P<thing>{_THING})\s+(?:in|at|on|near|by|around)\s+(?P<wanted>\S.*)$",
    re.IGNORECASE,
)
_NOBODY = re.compile(r"\b(?:nobody|no[ -]?one)\b|\bwithout\s+any(?:body|one)\b", re.IGNORECASE)
_BETWEEN = re.compile(
    r"\s*(?:,|\bor\b|\band\b)\s*(?:(?:no|without|any|or|and)\s+)*|\s+[-−]",
    re.IGNORECASE,
)
_SIGNS = frozenset(
    "entry parking smoking trespassing diving skiing swimming fishing stopping exit access sign "
    "signs symbol way longer more man's littering camping hunting name idea vacancy".split()
)
"""Words after "no" that are read on signs, or with which it means something else."""
_IN_CAPTIONS = frozenset("shirt shirts clothes clothing expression expressions".split())
"""What captions say is missing: the encoders know how a man without a shirt looks."""
_NOT_A_THING = frozenset(
    "very yet so too far only just even much really quite always often on in at to under by "
    "near for is are was were be being been has have had does do did can will that which who "
    "where while when if then than as it he she they his her their this these with from of".split()
)
_SAYS = frozenset(
    "wearing wears wear worn has have had having says saying reads showing shows is are was "
    "does do did there with and or but of the a an in on at to can will would should".split()
)
"""Words before "no" that make it part of a sentence."""


def _split(text: str) -> tuple[str, tuple[str, ...]]:
    """What is wanted, and what is not; only of texts that clearly say so."""
    if len(text.split()) > MOST_WORDS:
        return text, ()
    plain = _NOBODY.sub("no people", text)
    after = _AFTER.match(plain)
    if after:
        things, place = _BETWEEN.split(after["thing"] + after["more"]), after["place"] or ""
        if place.lower().endswith("ground"):  # the foreground and background of the photo
            return text, ()
        wanted = f"{after['wanted'].rstrip(' ,;-')} {place}".rstrip()
        said = after["wanted"].lower().rstrip(" ,;-").split()
        if {*said[-1:]} & _SAYS or {*said} & _SENTENCE:
            return text, ()
    else:
        before = _BEFORE.match(plain)
        if before is None:
            return text, ()
        things, wanted = [before["thing"]], before["wanted"]
    things = [thing.strip() for thing in things]
    words = [word.lower() for thing in things for word in thing.split()[:2]]
    clear = (
        all(things)
        and not {*words} & (_NOT_A_THING | _SIGNS | _IN_CAPTIONS)
        and (_describes(wanted) or bool({*wanted.lower().split()} & _PHOTOS))  # all but these
    )
    return (wanted, tuple(dict.fromkeys(things))) if clear else (text, ())


# -- bare names ------------------------------------------------------------------------------------

_ARTICLE = re.compile(rf"^(?:(?:an?|the|some|any|{_OWN})\s+)+(?=\S)", re.IGNORECASE)
_ARTICLES = frozenset("a an the some any my our".split())
_ONE = re.compile(r"an?\s", re.IGNORECASE)
_SENTENCE = frozenset("is are was were".split())
_NAMES = frozenset("wedding building ring king wing string spring evening morning ceiling".split())
"""Nouns that end like a verb."""


def _is_name(text: str) -> bool:
    """Whether a text without an article may be a name such as "red car", not a sentence."""
    words = text.lower().split()
    return (
        0 < len(words) <= _SHORT
        and _describes(text)
        and not {*words} & _SENTENCE
        and not any(word.endswith("ing") and word not in _NAMES for word in words)
    )


def caption_of(text: str) -> str:
    """A bare name as a caption would put it: "a photo of red car"; empty for other texts.

    Without an article, which would be wrong for "people" or "two dogs".
    """
    return f"a photo of {text}" if _is_name(text) and not _ARTICLE.match(text) else ""


def _without_article(text: str) -> str:
    """A name finds more without its article. A sentence such as "a dog barks" does not."""
    name = _ARTICLE.sub("", text)
    sentence = _ONE.match(text) and any(map(regular, name.lower().split()[1:]))
    return text if sentence or not _is_name(name) else name
