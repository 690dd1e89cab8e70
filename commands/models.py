"""`models`: the profiles at hand, adding others, and how the shipped one is made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.loading import extra, photo_loader, some_photos
from pixquery.commands.options import shared
from pixquery.commands.printing import megabytes, print_json, say
from pixquery.commands.progress import progress_bar
from pixquery.db.errors import BadData, ProfileError

if TYPE_CHECKING:
    from pixquery.db.records import Pixels

_EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "images"
_MOST_PHOTOS = 300
_A_FILE = 1000
"""Bytes; no profile is made in so many steps."""


@click.group()
def models() -> None:
    """Tell about profiles, add others, and make the shipped one."""


@models.command("list")
@shared
def models_list(library: Path, as_json: bool) -> None:
    """List the profiles at hand."""
    del library
    from pixquery.engine.profile import DEFAULT, load_profile, names

    rows: list[dict[str, Any]] = []
    for name in names():
        try:
            profile = load_profile(name)
        except ProfileError as error:
            say(f"pixquery: {error}")
            continue
        aligned = "alignment" in profile.manifest
        rows.append(
            {
                "name": name,
                "description": profile.manifest["description"],
                "licence": profile.manifest["licence"],
                "dimension": profile.alignment.dimension if aligned else None,
                "bytes": sum(file["bytes"] for file in profile.manifest["files"].values()),
                "default": name == DEFAULT,
                "folder": str(profile.folder),
                "aligned": aligned,
                "relevance": "relevance" in profile.manifest,
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        mark = " (default)" if row["default"] else ""
        weight = megabytes(row["bytes"])
        click.echo(f"{row['name']}{mark}: {row['description']}; {weight}, {row['licence']}")
        if not row["aligned"]:
            click.echo(f"  to be trained first: pixquery train DATA --profile {row['name']}")
        elif not row["relevance"]:
            click.echo("  orders by similarity alone: no relevance was trained")


@models.command(
    "add",
    epilog="""Examples:

\b
pixquery models add clip-b32
pixquery models add resnet18-distilbert
pixquery models add mine --image ./resnet-18 --text sentence-transformers/all-MiniLM-L6-v2""",
)
@click.argument("name")
@click.option("--image", default="", metavar="SOURCE", help="Whose image encoder.")
@click.option("--text", default="", metavar="SOURCE", help="Whose text encoder.")
@click.option("--joint", default="", metavar="SOURCE",
              help="Whose both, trained together: CLIP, SigLIP.")  # fmt: skip
@click.option("--photos", metavar="DIR", type=click.Path(path_type=Path),
              help="Some of your photos, a few hundred: the encoders are checked with them.",
              )  # fmt: skip
@click.option("--out", metavar="DIR", type=click.Path(path_type=Path),
              help="The profile's folder, where it is not to be called by name.")  # fmt: skip
@shared
def models_add(
    name: str,
    image: str,
    text: str,
    joint: str,
    photos: Path | None,
    out: Path | None,
    library: Path,
    as_json: bool,
) -> None:
    """Make a profile NAME out of other people's encoders.

    A SOURCE is an id of the Hugging Face hub, a folder in its format, or torchvision's or timm's
    file of ResNet weights. clip-b32, siglip-b16 and resnet18-distilbert need no further words. What
    is made is checked against the original before it is kept; no code of a model is ever run.
    """
    del library
    from pixquery.engine.profile import profiles_folder

    with extra("train"):
        from pixquery.trainer.adopting.additions import Wanted, add

    place = photos or _EXAMPLES
    if not place.is_dir() and photos is None:
        raise BadData("the encoders are checked with real photos: name some with --photos DIR")
    files = some_photos(place, _MOST_PHOTOS)

    def load(size: int, interpolation: str) -> Pixels:
        import numpy as np

        read = photo_loader(size, interpolation)
        return np.stack([read(file) for file in files])

    with progress_bar("Adding", "") as progress:
        found = add(
            name,
            out or profiles_folder() / name,
            Wanted(image, text, joint),
            load,
            lambda what, done, total: progress(*_counted(done, total), what),
        )
    if as_json:
        print_json(found)
        return
    for line in _told(name, found):
        click.echo(line)


def _counted(done: int, total: int) -> tuple[int, int]:
    """Steps as they are; of downloads, which are told in bytes, the megabytes."""
    return (done, total) if total < _A_FILE else (done // 10**6, -(-total // 10**6))


def _told(name: str, found: dict[str, Any]) -> list[str]:
    agreement = ", ".join(
        f"{what} {cosines['lowest']:.4f}" for what, cosines in found["agreement"].items()
    )
    called = name if Path(found["folder"]).name == name else found["folder"]
    following = (
        f"index photos with it:  pixquery index FOLDER --profile {called}"
        if found["aligned"]
        else f"teach it which words suit which photos:  pixquery train DATA --profile {called} "
        "--out DIR"
    )
    return [
        f"added {name}: {megabytes(found['bytes'])}, {found['licence']}, in {found['folder']}",
        f"lowest cosine to the original: {agreement}",
        following,
    ]


@models.command(
    "export", epilog="Example:  pixquery models export --out profile --photos ~/Pictures"
)
@click.option("--out", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="Where to write the models.")  # fmt: skip
@click.option("--photos", required=True, metavar="DIR", type=click.Path(path_type=Path),
              help="A few hundred photos: they set the ranges of the 8-bit model.")  # fmt: skip
@shared
def models_export(out: Path, photos: Path, library: Path, as_json: bool) -> None:
    """Make the shipped profile's encoders from the pinned PyPI packages.

    Alignment and relevance are then learned by `pixquery train --profile OUT`.
    """
    del library
    import numpy as np

    with extra("train"):
        from pixquery.trainer.export import INTERPOLATION, SIZE, export

    load = photo_loader(SIZE, INTERPOLATION)
    export(out, np.stack([load(file) for file in some_photos(photos, _MOST_PHOTOS)]))
    if as_json:
        print_json({"out": str(out)})
    else:
        click.echo(
            f"wrote the encoders to {out}; next: pixquery train DATA --profile {out} --out DIR"
        )
