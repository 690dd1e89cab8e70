"""Profiles: the named sets of models that a library is made with."""

import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from pixquery.db.errors import ProfileDamaged, ProfileNotFound, ProfileUntrained
from pixquery.engine.alignment import Alignment
from pixquery.engine.relevance import Logistic, Relevance, Similarity

if TYPE_CHECKING:  # their runtime is loaded with the first model: many commands need none
    from pixquery.engine.encoders import ImageEncoder, TextEncoder

DEFAULT = "lite2-minilm"
MANIFEST = "manifest.json"
SHIPPED = Path(__file__).parent / "profiles"


@dataclass(frozen=True)
class Profile:
    """A folder with a manifest and the files it names; each model is loaded when first used.

    The manifest's schema is told in ``docs/profiles.md``.
    """

    folder: Path
    manifest: Mapping[str, Any]
    _loading: RLock = field(default_factory=RLock, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What a user calls it."""
        return str(self.manifest["name"])

    @property
    def reference(self) -> str:
        """How a library remembers it: by its name where names are looked up, else by its folder."""
        known = (SHIPPED.resolve(), profiles_folder().resolve())
        return self.folder.name if self.folder.parent in known else str(self.folder)

    @property
    def encoder(self) -> str:
        """Digest of the image encoder: raw vectors of one encoder mean nothing to another."""
        return str(self.manifest["image"]["source_sha256"])[:16]

    @property
    def dimension(self) -> int:
        """Length of a raw image vector."""
        return int(self.manifest["image"]["dimension"])

    @property
    def size(self) -> int:
        """Side of the square that photos are squashed to, in pixels."""
        return int(self.manifest["image"]["size"])

    @property
    def interpolation(self) -> str:
        """How photos are made that small: Pillow's name in lower case."""
        return str(self.manifest["image"].get("interpolation", "bicubic"))

    @cached_property
    def images(self) -> "ImageEncoder":
        """The image encoder, at the precision this processor runs fastest."""
        from pixquery.engine.encoders import has_bfloat16

        models = self.manifest["image"]["models"]
        return self._image_encoder("float" if "int8" not in models or has_bfloat16() else "int8")

    def images_on(self, device: str) -> "ImageEncoder":
        """The image encoder on a device; see :mod:`engine.devices`.

        Raises:
            DeviceUnusable: It is not there, or cannot be relied on.
        """
        from pixquery.engine.devices import image_encoder_on

        model = self._file(self.manifest["image"]["models"]["float"])
        found = image_encoder_on(device, model, size=self.size, dimension=self.dimension)
        return self.images if found is None else found

    def image_encoders(self) -> "list[ImageEncoder]":
        """The image encoder at every precision it comes in, for training on all of them."""
        return [self._image_encoder(precision) for precision in self.manifest["image"]["models"]]

    def _image_encoder(self, precision: str) -> "ImageEncoder":
        from pixquery.engine.encoders import OpenVinoImageEncoder

        model = self._file(self.manifest["image"]["models"][precision])
        return OpenVinoImageEncoder(model, size=self.size, dimension=self.dimension)

    @property
    def texts(self) -> "TextEncoder":
        """The text encoder."""
        with self._loading:  # it may be on its way already, see `warm`
            return self._texts

    @cached_property
    def _texts(self) -> "TextEncoder":
        from pixquery.engine.encoders import OpenVinoTextEncoder

        text = self.manifest["text"]
        return OpenVinoTextEncoder(
            self._file(text["model"]),
            self._file(text["tokenizer"], exact=True),  # its reader fails without a word
            dimension=int(text["dimension"]),
            max_tokens=int(text["max_tokens"]),
        )

    def refuse_untrained(self) -> None:
        """Tells that texts and photos cannot be compared yet, where that is so.

        Raises:
            ProfileUntrained: The profile has encoders alone.
        """
        if "alignment" not in self.manifest:
            raise ProfileUntrained(
                f"the profile {self.reference} has encoders and no alignment, so that texts and "
                "photos cannot be compared: learn one with "
                f"`pixquery train DATA --profile {self.reference} --out DIR`"
            )

    @cached_property
    def alignment(self) -> Alignment:
        """The maps into the shared space."""
        self.refuse_untrained()
        return Alignment(self._file(self.manifest["alignment"]))

    @cached_property
    def relevance(self) -> Relevance:
        """The trained regressor; similarity alone where the profile has none."""
        file = self.manifest.get("relevance")
        return Similarity() if file is None else Logistic.load(self._file(file))

    def warm(self) -> None:
        """Begins to load in another thread what the first query needs.

        Compiled code does most of it, so that it costs no time while this thread imports. What
        fails there fails again, and is told, when it is used.
        """
        # Imported here: two threads that import take turns, and the models would wait longer.
        import pixquery.engine.encoders  # noqa: F401

        def load() -> None:
            with suppress(ProfileDamaged):
                self.texts.encode(["a photo"])

        Thread(target=load, name="warm").start()

    def check(self) -> None:
        """Compares every file with the manifest.

        Raises:
            ProfileDamaged: The first that is missing or differs.
        """
        for name in self.manifest["files"]:
            self._file(name, exact=True)

    def _file(self, name: str, *, exact: bool = False) -> Path:
        """A file of the profile that looks whole: by its size, ``exact`` by its checksum too."""
        file = self.folder / name
        wanted = self.manifest["files"].get(name, {})
        size = file.stat().st_size if file.is_file() else None
        whole = size is not None and size == wanted.get("bytes", size)
        if whole and exact and "sha256" in wanted:
            whole = hashlib.sha256(file.read_bytes()).hexdigest() == wanted["sha256"]
        if not whole:
            state = "is missing" if size is None else "is not the one the profile was made with"
            raise ProfileDamaged(
                f"the file {file} of the profile {self.name} {state}: install the profile again"
            )
        return file


def profiles_folder() -> Path:
    """Where added profiles lie: ``$PIXQUERY_PROFILES``, else beside the user's data."""
    chosen = os.environ.get("PIXQUERY_PROFILES")
    if chosen:
        return Path(chosen).expanduser().absolute()
    return user_data_path("pixquery-profiles", appauthor=False)


def load_profile(name: str = DEFAULT) -> Profile:
    """Finds a profile by its name among the shipped and the added ones, or by its folder.

    The same folder gives the same object, whose models are loaded once.

    Raises:
        ProfileNotFound: No such name and no such folder.
        ProfileDamaged: The manifest cannot be read.
    """
    places = [Path(name).expanduser()]
    if os.sep not in name:
        places = [SHIPPED / name, profiles_folder() / name, *places]
    folder = next((place for place in places if (place / MANIFEST).is_file()), None)
    if folder is None:
        known = ", ".join(names())
        raise ProfileNotFound(
            f"there is no profile {name!r}: choose one of {known}, or a folder that holds "
            f"a {MANIFEST}, or make one with `pixquery models add`; `pixquery models list` tells "
            "more"
        )
    file = folder / MANIFEST
    try:
        return _profile(folder.resolve(), file.read_text("utf-8"))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProfileDamaged(
            f"the manifest {file} cannot be read or lacks an entry "
            f"({type(error).__name__}: {error}): install the profile again"
        ) from error


@cache
def _profile(folder: Path, manifest: str) -> Profile:
    profile = Profile(folder, json.loads(manifest))
    for entry in ("description", "licence"):
        profile.manifest[entry]
    for entry in ("model", "tokenizer", "dimension", "max_tokens"):
        profile.manifest["text"][entry]
    if not profile.manifest["image"]["models"]["float"] or not profile.manifest["files"].keys():
        raise KeyError("files")
    _ = profile.name, profile.encoder, profile.dimension, profile.size
    return profile


def names() -> list[str]:
    """The profiles that can be called by name: those that come with pixquery, then added ones."""
    found = [
        sorted(file.parent.name for file in place.glob(f"*/{MANIFEST}"))
        for place in (SHIPPED, profiles_folder())
    ]
    return list(dict.fromkeys(name for some in found for name in some))
