"""Profiles: named sets of models that a library is made with."""

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any

from platformdirs import user_data_path

from pixquery.db.errors import (
    ProfileDamaged,
    ProfileError,
    ProfileNotFound,
    ProfileUntrained,
)
from pixquery.engine.alignment import Alignment
from pixquery.engine.home import chosen_folder, expanded, user_folder
from pixquery.engine.manifest import MANIFEST as MANIFEST
from pixquery.engine.manifest import SQUASH, parsed, read_text
from pixquery.engine.profile_files import SHIPPED as SHIPPED
from pixquery.engine.profile_files import ProfileFiles, is_shipped
from pixquery.engine.relevance import Relevance
from pixquery.engine.taste import load_relevance

if TYPE_CHECKING:  # their runtime is loaded with the first model; many commands need none
    from pixquery.engine.encoders import ImageEncoder, PhotoEncoder, TextEncoder

DEFAULT = "lite2-minilm"
NORMAL, HIGH = "normal", "high"
QUALITIES = (NORMAL, HIGH)
"""How photos are encoded: at one size, or slower and better, at several."""
_MINILM = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""The shipped text encoder, from before manifests listed the languages."""


@dataclass(frozen=True)
class Profile:
    """A folder with a manifest and the files it names; each model is loaded when it is first used.

    ``docs/profiles.md`` describes the manifest.
    """

    folder: Path
    manifest: Mapping[str, Any]
    quality: str = NORMAL
    """One of :data:`QUALITIES`."""
    _normal: "Profile | None" = field(default=None, repr=False, compare=False)
    """The same profile at normal quality, whose text encoder this one uses."""
    _loading: RLock = field(default_factory=RLock, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The name that users know it by."""
        return str(self.manifest["name"])

    @property
    def reference(self) -> str:
        """What a library notes: its name if it can be looked up by that, else its folder."""
        known = (SHIPPED.resolve(), profiles_folder().resolve())
        return self.folder.name if self.folder.parent in known else str(self.folder)

    @property
    def source(self) -> str:
        """Digest of the image encoder."""
        return str(self.manifest["image"]["source_sha256"])[:16]

    @property
    def text_encoder(self) -> str:
        """Digest of the text encoder; raw vectors of different encoders cannot be compared."""
        model = str(self.manifest["text"]["model"])
        return str(self.manifest["files"].get(model, {}).get("sha256", model))[:16]

    @property
    def encoder(self) -> str:
        """Digest of the image encoder, and its quality; names what a raw vector was made with."""
        return _encoder(self.source, self.quality)

    @cached_property
    def readable(self) -> dict[str, int]:
        """The encoders whose raw vectors the alignment maps into its space, and their lengths.

        The profile's own comes first, then its other qualities, then earlier image encoders.
        """
        sources = {self.source: self.dimension, **self.manifest["image"].get("earlier", {})}
        lengths = {
            _encoder(source[:16], quality): int(length)
            for source, length in sources.items()
            for quality in QUALITIES
        }
        return {self.encoder: self.dimension, **lengths}

    @property
    def qualities(self) -> tuple[str, ...]:
        """The qualities that photos can be encoded at."""
        return tuple(each for each in QUALITIES if each == NORMAL or each in self._further_sizes)

    @property
    def dimension(self) -> int:
        """Length of a raw image vector."""
        return int(self.manifest["image"]["dimension"])

    @property
    def size(self) -> int:
        """Side of the square that photos are squashed to at normal quality, in pixels."""
        return int(self.manifest["image"]["size"])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Sides of the squares that photos are squashed to, in pixels, at this quality."""
        return tuple(map(int, self._further_sizes.get(self.quality, (self.size,))))

    @property
    def _further_sizes(self) -> Mapping[str, list[int]]:
        sizes: Mapping[str, list[int]] = self.manifest["image"].get("sizes", {})
        return sizes

    @property
    def interpolation(self) -> str:
        """How photos are resized: Pillow's name in lower case."""
        return str(self.manifest["image"].get("interpolation", "bicubic"))

    @property
    def fit(self) -> str:
        """How a photo becomes a square: ``squash`` or ``crop``."""
        return str(self.manifest["image"].get("fit", SQUASH))

    @cached_property
    def images(self) -> "ImageEncoder":
        """The image encoder at one size, at the precision that is fastest on this processor."""
        return self.image_encoder(self._fastest)

    @cached_property
    def photos(self) -> "PhotoEncoder":
        """The image encoder at this quality, at the precision that is fastest on this processor."""
        from pixquery.engine.encoders import PhotoEncoder

        return PhotoEncoder([self._at(size) for size in self.sizes])

    def photos_on(self, device: str) -> "PhotoEncoder":
        """The same on a device; see :func:`pixquery.engine.devices.image_encoder_on`.

        Raises:
            DeviceUnusable: The device is missing, or computes wrong results.
        """
        from pixquery.engine.devices import image_encoder_on
        from pixquery.engine.encoders import PhotoEncoder

        name = self.manifest["image"]["models"]["float"]
        model, sha256 = self._files.model(name), self._files.sha256(name)
        encoders = [
            image_encoder_on(device, model, size=size, dimension=self.dimension, sha256=sha256)
            for size in self.sizes
        ]
        if None in encoders:
            return self.photos
        return PhotoEncoder([encoder for encoder in encoders if encoder is not None], device)

    def image_encoder(self, precision: str, size: int | None = None) -> "ImageEncoder":
        """The image encoder at a precision that the manifest names.

        Args:
            precision: ``float`` or ``int8``.
            size: Side of the square that photos are squashed to, in pixels; None: the profile's.
        """
        return self._image_encoder(precision, size or self.size)

    def photos_anew(self, precision: str | None = None, *, exact: bool = False) -> "PhotoEncoder":
        """The image encoder at this quality, compiled from its file whatever the cache holds.

        Args:
            precision: ``float`` or ``int8``; by default what is fastest on this processor.
            exact: Compute in float32 even if the processor is faster with less precision.
        """
        from pixquery.engine.encoders import PhotoEncoder

        return PhotoEncoder(
            [
                self._image_encoder(precision or self._fastest, size, exact=exact, cached=False)
                for size in self.sizes
            ]
        )

    def _image_encoder(
        self, precision: str, size: int, *, exact: bool = False, cached: bool = True
    ) -> "ImageEncoder":
        from pixquery.engine.encoders import OpenVinoImageEncoder

        name = self.manifest["image"]["models"][precision]
        return OpenVinoImageEncoder(
            self._files.model(name),
            size=size,
            dimension=self.dimension,
            exact=exact,
            sha256=self._files.sha256(name),
            cached=cached,
        )

    def _at(self, size: int) -> "ImageEncoder":
        return self.images if size == self.size else self.image_encoder(self._fastest, size)

    @cached_property
    def _fastest(self) -> str:
        from pixquery.engine.encoders import has_bfloat16

        models = self.manifest["image"]["models"]
        return "float" if "int8" not in models or has_bfloat16() else "int8"

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that the text encoder understands, as ISO 639-1 codes; empty if unknown."""
        text = self.manifest["text"]
        shipped = text.get("source_sha256") == _MINILM
        return tuple(text.get("languages", ("en",) if shipped else ()))

    @property
    def reads_captions(self) -> bool:
        """Whether a bare name should also be put as a caption of a photo.

        Encoders that were trained together have read captions alone, and find more by "a photo of
        a dog" than by "dog" (Radford et al. 2021, arXiv:2103.00020, section 3.1.4). Of those that
        read several languages, it is not known.
        """
        return "joint" in self.manifest and self.languages == ("en",)

    @property
    def texts(self) -> "TextEncoder":
        """The text encoder."""
        if self._normal is not None:
            return self._normal.texts
        with self._loading:  # another thread may be loading it: see `warm`
            return self._texts

    @cached_property
    def _texts(self) -> "TextEncoder":
        from pixquery.engine.encoders import OpenVinoTextEncoder
        from pixquery.engine.tokenizer import Reading

        text = self.manifest["text"]
        return OpenVinoTextEncoder(
            self._files.model(text["model"]),
            self._files.path(text["tokenizer"]),
            reading=Reading.of(text),
            dimension=int(text["dimension"]),
            vocabulary=self._files.path(text["pieces"]) if "pieces" in text else None,
            sha256=self._files.sha256(text["model"]),
        )

    def refuse_untrained(self) -> None:
        """Raises if the profile has no alignment yet.

        Raises:
            ProfileUntrained: The profile has encoders only.
        """
        if "alignment" not in self.manifest:
            raise ProfileUntrained(
                f"the profile {self.reference} has encoders but no alignment, so that texts and "
                "photos cannot be compared: train one with "
                f"`pixquery train DATA --profile {self.reference} --out DIR`"
            )

    @cached_property
    def alignment(self) -> Alignment:
        """The maps into the shared space.

        Raises:
            ProfileDamaged: The file is missing or altered, or is for vectors of other lengths.
        """
        self.refuse_untrained()
        name = self.manifest["alignment"]
        alignment = Alignment(self._files.path(name, read=True), sha256=self._files.sha256(name))
        wanted = self.dimension, int(self.manifest["text"]["dimension"])
        if alignment.lengths != wanted:
            raise ProfileDamaged(
                f"the alignment {self.folder / name} maps vectors of {alignment.lengths} numbers, "
                f"and the profile's encoders give {wanted}: install the profile again"
            )
        return alignment

    @property
    def predicts_relevance(self) -> bool:
        """Whether it has a trained regressor."""
        return self.manifest.get("relevance") is not None

    @cached_property
    def relevance(self) -> Relevance | None:
        """The trained regressor; None if it has none, so that hits are ordered by similarity.

        Raises:
            ProfileDamaged: The file is missing or altered, or is for another alignment, or for
                other encoders.
            ProfileError: It needs a package that is not installed.
        """
        if not self.predicts_relevance:
            return None
        return load_relevance(self.manifest, self._files, self.alignment)

    def warm(self) -> None:
        """Starts to load what the first query needs, in another thread.

        Most of the work is compiled code, so this thread can import meanwhile. If something fails,
        it fails again, and is reported, when it is used.
        """
        # Imported in this thread: two threads that import take turns, and loading would wait.
        import pixquery.engine.encoders  # noqa: F401
        from pixquery.engine.runtime import openvino

        openvino()

        def load() -> None:
            with suppress(ProfileDamaged):
                self.texts.encode(["a photo"])

        Thread(target=load, name="warm").start()

    def check(self) -> None:
        """Compares every file with the manifest, reading all of it.

        Raises:
            ProfileDamaged: A file is missing or differs; the message names the first.
        """
        self._files.check()

    @cached_property
    def _files(self) -> ProfileFiles:
        return ProfileFiles(self.folder, self.manifest)


def profiles_folder() -> Path:
    """The folder of added profiles: ``$PIXQUERY_PROFILES``, else one beside the user's data."""
    chosen = os.environ.get("PIXQUERY_PROFILES")
    if chosen:
        return chosen_folder(chosen)
    return user_folder(user_data_path, "pixquery-profiles")


