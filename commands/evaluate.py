"""`evaluate`: how well a library answers queries whose photos are known."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pixquery.commands.loading import one_thread_for_small_sums, writing
from pixquery.commands.options import shared
from pixquery.commands.printing import print_json, rounded, say, tell
from pixquery.commands.progress import progress_bar
from pixquery.db.errors import NothingFound
from pixquery.db.quoting import library_option
from pixquery.engine.legible import counted

if TYPE_CHECKING:
    from pixquery.trainer.measuring.evaluate import Evaluation, Graded


@click.command(
    epilog="""Examples:

\b
pixquery evaluate queries.csv
pixquery evaluate queries.csv --judgements qrels.txt --report report"""
)
@click.argument("queries", metavar="QUERIES.csv", type=click.Path(path_type=Path))
@click.option("--judgements", metavar="FILE", type=click.Path(path_type=Path),
              help="Graded judgements: adds nDCG, AP, RR, P and R.")  # fmt: skip
@click.option("--sep", metavar="CHAR", help="Column separator; else detected from the header.")
@click.option("--candidates", type=click.IntRange(1), default=200, show_default=True,
              help="Photos that are re-ranked per query.")  # fmt: skip
@click.option("--report", metavar="DIR", type=click.Path(path_type=Path),
              help="Write evaluation.json and the results of every query to DIR.")  # fmt: skip
@shared
def evaluate(
    queries: Path,
    judgements: Path | None,
    sep: str | None,
    candidates: int,
    report: Path | None,
    library: Path,
    as_json: bool,
) -> None:
    """Measure how well known photos are found.

    QUERIES.csv has the columns `query_id,query_text,image`. The image is given by its file name or
    by the end of its path. The report shows the prefilter alone beside the re-ranked result.

    With --judgements, a query can have many relevant photos, each with a grade. FILE is a CSV with
    the columns `query_id,image,relevance`, or TREC qrels. Grade 0 means not relevant, and so does a
    missing grade.

    If the library holds none of the relevant photos, nothing is measured, and the exit code is 3.
    """
    one_thread_for_small_sums()
    from pixquery.engine.library import Library
    from pixquery.trainer.measuring.evaluate import evaluate as measure
    from pixquery.trainer.measuring.evaluate import evaluate_graded, write_measures, write_ranks
    from pixquery.trainer.measuring.judgements import read_judgements
    from pixquery.trainer.measuring.queries import read_queries

    if report is not None:
        with writing(report, "--report DIR"):  # before the work
            report.mkdir(parents=True, exist_ok=True)
    test_queries = read_queries(queries, sep)
    judged = read_judgements(judgements) if judgements is not None else None
    graded = None
    with Library.open(library) as opened, progress_bar("Evaluating", "queries") as progress:
        if judged is None:
            result, ranks = measure(opened, test_queries, candidates, progress)
        else:
            result, ranks, graded = evaluate_graded(
                opened, test_queries, judged, candidates, progress
            )
    document = _evaluation_json(result, graded)
    if report is not None:
        with writing(report, "--report DIR"):
            (report / "evaluation.json").write_text(json.dumps(document, indent=2) + "\n", "utf-8")
            write_ranks(report / "ranks.csv", test_queries, ranks)
            if graded is not None:
                write_measures(report / "measures.csv", graded)
    measured = result.relevant or (graded is not None and graded.relevant)
    if measured:
        _warn_of_evaluation(result, graded)
    if as_json:
        print_json(document)
    elif measured:
        _show_evaluation(result, graded)
    if not measured:
        raise NothingFound(
            f"none of the {len(result.unmatched):,} relevant photos is in the library "
            f"{library} (for example {result.unmatched[0]}), so nothing can be measured: add them "
            f"with `pixquery index FOLDER{library_option(library)}`"
        )


def _warn_of_evaluation(result: Evaluation, graded: Graded | None) -> None:
    if result.unmatched:
        say(
            f"{counted(len(result.unmatched), 'relevant photo')} not in the library, counted as "
            f"not found, for example {result.unmatched[0]}"
        )
    if graded is None:
        return
    for what, names in (
        ("judged photos that are not in the library, not found if relevant", graded.unmatched),
        ("judged query ids that are not among the queries", graded.unknown),
        ("queries without a relevant photo, left out of the graded measures", graded.left_out),
    ):
        if names:
            say(f"{what}: {len(names):,}, for example {names[0]}")


def _evaluation_json(result: Evaluation, graded: Graded | None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "queries": result.queries,
        "images": result.images,
        "profile": result.profile,
        "relevance": result.relevance,
        "relevant": result.relevant,
        "first_stage": rounded(result.first_stage, 4) if result.relevant else None,
        "reranked": rounded(result.reranked, 4) if result.relevant else None,
        "ci95": _bounds_json(result.ci95) if result.relevant else None,
        "milliseconds": rounded({"p50": result.p50, "p95": result.p95}, 2),
    }
    if graded is not None:
        first, reranked = graded.unjudged.mean(1)
        document["measures"] = {
            "queries": len(graded.queries),
            "left_out": len(graded.left_out),
            "judgements": graded.judgements,
            "relevant": graded.relevant,
            "first_stage": rounded(graded.means(0), 4) if graded.relevant else None,
            "reranked": rounded(graded.means(1), 4) if graded.relevant else None,
            "ci95": _bounds_json(graded.ci95()) if graded.relevant else None,
            "unjudged@10": {
                "first_stage": round(float(first), 2),
                "reranked": round(float(reranked), 2),
            },
        }
    return document


def _bounds_json(
    ci95: Mapping[str, Mapping[str, tuple[float, float]]],
) -> dict[str, dict[str, list[float]]]:
    return {
        stage: {name: [round(low, 4), round(high, 4)] for name, (low, high) in bounds.items()}
        for stage, bounds in ci95.items()
    }


def _show_evaluation(result: Evaluation, graded: Graded | None) -> None:
    tell(f"{result.queries:,} queries over {result.images:,} photos ({result.profile})")
    click.echo()
    if not result.relevance:
        click.echo("the profile predicts no relevance: re-ranked is by similarity, too\n")
    if result.relevant:
        _show_stages(result.first_stage, result.reranked, result.ci95)
    if graded is not None and graded.relevant:
        click.echo(
            f"\n{len(graded.queries):,} queries with {graded.judgements:,} graded judgements\n"
        )
        _show_stages(graded.means(0), graded.means(1), graded.ci95())
        first, reranked = graded.unjudged.mean(1)
        click.echo(
            f"\nunjudged photos among the first ten, on average: {first:.1f} (prefilter), "
            f"{reranked:.1f} (re-ranked)"
        )
    click.echo(f"\ntime per query: median {result.p50:.1f} ms, 95 % within {result.p95:.1f} ms")


def _show_stages(
    first_stage: Mapping[str, float],
    reranked: Mapping[str, float],
    ci95: Mapping[str, Mapping[str, tuple[float, float]]],
) -> None:
    click.echo(
        f"{'':<12}{'prefilter':>10}{'95 % interval':>18}{'re-ranked':>12}{'95 % interval':>18}"
    )
    for name, first in first_stage.items():
        cells = ""
        for stage, value, width in (("first_stage", first, 10), ("reranked", reranked[name], 12)):
            bounds = ci95[stage].get(name)
            span = f"{bounds[0]:.3f} .. {bounds[1]:.3f}" if bounds else ""
            cells += f"{value:>{width}.3f}{span:>18}"
        click.echo(f"{name:<12}{cells}".rstrip())
