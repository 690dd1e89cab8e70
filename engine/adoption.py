"""Has a library answer with another profile that differs in its relevance alone."""

from pixquery.db.errors import ProfileMismatch
from pixquery.db.quoting import quoted
from pixquery.engine.library import Library
from pixquery.engine.profile import DEFAULT, Profile, load_profile


def use(library: Library, name: str) -> str:
    """Has a library answer with the relevance of another profile; no photo is encoded or read.

    Args:
        library: Open with its own profile. Open it again to search with the new one.
        name: Name or folder of a profile with the same encoders and alignment.

    Returns:
        The profile that the library had, as :func:`use` takes it.

    Raises:
        ProfileMismatch: The profile differs in more than its relevance, or the library is being
            switched to another one; the message names the way.
        ProfileError: The profile cannot be loaded or used.
        LibraryLocked: Another process writes.
        StorageFailed: The catalogue cannot be written.
    """
    own = library.catalog.setting("profile", DEFAULT)
    models = load_profile(name, library.profile.quality)
    models.refuse_untrained()
    current = load_profile(own, library.profile.quality)
    if not same_vectors(models, current):
        raise ProfileMismatch(
            f"{models.name} and {current.name} differ in more than their relevance, so photos must "
            f"be encoded again: `pixquery index --rebuild --profile {quoted(name)} --library "
            f"{quoted(library.folder)}`"
        )
    with library.writing(brief=True):
        switching = library.catalog.setting("switching")
        if switching or library.catalog.setting("profile", DEFAULT) != own:
            raise ProfileMismatch(
                f"the library {library.folder} is being switched to the profile "
                f"{switching or library.catalog.setting('profile')}: finish that with `pixquery "
                f"index --rebuild --library {quoted(library.folder)}`"
            )
        _ = models.relevance  # what cannot be used is not adopted
        library.publish()
        published = library.catalog.generation()
        if published is not None:
            library.catalog.adopt(models.reference, models.quality, published)
    return own


def same_vectors(profile: Profile, other: Profile) -> bool:
    """Whether two profiles differ in their relevance at most."""
    return (
        profile.source == other.source
        and profile.text_encoder == other.text_encoder
        and profile.alignment.digest == other.alignment.digest
    )