def load_profile(name: str = DEFAULT, quality: str = NORMAL) -> Profile:
    """Finds a profile by its name among the shipped and the added ones, or by its folder.

    The same folder and quality give the same object, so that its models are loaded once.

    Args:
        name: Its name or its folder.
        quality: One of :data:`QUALITIES`.

    Raises:
        ProfileNotFound: There is no such name or folder.
        ProfileDamaged: The manifest cannot be read.
        ProfileError: It encodes no photos at this quality.
    """
    folders = [expanded(name)]
    if os.sep not in name:
        folders = [SHIPPED / name, profiles_folder() / name, *folders]
    folder = next((folder for folder in folders if (folder / MANIFEST).is_file()), None)
    if folder is None:
        known = ", ".join(names())
        raise ProfileNotFound(
            f"there is no profile {name!r}: choose one of {known}, or a folder that holds "
            f"a {MANIFEST}, or add one with `pixquery models add`; `pixquery models list` "
            "describes them"
        )
    file = folder / MANIFEST
    try:
        profile = _profile(folder.resolve(), read_text(file), quality)
    except (OSError, ValueError) as error:
        cause = getattr(error, "strerror", None) or error
        raise ProfileDamaged(
            f"the manifest {file} cannot be used ({cause}): install the profile again"
        ) from error
    if quality not in profile.qualities:
        raise ProfileError(
            f"the profile {profile.reference} encodes photos at the quality "
            f"{' or '.join(profile.qualities)}, not at {quality}: use --quality normal, or another "
            "profile"
        )
    return profile


@cache
def _profile(folder: Path, manifest: str, quality: str) -> Profile:
    normal = None if quality == NORMAL else _profile(folder, manifest, NORMAL)
    return Profile(folder, parsed(manifest, vouched=is_shipped(folder)), quality, normal)


def _encoder(source: str, quality: str) -> str:
    return source if quality == NORMAL else f"{source}-{quality}"


def names() -> list[str]:
    """The names of all profiles: those that come with pixquery, then added ones."""
    by_folder = [
        sorted(file.parent.name for file in folder.glob(f"*/{MANIFEST}"))
        for folder in (SHIPPED, profiles_folder())
    ]
    return list(dict.fromkeys(name for names_there in by_folder for name in names_there))
