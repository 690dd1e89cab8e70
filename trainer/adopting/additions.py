"""Makes a profile from other people's encoders, and checks it before it is used.

Both encoders are written in the runtime's format. They and the originals then encode the same
photos and texts; if their vectors differ, the profile is refused. Encoders that were trained
together can be used at once. For all others, an alignment has to be trained.
"""

import json
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pixquery.db.errors import BadData, StorageFailed
from pixquery.db.records import Floats, Pixels
from pixquery.engine.profile import MANIFEST, SHIPPED
from pixquery.trainer.adopting.comparison import some_of
from pixquery.trainer.adopting.examples import Example, found_among
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.fingerprints import compared, reference_of
from pixquery.trainer.adopting.joint_space import joint_part
from pixquery.trainer.adopting.known import KNOWN, Known
from pixquery.trainer.adopting.layouts import networks_in, pair_of
from pixquery.trainer.adopting.manifest import about, report
from pixquery.trainer.adopting.pins import refuse_foreign
from pixquery.trainer.adopting.ready import Encoders, encoders_of
from pixquery.trainer.adopting.sources import Agree, Photos, Source, Wish
from pixquery.trainer.packages import made_with
from pixquery.trainer.profile_folder import moved_when_done, write_manifest

Progress = Callable[[str, int, int], object]
"""Called with the step, steps done and steps in all; or a download's file and its bytes."""
_STEPS = 6
_AT_ONCE = 32
"""Photos that are encoded between two calls of progress."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sources of the encoders: one for each side, or one for both."""

    image: str = ""
    text: str = ""
    joint: str = ""
    revision: str = ""
    """Of the source for both, at the hub; its main branch if it is empty."""


NAMED = {
    "resnet18-distilbert": Wanted("microsoft/resnet-18", "distilbert/distilbert-base-uncased"),
    **{name: Wanted(joint=known.repo, revision=known.revision) for name, known in KNOWN.items()},
}
"""Profiles that need only a name."""


@dataclass(frozen=True, slots=True)
class Material:
    """Photos that a new profile is checked with."""

    photos: Photos
    """Loads real photos, a few hundred if possible: the means of a space are learned from them."""
    examples: tuple[Example, ...] = ()
    """Photos with descriptions, to search among."""
    force: bool = False
    """Keep a profile that does not find the examples."""


def add(
    name: str,
    out: Path,
    wanted: Wanted,
    material: Material,
    progress: Progress = lambda what, done, total: None,
    agree: Agree = lambda named, licence, size: None,
) -> dict[str, Any]:
    """Makes a profile; leaves nothing behind unless it is complete and its vectors are right.

    Args:
        name: The profile's name.
        out: Its folder; an earlier profile of the same name is replaced.
        wanted: The sources; if empty, those that `NAMED` has for the name.
        material: Photos for the check and the calibration.
        progress: Called before each step and during downloads.
        agree: Called before each download; raises to prevent it.

    Returns:
        ``profile``, ``folder``, ``image`` and ``text`` (source, dimension and more), the lowest and
        mean cosines to the original in ``agreement`` or ``checked``, ``aligned`` (whether it can be
        used for searches), ``relevance`` (whether it predicts any), ``left_out`` (why it does not),
        ``bytes``, ``licence``.

    Raises:
        BadData: The name or the folder cannot be used, or the sources are not given.
        SourceUnusable: A source is no model, or the encoder made from it computes something else.
        DownloadFailed: A source cannot be downloaded.
        ModuleNotFoundError: A source has weights for PyTorch, which is not installed.
    """
    wanted = _settled(name, out, wanted)
    course = _Course(progress)
    with moved_when_done(out) as folder:
        if wanted.joint:
            known = tuple(KNOWN[name].pins) if name in KNOWN else ()
            wish = Wish(joint=True, revision=wanted.revision, known=known)
            sources = [find(wanted.joint, wish, progress=progress, agree=agree)]
        else:
            named = (wanted.image, wanted.text)
            sources = [find(source, progress=progress, agree=agree) for source in named]
        networks = networks_in(sources[0].checksums) if wanted.joint else None
        if networks is not None:
            manifest = _of_pair(folder, name, sources[0], networks, material, course)
        else:
            from pixquery.trainer.adopting.pytorch import manifest_of  # PyTorch

            manifest = manifest_of(folder, name, sources, material.photos, course.step)
        write_manifest(folder, manifest)
        course.step("done")
    return report(out, manifest)


