"""A library whose users may have agreed on words that are not searched for."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pixquery.engine.teaching import Teachable

if TYPE_CHECKING:  # most queries are not policed
    from pixquery.engine.policy import Policy


class Policed(Teachable):
    """A library with a stop-word policy, which is off unless somebody switches it on."""

    @property
    def policed(self) -> bool:
        """Whether queries that contain a stop word are refused; any process may change it."""
        return self.catalog.setting("policy", "off") == "on"

    @property
    def stop_words(self) -> Path:
        """The list of stop words: the library's own, or the shipped one if it has none."""
        from pixquery.engine.policy import SHIPPED, STOP_WORDS

        own = self.folder / STOP_WORDS
        return own if self.policed or own.exists() else SHIPPED

    def policy(self) -> "Policy":
        """The words of :attr:`stop_words`, read from the file each time.

        Raises:
            BadData: The list cannot be used; the message names the file, the line and a remedy.
        """
        from pixquery.engine.policy import policy_of

        return policy_of(self.folder, self.stop_words)

    def switch_policy(self, *, on: bool) -> None:
        """Switches the stop-word policy on or off; a new library has it off.

        A library without a list of its own gets a copy of the shipped one, for its user to edit.
        An existing list is never changed, nor removed when the policy is switched off.

        Raises:
            BadData: The library's list cannot be used; the policy stays as it was.
            LibraryLocked: Another process writes.
            StorageFailed: The list or the setting cannot be written.
        """
        from pixquery.engine.policy import add_list

        with self.writing(brief=True):
            if on:
                add_list(self.folder)
                self.policy()
            self.catalog.keep("policy", "on" if on else "off")

    def _refuse_stop_words(self, texts: Iterable[str]) -> None:
        if self.policed:
            from pixquery.engine.policy import refuse  # most queries are not policed

            refuse(texts, self.policy(), self.folder)
