"""The sections of the report's page: what the template makes each of them from."""

from collections import Counter
from collections.abc import Iterator, Sequence

from pixquery.db.quoting import quoted
from pixquery.engine.features import CONCATENATED
from pixquery.trainer.learning import plots
from pixquery.trainer.learning.cells import (
    COUNT,
    PERCENT,
    PLAIN,
    SHORT,
    SIGNED,
    Cell,
    Content,
    Fact,
    Line,
    gain_line,
    line_of,
    listed,
    measured,
    number,
    span,
)
from pixquery.trainer.learning.contenders import TWO_WAY
from pixquery.trainer.learning.results import (
    Row,
    Study,
    by_split_and_error,
    ceiling,
    chosen_row,
    competitors,
    constant_row,
    identity,
    interval_of,
    is_two_way,
    known,
    label_of,
    measures_of,
    part_of,
    raters_of,
    rows_with,
    text_of,
    usual_rows,
)


def headline(study: Study) -> Iterator[Fact]:
    """The chosen regressor's main figures, with what to compare them with."""
    best = chosen_row(study)
    if best is None:
        return
    ratings, pairs, raters = part_of(study, "ratings"), part_of(study, "pairs"), raters_of(study)
    floor, constant = ratings.get("noise_floor"), constant_row(study).get("rmse")
    for key, name, references in (
        ("rmse", "RMSE", {"constant": constant, "noise floor": floor}),
        ("tau_c_expert", "τc" if raters else "Experts\u2019 τc", {"one expert": ceiling(ratings)}),
        ("tau_b_crowd", "Crowd\u2019s τb", {}),
    ):
        if known(best.get(key)):
            beside = [f"{what} {number(v)}" for what, v in references.items() if known(v)]
            yield Fact(name, number(best[key]), ", ".join(beside), span(interval_of(best, key)))
    if known(pairs.get("expert")):
        crowd = pairs.get("crowd")
        more = f"and {number(crowd, COUNT)} that the crowd judged" if crowd else ""
        name = f"Pairs judged by {raters}" if raters else "Expert-judged pairs"
        yield Fact(name, number(pairs["expert"], COUNT), more)


def _data(study: Study) -> Content:
    pairs, dropped = part_of(study, "pairs"), part_of(study, "dropped")
    if not pairs and not dropped:
        return {}
    words = [(word, n) for word, n in part_of(dropped, "words").items() if known(n)]
    words.sort(key=lambda item: (-item[1], item[0]))
    return {
        "lacks": _lacks(study),
        "counts": [
            line_of(name, number(pairs.get(key), COUNT), number(dropped.get(key), COUNT))
            for key, name in (
                ("expert", f"judged by {raters_of(study) or 'experts'}"),
                ("crowd", "judged by the crowd"),
                ("both", "judged by both"),
                ("captions", "captions that alignments learn from"),
            )
            if pairs.get(key) or dropped.get(key)
        ],
        "rows": list(_left_out(study)),
        "stop_words": dropped.get("mode"),
        "words": [(word, number(n, COUNT)) for word, n in words],
        "cost": measured(
            study.get("stop_words_cost") or (), "rows", by_user=bool(raters_of(study))
        ),
    }


_KINDS = {"texts": "texts", "expert": "expert rows", "crowd": "crowd rows",
          "queries": "test queries"}  # fmt: skip


def _left_out(study: Study) -> Iterator[Line]:
    """Rows that name what the folder lacks."""
    for kind, reasons in part_of(study, "dropped_rows").items():
        for why, count in reasons.items():
            yield line_of(f"{_KINDS.get(kind, kind)}, {why}", number(count, COUNT))


def _lacks(study: Study) -> str:
    """What a study of a user's own ratings lacks, in words."""
    crowd = part_of(study, "pairs").get("crowd") or part_of(study, "ratings").get("crowd_shares")
    parts = {
        "no crowd": crowd or raters_of(study),
        "no fitted alignment": study.get("alignment"),
        "no comparison of rankings": study.get("reranking"),
    }
    lacks = ", ".join(name for name, part in parts.items() if not part)
    return " and ".join(lacks.rsplit(", ", 1))


def _ratings(study: Study) -> Content:
    ratings = part_of(study, "ratings")
    grades = sorted((grade, n) for grade, n in part_of(ratings, "grades").items() if known(n))
    means, shares = ratings.get("expert_means"), ratings.get("crowd_shares") or ()
    if not grades and not means and not shares:
        return {}
    no_yes = sum(n for share, n in shares if share == 0) / max(1, sum(n for _, n in shares))
    return {
        "grades": plots.grades(grades) if grades else "",
        "means": plots.means(means) if means else "",
        "shares": plots.shares(shares) if shares else "",
        "no_yes": number(no_yes, PERCENT),
    }


