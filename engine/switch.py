"""Switching a library to another profile or quality, or encoding all its photos again.

The library answers as before until every photo is encoded. The new vectors are kept in a table of
their own, and replace the old ones in one transaction.
"""

from pathlib import Path

from pixquery.db.catalog import Catalog
from pixquery.db.errors import ProfileMismatch
from pixquery.db.quoting import library_option, quoted
from pixquery.engine.profile import DEFAULT, NORMAL, Profile, load_profile


def chosen(
    library: Path, catalog: Catalog, profile: str | None, quality: str | None, *, switch: bool
) -> Profile:
    """The models to open a library with.

    Args:
        library: The library's folder, for messages.
        catalog: Its catalogue.
        profile: Name or folder of a profile; none means the library's own, or the one that an
            interrupted switch began with.
        quality: One of :data:`pixquery.engine.profile.QUALITIES`; none likewise.
        switch: Whether they may differ from the library's own.

    Raises:
        ProfileMismatch: They differ from the library's own.
        ProfileError: The profile cannot be loaded or used, or encodes no photos at this quality.
    """
    own = catalog.setting("profile")
    interrupted = catalog.setting("switching") if switch else ""
    name = profile or interrupted or own or DEFAULT
    models = load_profile(name)
    models.refuse_untrained()
    if own and models.reference != own and not switch:
        raise ProfileMismatch(
            f"the library {library} was made with the profile {own}, not "
            f"{models.reference}: leave out --profile, or choose another library with "
            "--library DIR, or switch this one with `pixquery index --rebuild --profile "
            f"{quoted(str(profile))}{library_option(library)}`"
        )
    kept = catalog.setting("quality", NORMAL)
    if own and quality not in (None, kept) and not switch:
        raise ProfileMismatch(
            f"the photos of the library {library} are encoded at {kept} quality, not {quality}: "
            "leave out --quality, or encode them again with `pixquery index --rebuild --quality "
            f"{quality}{library_option(library)}`"
        )
    if quality is None:
        resumed = interrupted == models.reference
        quality = catalog.setting("switching_quality", NORMAL) if resumed else kept
        if quality not in models.qualities and own == models.reference:
            quality = NORMAL  # the profile's folder holds another one by now
    return load_profile(name, quality)


def begin(catalog: Catalog, profile: Profile) -> None:
    """Starts to encode photos again, or with another profile or quality; for the one writer.

    If the photos' raw vectors serve the new profile too, nothing needs encoding. If only some of
    them were encoded by the same encoder at the same quality, the others are encoded; otherwise all
    are. An interrupted run resumes where it stopped.
    """
    own = catalog.setting("profile", profile.reference) == profile.reference
    others = catalog.encoders().keys() - {profile.encoder}
    if len(catalog) and (own or others):
        catalog.fill_coming(profile.encoder)
        if others:
            catalog.carry_over(profile.encoder)
    catalog.note_switch(profile.reference, profile.quality)


def earlier(catalog: Catalog, profile: Profile) -> int:
    """How many photos are searched by vectors of an earlier encoder, or of another quality."""
    return sum(
        count
        for encoder, count in catalog.encoders().items()
        if encoder in profile.readable and encoder != profile.encoder
    )