def _of_pair(
    folder: Path,
    name: str,
    source: Source,
    networks: tuple[str, str],
    material: Material,
    course: "_Course",
) -> dict[str, Any]:
    """Writes the encoders of a ready pair of networks; returns the manifest."""
    known = KNOWN.get(name)
    if known is not None:
        refuse_foreign(name, known, source)
    _refuse_without_room(folder, source, networks)
    course.step("reading the networks")
    pair = pair_of(source, networks)
    manner = pair.preparation.size, pair.preparation.interpolation, pair.fit
    pixels = material.photos(*manner)
    if not len(pixels):
        raise BadData("there is no photo to check the encoders with: name a folder of photos")
    made = encoders_of(folder, pair, source, some_of(pixels), course.step)
    entries = dict(made.entries)
    course.step("comparing photos with texts")
    reference = reference_of(name)
    checked = {
        "conversion": entries.pop("conversion"),
        "reference": reference and compared(reference, made, material.examples, manner, source),
    }
    aligned = joint_part(folder, _encoded(made, pixels, course), made.text)
    checked["examples"] = found_among(
        material.examples, made, folder / aligned["alignment"], manner, source,
        force=material.force,
    )  # fmt: skip
    entries["text"] |= {"languages": list(known.languages)} if known else {}
    return {
        **about(name, [source], [f"both encoders ({pair.what})"]),
        **_described(known),
        **entries,
        **aligned,
        "joint": {},
        "checked": checked,
        "made_with": made_with("openvino", "tokenizers"),
    }


def _encoded(made: Encoders, pixels: Pixels, course: "_Course") -> Floats:
    """The photos' vectors float32[n, d]; a large network takes a second for each."""
    parts = []
    for start in range(0, len(pixels), _AT_ONCE):
        course.progress("learning from photos what is usual", start, len(pixels))
        parts.append(made.image.encode(pixels[start : start + _AT_ONCE]))
    return np.concatenate(parts)


def _refuse_without_room(folder: Path, source: Source, networks: tuple[str, str]) -> None:
    """Raises unless the networks have room in half precision.

    Raises:
        StorageFailed: They do not.
    """
    needed = sum((source.folder / network).stat().st_size for network in networks) // 2
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageFailed(
            f"the profile needs about {needed / 1e6:,.0f} MB and {folder.parent.parent} has "
            f"{free / 1e6:,.0f} MB left: make room, or choose another folder with --out DIR"
        )


def _described(known: Known | None) -> dict[str, str]:
    return {} if known is None else {"description": known.what, "licence": known.licence}


@dataclass(slots=True)
class _Course:
    progress: Progress
    done: int = 0

    def step(self, what: str) -> None:
        self.progress(what, self.done if what != "done" else _STEPS, _STEPS)
        self.done += 1


def _settled(name: str, out: Path, wanted: Wanted) -> Wanted:
    """The sources to use; refuses what cannot be made before anything is downloaded."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise BadData(
            f"a profile's name consists of letters, digits, points and dashes, unlike {name!r}"
            ": choose another"
        )
    if (SHIPPED / name / MANIFEST).is_file():
        raise BadData(f"{name} comes with pixquery: choose another name")
    if (out / MANIFEST).is_file():
        try:
            present = json.loads((out / MANIFEST).read_text("utf-8")).get("name")
        except (OSError, ValueError, AttributeError):
            present = None
        if present != name:
            raise BadData(f"{out} contains another profile, {present}: choose another folder")
    if wanted == Wanted() and name in NAMED:
        return NAMED[name]
    if bool(wanted.joint) == bool(wanted.image or wanted.text) or bool(wanted.image) != bool(
        wanted.text
    ):
        raise BadData(
            f"to make {name}, give --image SOURCE and --text SOURCE, or --joint SOURCE alone; "
            f"these need neither: {', '.join(NAMED)}"
        )
    return wanted