_AGREEMENT = (
    ("alpha", "Krippendorff alpha", "1 is perfect agreement, 0 what chance would give"),
    (
        "icc_single",
        "ICC of one judge",
        "how much of a single grade comes from the pair, not the judge",
    ),
    (
        "icc_mean",
        "ICC of the mean",
        "the same for the judges\u2019 mean, which regressors learn from",
    ),
    ("noise_floor", "Noise floor", "RMSE of a perfect predictor; a lower one would mean a leak"),
    ("human_ceiling", "Human ceiling", "τc of one expert against the mean of the others"),
)


def _agreement(study: Study) -> Content:
    ratings = part_of(study, "ratings")
    every = part_of(ratings, "all_pairs")
    kept, before = ({**part, "human_ceiling": ceiling(part)} for part in (ratings, every))
    overlap = rows_with(ratings.get("overlap"), "expert", "yes", "mapped")
    content = {
        "facts": [
            Fact(name, number(kept[key]), note)
            for key, name, note in _AGREEMENT
            if known(kept.get(key))
        ],
        "all_pairs": [
            line_of(name, number(kept.get(key)), number(before[key]))
            for key, name, _ in _AGREEMENT
            if known(before.get(key))
        ],
        "plot": plots.overlap(overlap) if overlap else "",
        "overlap": listed(overlap, expert=SHORT, pairs=COUNT, yes=PERCENT, mapped=SHORT),
        "aggregations": measured(ratings.get("aggregations") or (), "name"),
    }
    crowd = ratings.get("crowd_shares") or raters_of(study)
    return {**content, "crowd": crowd} if any(content.values()) else {}


def _splits(study: Study) -> Content:
    lines = []
    for row in study.get("splits") or ():
        decides = row.get("name") == TWO_WAY
        lines.append(
            line_of(
                Cell(text_of(row, "name"), badge="decides" if decides else ""),
                *(number(row.get(key), COUNT) for key in ("folds", "training", "held_out")),
                *(number(row.get(key), PERCENT) for key in ("shared_photos", "shared_captions")),
                kind="chosen" if decides else "aside",
            )
        )
    return {"lines": lines} if lines else {}


def _regressors(study: Study) -> Content:
    rows = competitors(study)
    if not rows:
        return {}
    classic = [row for row in rows if row.get("features") == CONCATENATED]
    others = [row for row in rows if row.get("features") != CONCATENATED]
    return {
        "usual": _learned_from(study),
        "classic": _compared(classic, study) if classic else None,
        "others": _compared(sorted(others, key=by_split_and_error), study) if others else None,
        "dots": list(_dots(study)),
        "by_photo": not all(map(is_two_way, rows)),
    }


def _learned_from(study: Study) -> str:
    raters = raters_of(study)
    return f"ratings by {raters}" if raters else usual_rows(study)


def _compared(rows: Sequence[Row], study: Study) -> Content:
    """Regressors, and below them the figures to compare them with."""
    ratings, constant, chosen = part_of(study, "ratings"), constant_row(study), chosen_row(study)
    measures = measures_of([*rows, constant], by_user=bool(raters_of(study)))
    alike = Counter(identity(row) for row in rows)
    mixed = len({row.get("features") for row in rows}) > 1

    def figures(row: Row) -> Iterator[Cell | str]:
        for key in measures:
            yield Cell(number(row[key]), span(interval_of(row, key))) if key in row else ""

    def line(row: Row) -> Line:
        split = "" if is_two_way(row) and alike[identity(row)] == 1 else text_of(row, "split")
        small = label_of(study, row, split, text_of(row, "features") if mixed else "")
        badge = "chosen" if row is chosen else ""
        kind = badge if is_two_way(row) else "aside"
        return line_of(Cell(text_of(row, "name"), small, badge), *figures(row), kind=kind)

    references = {
        "the chosen one, calibrated as it is deployed": part_of(study, "calibrated")
        if chosen in rows
        else {},
        "constant predictor": constant,
        "noise floor": {"rmse": ratings.get("noise_floor")},
        "human ceiling": {"tau_c_expert": ceiling(ratings)},
    }
    lines = [line(row) for row in rows]
    lines += [
        line_of(name, *figures(row), kind="reference")
        for name, row in references.items()
        if any(known(row.get(key)) for key in measures)
    ]
    return {"columns": ["regressor", *measures.values()], "lines": lines}


def _dots(study: Study) -> Iterator[tuple[str, str, str]]:
    """A plot for each important measure, with its name and which end is better."""
    rows = sorted(filter(is_two_way, competitors(study)), key=by_split_and_error)
    by_photo = {identity(row): row for row in competitors(study) if not is_two_way(row)}
    ratings, chosen = part_of(study, "ratings"), chosen_row(study)
    floor, constant = ratings.get("noise_floor"), constant_row(study).get("rmse")
    experts = "τc" if raters_of(study) else "experts τc"
    for key, measure, better, references in (
        ("rmse", "RMSE", "lower", {"noise floor": floor, "constant": constant}),
        ("tau_c_expert", experts, "higher", {"human ceiling": ceiling(ratings)}),
        ("tau_b_crowd", "crowd τb", "higher", {}),
    ):
        dots = [
            plots.Dot(
                label=label_of(study, row, text_of(row, "name"), text_of(row, "features")),
                value=row[key],
                interval=interval_of(row, key),
                by_photo=by_photo.get(identity(row), {}).get(key),
                chosen=row is chosen,
            )
            for row in rows_with(rows, key)
        ]
        if dots:
            shown = [(what, value) for what, value in references.items() if known(value)]
            yield plots.dots(key, measure, dots, shown), measure, better


