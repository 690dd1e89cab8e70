"""The words that dates are made of, folded: English, German, French, Spanish, Italian, others."""
# ruff: noqa: SIM905 - words that are easier to read as one text

from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias

MONTHS = Path(__file__).parent / "months.txt"
"""The names of the months in all languages, which Unicode's CLDR lists."""

Unit: TypeAlias = Literal["day", "week", "month", "year", "weekend"]


def _all(**words: str) -> dict[str, str]:
    return {word: meaning for meaning, some in words.items() for word in some.split()}


UNITS = _all(
    day="day days tag tage tagen jour jours dia dias giorno giorni",
    week="week weeks woche wochen semaine semaines semana semanas settimana settimane",
    month="month months monat monate monaten mois mes meses mese mesi",
    year="year years jahr jahre jahren an ans annee annees ano anos anni anno",
    weekend="weekend wochenende",
)
SEVERAL = frozenset("weeks months years".split())
"""The last weeks are no certain ones."""
SEASONS = {
    word: month
    for month, words in {
        3: "spring fruhling fruhjahr printemps primavera",
        6: "summer sommer ete verano estate verao zomer",
        9: "autumn fall herbst automne otono autunno outono herfst",
        12: "winter hiver invierno inverno",
    }.items()
    for word in words.split()
}
"""The month that each begins with, in the north."""
FEASTS = _all(
    christmas="christmas xmas weihnachten noel navidad natale natal kerstmis",
    easter="easter ostern paques pascua pasqua",
    eve="silvester sylvester nochevieja capodanno",
    halloween="halloween",
    thanksgiving="thanksgiving",
)
WEEKDAYS = {
    name: number
    for number, names in enumerate(
        ("monday montag lundi lunes lunedi", "tuesday dienstag mardi martes martedi",
         "wednesday mittwoch mercredi miercoles mercoledi",
         "thursday donnerstag jeudi jueves giovedi",
         "friday freitag vendredi viernes venerdi", "saturday samstag samedi sabado sabato",
         "sunday sonntag dimanche domingo domenica")
    )
    for name in names.split()
}  # fmt: skip
NUMBERS = {
    word: number
    for number, words in enumerate(
        ("one a an einem einer un une uno una", "two couple zwei deux dos due",
         "three drei trois tres tre",
         "four vier quatre cuatro quattro", "five funf cinq cinco cinque", "six sechs seis sei",
         "seven sieben sept siete sette", "eight acht huit ocho otto", "nine neun neuf nueve nove",
         "ten zehn dix diez dieci"), 1,
    )
    for word in words.split()
}  # fmt: skip
DECADES = {
    word: 10 * number
    for number, word in enumerate(
        "twenties thirties forties fifties sixties seventies eighties nineties".split(), 2
    )
}
DAYS_AGO = _all(
    **{"0": "today heute", "1": "yesterday gestern ayer ieri", "2": "vorgestern anteayer"}
)
_SHORT = "jan feb mar apr may jun jul aug sep oct nov dec".split()


@cache
def months() -> dict[str, int]:
    """The months' folded names in all languages, and the English abbreviations."""
    lines = [line for line in MONTHS.read_text("utf-8").splitlines() if not line.startswith("#")]
    named = {name: month for month, line in enumerate(lines, 1) for name in line.split("\t")}
    return {**named, **{name: month for month, name in enumerate(_SHORT, 1)}, "sept": 9}
