"""`models`: the profiles at hand, and how the shipped one is made."""

from __future__ import annotations

from pathlib import Path

import click

from commands.loading import extra, photo_loader
from commands.options import shared
from commands.printing import megabytes, print_json


@click.group()
def models() -> None:
    """Tell about profiles, and make the shipped one."""


@models.command("list")
@shared
def models_list(library: Path, as_json: bool) -> None:
    """List the profiles at hand."""
    del library
    from engine.profile import DEFAULT, load_profile, names

    rows = []
    for name in names():
        profile = load_profile(name)
        rows.append(
            {
                "name": name,
                "description": profile.manifest["description"],
                "licence": profile.manifest["licence"],
                "dimension": profile.alignment.dimension,
                "bytes": sum(file["bytes"] for file in profile.manifest["files"].values()),
                "default": name == DEFAULT,
            }
        )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        mark = " (default)" if row["default"] else ""
        weight = megabytes(row["bytes"])
        click.echo(f"{row['name']}{mark}: {row['description']}; {weight}, {row['licence']}")


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

    from indexer.scan import roots_of, scan

    with extra("train"):
        from trainer.export import SIZE, export

    files = sorted(scan(roots_of([photos])[0]).files)
    step = max(1, len(files) // 300)
    load = photo_loader(SIZE)
    export(out, np.stack([load(file) for file in files[::step][:300]]))
    if as_json:
        print_json({"out": str(out)})
    else:
        click.echo(
            f"wrote the encoders to {out}; next: pixquery train DATA --profile {out} --out DIR"
        )
