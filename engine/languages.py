"""Tells texts in other languages from English ones, by their letters and their smallest words."""
# ruff: noqa: RUF001, SIM905 - letters of other languages, and words easier to read as one text

import re
import unicodedata
from collections import Counter
from functools import cache

UNSURE = "a language other than English"
_SCRIPTS = {
    "CYRILLIC": "Russian or another language in Cyrillic letters",
    "GREEK": "Greek",
    "HEBREW": "Hebrew",
    "ARABIC": "Arabic or another language in Arabic letters",
    "DEVANAGARI": "Hindi or another language in Devanagari letters",
    "BENGALI": "Bengali",
    "TAMIL": "Tamil",
    "THAI": "Thai",
    "GEORGIAN": "Georgian",
    "ARMENIAN": "Armenian",
    "HIRAGANA": "Japanese",
    "KATAKANA": "Japanese",
    "HANGUL": "Korean",
    "CJK": "Chinese or Japanese",
}
"""The first word of a letter's name in Unicode, and what is written with it."""

_SMALL_WORDS = {
    "German":
        "der den dem das des ein eine einen einem einer eines und ist sind mit auf im zum zur von "
        "vom vor für über unter nach aus bei beim ohne mein meine meinem meiner sich nicht wird "
        "zwei drei auch oder einige viele neben zwischen während hinter durch ihre ihr ihren "
        "seine seinen kein keine",
    "French":
        "le la les un une des du de et est sont avec dans sur sous pour sans mes mon ma ses son "
        "sa aux au en qui deux trois ou près devant derrière leur ce cette d' l' s' qu' par très",
    "Spanish":
        "el la los las un una unos unas de del y es son con en por para sin mi mis su sus al que "
        "dos tres sobre muy está están hay desde entre junto hacia",
    "Italian":
        "il lo la gli le un uno una di del della dello dei degli delle e è con nel nella sul "
        "sulla per senza mio mia miei mie al alla che due tre sono si da dal dalla tra dell' un' "
        "nell'",
    "Portuguese":
        "o os as um uma uns umas de do da dos das e é com em na nos nas por para sem meu minha "
        "meus minhas ao à que dois duas três está são",
    "Dutch":
        "de het een en van met op zijn naar voor door onder uit bij zonder mijn niet er wordt "
        "twee drie aan tegen te dat deze naast achter",
    "Polish":
        "w na z ze jest są się przez pod nad do od dla bez przy mój moja moje dwa dwie dwóch trzy "
        "po za który która jego jej obok",
    "Czech":
        "na v ve s se je jsou z ze po pod nad do od pro bez při můj moje dva dvě tři který která "
        "jeho její u k ke před za přes vedle",
    "Swedish":
        "en ett och är på med som av till från för utan min mitt mina den det två tre vid sig "
        "inte framför bakom",
    "Danish or Norwegian":
        "en et og er på med som af av til fra uden uten min mit mitt mine den det tre ved sig seg "
        "ikke foran bag bak",
    "Turkish":
        "bir ve ile için bu üzerinde altında iki üç olan olmayan çok benim içinde",
}  # fmt: skip
_LETTERS = {
    "German": "ßäöü", "Dutch": "ëïéè", "French": "çèêëàâùûîïôœé", "Spanish": "ñáéíóú¿¡",
    "Italian": "òàèìù",
    "Portuguese": "ãõçáéíóúâê", "Polish": "łąężźśćńó", "Czech": "ěřůčšžýáíéňťďú", "Swedish": "åäö",
    "Danish or Norwegian": "øæå", "Turkish": "ğşıçöü",
}  # fmt: skip
_ENGLISH = frozenset(
    "the of with is are and his her its their it by from for at on this that which who while "
    "two three some several many all one my without near through over under behind between into "
    "out up down not no an be been has have wearing standing sitting looking playing man woman "
    "boy girl people dog dogs in to or photo photos picture pictures street old new red blue "
    "white black".split()
)
_OURS = frozenset(
    "die am an in was war so man do to on no me he as or at i a be we had under over min sin "
    "mine for my den par pro mit per bag van al pod nos com se door con".split()
)
"""Small words of other languages that are English words, or usual in English texts, too."""
_IN_NAMES = frozenset(
    "la le les el los las lo il de del della des du di da do dos d' l' san são".split()
)
"""Those that begin or join names, such as Los Angeles and Rio de Janeiro."""
_WORD = re.compile(r"[^\W\d_]+['’]?")


@cache
def _languages() -> dict[str, tuple[str, ...]]:
    """Small word -> the languages that it belongs to."""
    languages: dict[str, tuple[str, ...]] = {}
    for language, words in _SMALL_WORDS.items():
        for word in words.split():
            languages[word] = (*languages.get(word, ()), language)
    return languages


def foreign(text: str) -> str:
    """The language that a text seems to be written in, in English; empty if that may be English.

    A single noun tells nothing: "Strand" is a beach in German and a street in London.
    """
    letters = Counter(
        unicodedata.name(char, "").split(" ")[0].split("-")[0] for char in text if char.isalpha()
    )
    script, count = letters.most_common(1)[0] if letters else ("", 0)
    for one in ("HIRAGANA", "KATAKANA"):  # they are mixed with Chinese characters
        if letters[one]:
            script, count = one, letters[one] + letters["CJK"]
    if script in _SCRIPTS and 2 * count > sum(letters.values()):
        return _SCRIPTS[script]
    words = [word.replace("’", "'") for word in _WORD.findall(text.lower())]
    if len(words) < 2:
        return ""
    small = set(words) - _OURS
    if not (small - _IN_NAMES) & _languages().keys():
        return ""
    votes: Counter[str] = Counter()
    for word in small:
        for language in _languages().get(word, ()):
            votes[language] += 1 if word in _IN_NAMES else 2
    accented = {char for char in text.lower() if char.isalpha() and not char.isascii()}
    for language in votes:
        known = accented & set(_LETTERS.get(language, ""))
        votes[language] += len(known) - 2 * len(accented - known)
    most = max(votes.values())
    enough = 2 if len(words) <= 3 else 3
    if most < enough or most <= 2 * sum(word in _ENGLISH for word in words):
        return ""
    best = [language for language, count in votes.items() if count == most]
    return best[0] if len(best) == 1 else UNSURE
