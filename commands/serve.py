"""`serve`: the gallery and the REST API."""

from __future__ import annotations

from pathlib import Path

import click

from pixquery.commands.loading import extra, one_thread_for_small_sums
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, say, shown


@click.command(
    epilog="""Examples:

\b
pixquery serve --open
PIXQUERY_TOKEN=... pixquery serve --host 0.0.0.0"""
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Where to listen; other computers reach any but this one, by a token.",
              )  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="Where to listen; 0 takes any that is free.")  # fmt: skip
@click.option("--token", envvar="PIXQUERY_TOKEN", default="", metavar="WORD",
              help="What clients must show; better as $PIXQUERY_TOKEN, which others cannot list.",
              )  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open the gallery in the browser.")
@shared
def serve(host: str, port: int, token: str, opens: bool, library: Path, as_json: bool) -> None:
    """Show the library in the browser, and answer other programs, until Ctrl-C.

    The gallery lies at the address that is printed, the API's description below it at docs. Only
    this computer is answered; with --host and a token others are, too: in the browser by visiting
    the address with ?token=WORD once, in programs by the header Authorization: Bearer WORD.
    """
    one_thread_for_small_sums()
    with extra("web"):
        from pixquery.web.serving import entrance
        from pixquery.web.serving import serve as run

    def ready(url: str) -> None:
        if as_json:
            print_json({"url": url, "library": str(library)})
        else:
            click.echo(f"pixquery serves {shown(library)} at {url}  (Ctrl-C ends it)")
        if opens:
            click.launch(entrance(url, token))

    try:
        run(library, host=host, port=port, token=token, ready=ready)
    except KeyboardInterrupt:
        say("no longer serving")
