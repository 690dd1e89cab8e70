"""Which command a person meant by a word that is none."""

from __future__ import annotations

from collections.abc import Iterable

_ALIKE = 0.7
"""How alike two words are, in [0, 1], for one to be a typing error of the other."""

_OTHER_WORDS = {
    "query": ("search", "find", "ask", "look", "show"),
    "index": ("add", "scan", "import", "update", "sync", "build", "rebuild", "watch"),
    "serve": ("gallery", "web", "server", "browse", "start", "ui", "gui"),
    "forget": ("remove", "delete", "drop", "rm"),
    "duplicates": ("dupes", "dedupe", "dedup", "copies"),
    "info": ("status", "stats", "list", "ls", "about"),
    "verify": ("check", "repair", "doctor", "fsck"),
    "evaluate": ("eval", "measure", "benchmark"),
    "train": ("learn", "fit", "finetune"),
    "models": ("model", "profile", "profiles", "teach"),
    "score": ("rate", "relevance"),
    "policy": ("stopwords", "stop-words"),
}
"""What other programs call the commands."""


def meant(word: str, commands: Iterable[str]) -> str | None:
    """The command that a word means most likely: another name of it, or a typing error.

    Args:
        word: What was typed.
        commands: The commands that there are.
    """
    import difflib  # only for those who mistype

    names = {name: name for name in commands}
    for command, others in _OTHER_WORDS.items():
        if command in names:
            names.update((other, command) for other in others if other not in names)
    close = difflib.get_close_matches(word.lower().lstrip("-"), names, n=1, cutoff=_ALIKE)
    return names[close[0]] if close else None