def _errors(study: Study) -> Content:
    rows = rows_with(study.get("errors"), "grade", "rmse", "bias")
    lines = listed(rows, grade=SHORT, pairs=COUNT, rmse=PLAIN, bias=SIGNED)
    return {"plot": plots.errors(rows), "lines": lines} if rows else {}


def _calibration(study: Study) -> Content:
    rows = rows_with(study.get("calibration"), "predicted", "judged", "pairs")
    lines = listed(rows, predicted=SHORT, judged=SHORT, pairs=COUNT)
    return {"plot": plots.calibration(rows), "lines": lines} if rows else {}


def _worst(study: Study) -> Content:
    keys = ("judged", "predicted")
    pairs = [
        {
            "text": text_of(row, "text"),
            "image": text_of(row, "image"),
            "said": [number(row[key], SHORT) for key in keys],
            "places": [round(100 * min(1.0, max(0.0, row[key])), 1) for key in keys],
        }
        for row in rows_with(study.get("worst"), *keys)
    ]
    return {"pairs": pairs} if pairs else {}


def _alignment(study: Study) -> Content:
    results, learned = part_of(study, "alignment"), part_of(study, "alignment_from")
    chance = part_of(results, "chance")
    before, after = part_of(results, "before"), part_of(results, "after")
    recalls = [name for name in after if before and name.startswith("recall")]
    curves = []
    for name in ("loss", "recall@10"):
        points = [(row["step"], row[name]) for row in rows_with(results.get("curve"), "step", name)]
        if len(points) > 1:
            curves.append((plots.curve(name, points), name.capitalize()))
    return results and {
        "split": results.get("split"),
        "gains": [gain_line(name, before.get(name), after[name]) for name in recalls],
        "facts": [Fact(name, number(value)) for name, value in after.items()],
        "chance": [(name, number(value)) for name, value in chance.items()],
        "source": learned.get("source"),
        "learned": [number(learned.get(key), COUNT) for key in ("texts", "photos")],
        "curves": curves,
    }


def _reranking(study: Study) -> Content:
    results = part_of(study, "reranking")
    if not results.get("first_stage") or not results.get("reranked"):
        return {}
    gains = []
    for part, of in ((results, ""), (part_of(results, "rated"), ", rated candidates")):
        first, second, bounds = (part_of(part, k) for k in ("first_stage", "reranked", "gain_ci95"))
        gains += [
            gain_line(name + of, first[name], second.get(name), bounds.get(name)) for name in first
        ]
    queries = results.get("queries")
    return {"queries": number(queries, COUNT) if queries else "", "gains": gains}


_ANSWERED = {"best": "Best answers", "worst": "Worst answers"}


def _answers(study: Study) -> Content:
    answers = study.get("answers") or ()
    groups = []
    for kind, title in _ANSWERED.items():
        queries = [
            {
                "text": text_of(one, "query"),
                "image": text_of(one, "image"),
                "orders": [_order(order) for order in one.get("orders") or ()],
            }
            for one in answers
            if one.get("kind") == kind
        ]
        if queries:
            groups.append((title, queries))
    everything = part_of(study, "dropped").get("mode") == "off"
    return {"groups": groups, "everything": everything} if groups else {}


def _order(order: Row) -> Content:
    """The first photos of an order, and where the right one is."""
    rank, photos = order.get("rank"), order.get("photos") or ()
    by = "relevance" if any(known(p.get("relevance")) for p in photos) else "similarity"
    return {
        "name": text_of(order, "regressor"),
        "features": text_of(order, "features"),
        "rank": number(rank, COUNT) if known(rank) else "",
        "by": by,
        "photos": [
            {
                "image": text_of(photo, "image"),
                "value": number(photo.get(by), SHORT),
                "right": photo.get("right"),
            }
            for photo in photos
        ],
    }


def _use(study: Study) -> Content:
    out = study.get("out")
    return {"folder": quoted(out)} if out else {}


SECTIONS = (
    ("data", "The data", _data),
    ("ratings", "What people said", _ratings),
    ("agreement", "How far people agree", _agreement),
    ("splits", "Splits, and what leaks", _splits),
    ("regressors", "Regressors compared", _regressors),
    ("errors", "Where it errs", _errors),
    ("calibration", "Does 0.5 mean 0.5?", _calibration),
    ("worst", "The worst pairs", _worst),
    ("alignment", "The alignment", _alignment),
    ("reranking", "Before and after re-ranking", _reranking),
    ("answers", "Best and worst answers", _answers),
    ("use", "How to use the profile", _use),
)
"""Id, title and builder of each section, in the order of the page; empty ones are left out."""
