"""What an answer says about the query: what was searched, typing errors, other languages."""

from dataclasses import replace

from pixquery.engine.answers import Answer
from pixquery.engine.languages import foreign
from pixquery.engine.phrasing import Phrase, phrase
from pixquery.engine.profile import Profile
from pixquery.engine.query import Query
from pixquery.engine.spelling import Spelling


def advised(answer: Answer, typed: Query, profile: Profile) -> Answer:
    """An answer that names the query as it was typed, and says how it was understood.

    Args:
        answer: To the phrased query.
        typed: The query before it was phrased.
        profile: The one that answered.
    """
    text = " ".join(typed.text.split())
    if not text:
        return answer
    searched = None if typed.exact else typed.phrase
    if searched is not None and searched == Phrase(text):
        searched = None
    english = profile.languages == ("en",)
    language = foreign(text) if english else ""
    corrected = Spelling(profile.texts.rank).corrected(text) if english and not language else ""
    hints = []
    if searched is not None and searched.minus:
        if profile.predicts_relevance:
            hints.append(
                "ordered by likeness, as relevance is only predicted for a single description"
            )
    elif not typed.exact and phrase(text).minus:
        hints.append(
            "what should be missing was searched like the rest, as the least relevance needs a "
            "single description"
        )
    if language:
        hints.append(
            f"the profile {profile.name} understands English, and this looks like {language}: "
            "`pixquery models list` shows profiles for other languages"
        )
    return replace(
        answer,
        query=str(typed),
        searched=searched,
        suggestions=(corrected,) if corrected else (),
        hints=tuple(hints),
    )
