"""The singular of plurals that people search for: "red cars", "cherries".

A plural finds fewer photos of a thing than its name. The rules are those of English spelling; words
that they do not know stay as they are.
"""
# ruff: noqa: SIM905 - words that are easier to read as one text

import re

_IRREGULAR = {
    "children": "child", "men": "man", "women": "woman",
    "geese": "goose", "mice": "mouse", "teeth": "tooth", "feet": "foot",
    "wolves": "wolf", "knives": "knife", "leaves": "leaf", "loaves": "loaf", "calves": "calf",
    "shelves": "shelf", "scarves": "scarf", "halves": "half", "elves": "elf", "thieves": "thief",
    "movies": "movie", "cookies": "cookie", "ties": "tie", "pies": "pie", "zombies": "zombie",
    "selfies": "selfie", "hoodies": "hoodie", "brownies": "brownie", "smoothies": "smoothie",
    "oxen": "ox", "buses": "bus", "cacti": "cactus", "quizzes": "quiz", "shoes": "shoe",
    "canoes": "canoe", "toes": "toe", "axes": "axe", "caches": "cache", "headaches": "headache",
}  # fmt: skip
_ES = re.compile(r"(?:ss|x|zz|ch|sh|[^aeiou]o)es$")
_NO_SINGULAR = frozenset(
    "glasses eyeglasses sunglasses goggles binoculars scissors pliers tweezers pants trousers "
    "jeans shorts leggings tights pajamas pyjamas clothes headphones earphones stairs fireworks "
    "news series species tennis bus gas lens canvas christmas iris ibis atlas pancreas bias "
    "alias texas paris athens brussels naples cyprus wales alps andes himalayas netherlands "
    "philippines vegas angeles niagara dallas maldives bahamas bermudas mercedes swiss chess "
    "lotus octopus cactus walrus circus hippopotamus platypus venus campus virus minus plus yes "
    "this is was has does his hers its ours always towards besides perhaps across address "
    "business us gymnastics aerobics athletics physics mathematics electronics graphics "
    "ceramics acoustics statistics politics olympics swans-down graffiti spaghetti arms "
    "lots groceries fries oats thanks molasses barracks "
    "crossroads headquarters means gallows wetlands outdoors indoors overalls suspenders hans "
    "james chris thomas jones williams nicholas lucas marcus texans triceratops runs jumps "
    "plays swims walks stands sits rides climbs eats sleeps drinks smiles laughs looks holds "
    "dances sings flies surfs skis reads works cooks falls waits waves throws catches".split()
)
"""Words that end like a plural and are none, plurals that mean something else, and verbs."""
_SEVERAL = frozenset(
    "and or with in on at of by for from to over under near two three four five six seven "
    "eight nine ten many several few both lots group pair couple crowd dozen hundreds "
    "thousands & -".split()
)


def singular(text: str) -> str:
    """The singular of a name in the plural, such as "red cars"; nothing for others."""
    words = text.split()
    if _SEVERAL & {word.lower() for word in words}:
        return ""
    last = words[-1].lower()
    if any(char.isdigit() for char in text) or last in _NO_SINGULAR or len(last) < 4:
        return ""
    if words[1:] and words[-1][0].isupper():  # Los Angeles
        return ""
    one = _IRREGULAR.get(last) or regular(last)
    return " ".join([*words[:-1], one]) if one else ""


def regular(plural: str) -> str:
    """The singular of a regular plural in lower case; empty for words that do not end like one."""
    if plural.endswith(("ss", "us", "is")) or not plural.endswith("s"):
        return ""
    if plural.endswith("ies"):
        return plural[:-3] + "y"
    return plural[:-2] if _ES.search(plural) else plural[:-1]
