"""Makes a profile from other people's encoders, and checks it before it is used.

Both encoders are written in the runtime's format. The runtime and the original PyTorch modules then
encode the same photos and texts; if their vectors differ, the profile is refused. Encoders that
were trained together can be used at once. For all others, an alignment has to be trained.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pixquery.db.errors import BadData
from pixquery.db.records import Pixels
from pixquery.engine.profile import MANIFEST, SHIPPED
from pixquery.trainer.adopting.encoder_files import image_part, text_part
from pixquery.trainer.adopting.find import find
from pixquery.trainer.adopting.image_network import image_network
from pixquery.trainer.adopting.joint_networks import joint_networks
from pixquery.trainer.adopting.joint_space import joint_part
from pixquery.trainer.adopting.manifest import about, report
from pixquery.trainer.adopting.networks import ImageNetwork
from pixquery.trainer.adopting.text_network import text_network
from pixquery.trainer.profile_folder import moved_when_done, write_manifest

Photos = Callable[[int, str], Pixels]
"""Side of a square in pixels and Pillow's name of an interpolation -> whole photos, squashed to it:
uint8[n, side, side, 3]; a few hundred are best."""
Progress = Callable[[str, int, int], object]
"""Called with the step, steps done and steps in all; or a download's file and its bytes."""
_STEPS = 6


@dataclass(frozen=True, slots=True)
class Wanted:
    """The sources of the encoders: one for each side, or one for both."""

    image: str = ""
    text: str = ""
    joint: str = ""


KNOWN = {
    "resnet18-distilbert": Wanted("microsoft/resnet-18", "distilbert/distilbert-base-uncased"),
    "clip-b32": Wanted(joint="openai/clip-vit-base-patch32"),
    "siglip-b16": Wanted(joint="google/siglip-base-patch16-224"),
}
"""Profiles that need only a name."""


def add(
    name: str,
    out: Path,
    wanted: Wanted,
    photos: Photos,
    progress: Progress = lambda what, done, total: None,
) -> dict[str, Any]:
    """Makes a profile; leaves nothing behind unless it is complete and its vectors are right.

    Args:
        name: The profile's name.
        out: Its folder; an earlier profile of the same name is replaced.
        wanted: The sources; if empty, those that `KNOWN` has for the name.
        photos: Loads real photos for the check and the calibration.
        progress: Called before each step and during downloads.

    Returns:
        ``profile``, ``folder``, ``image`` and ``text`` (source, dimension and more), the lowest and
        mean cosines to the original in ``agreement``, ``aligned`` (whether it can be used
        for searches), ``relevance`` (whether it predicts any), ``left_out`` (why it does not),
        ``bytes``, ``licence``.

    Raises:
        BadData: The name or the folder cannot be used, or the sources are not given.
        SourceUnusable: A source is no model, or the encoder made from it computes something else.
        DownloadFailed: A source cannot be downloaded.
    """
    wanted = _settled(name, out, wanted)
    course = _Course(progress)
    with moved_when_done(out) as folder:
        if wanted.joint:
            both = find(wanted.joint, progress=progress)
            course.step("reading the models")
            joint = joint_networks(both)
            sources, image, text = [both], joint.image, joint.text
        else:
            sources = [find(source, progress=progress) for source in (wanted.image, wanted.text)]
            course.step("reading the models")
            joint, image, text = None, image_network(sources[0]), text_network(sources[1])
        course.step("writing the image encoder")
        pixels = _loaded(photos, image)
        image_manifest, image_agreement = image_part(folder, image, pixels, sources[0])
        course.step("writing the text encoder")
        text_manifest, text_agreement = text_part(folder, text, sources[-1])
        manifest = {
            **about(name, sources, image, text),
            "image": image_manifest,
            "text": text_manifest,
            "agreement": {**image_agreement, **text_agreement},
        }
        if joint is not None:
            course.step("comparing photos with texts")
            manifest |= joint_part(folder, joint, pixels)
        write_manifest(folder, manifest)
        course.step("done")
    return report(out, manifest)


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
    if wanted == Wanted() and name in KNOWN:
        return KNOWN[name]
    if bool(wanted.joint) == bool(wanted.image or wanted.text) or bool(wanted.image) != bool(
        wanted.text
    ):
        raise BadData(
            f"to make {name}, give --image SOURCE and --text SOURCE, or --joint SOURCE alone; "
            f"these need neither: {', '.join(KNOWN)}"
        )
    return wanted


def _loaded(photos: Photos, image: ImageNetwork) -> Pixels:
    size = image.preparation.size
    pixels = photos(size, image.preparation.interpolation)
    if not len(pixels):
        raise BadData("there is no photo to check the image encoder with: name a folder of photos")
    return pixels
