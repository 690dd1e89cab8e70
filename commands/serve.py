"""`serve`: runs the gallery and the REST API."""

from __future__ import annotations

from pathlib import Path

import click

from pixquery.commands.loading import extra, one_thread_for_small_sums
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, say, tell


@click.command(
    epilog="""Examples:

\b
pixquery serve --open
PIXQUERY_TOKEN=... pixquery serve --host 0.0.0.0"""
)
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS",
              help="Address to listen on; needs a token if other computers can reach it.",
              )  # fmt: skip
@click.option("--port", type=click.IntRange(0, 65535), default=8000, show_default=True,
              help="Port to listen on; 0 picks a free one.")  # fmt: skip
@click.option("--token", envvar="PIXQUERY_TOKEN", default="", metavar="WORD",
              help="Password for clients; $PIXQUERY_TOKEN hides it from other users.",
              )  # fmt: skip
@click.option("--trash", "may_trash", is_flag=True,
              help="Let the duplicates page move copies to the trash.")  # fmt: skip
@click.option("--open", "opens", is_flag=True, help="Open the gallery in the browser.")
@shared
def serve(
    host: str,
    port: int,
    token: str,
    may_trash: bool,
    opens: bool,
    library: Path,
    as_json: bool,
) -> None:
    """Start the gallery in the browser, and its API.

    The command prints the address of the gallery and runs until Ctrl-C. The API is documented at
    /docs below that address.

    By default only this computer can connect. To let others in, set --host and a token. In a
    browser, open the address with ?token=WORD once; programs send the header Authorization: Bearer
    WORD.

    The page /duplicates shows photos that you have more than once. With --trash, you can move the
    copies to the system's trash there, from this computer alone and without a token.
    """
    one_thread_for_small_sums()
    with extra("web"):
        from pixquery.web.serving import entrance
        from pixquery.web.serving import serve as run

    def ready(url: str) -> None:
        if as_json:
            print_json({"url": url, "library": str(library)})
        else:
            tell(f"serving {library} at {url}  (press Ctrl-C to stop)")
        if opens:
            click.launch(entrance(url, token))

    try:
        run(library, host=host, port=port, token=token, ready=ready, may_trash=may_trash)
    except KeyboardInterrupt:
        say("stopped serving")
