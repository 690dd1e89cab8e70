"""The report: what it says about a study, that it stands alone, and that no data becomes markup."""

import copy
import json
import math
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pixquery.trainer.learning.report import write_report
from tests.conftest import REPOSITORY
from tests.studies import Study, own_ratings, regressor, sample


class Page:
    """A report as a reader sees it: well-formed, with its tables as rows of texts."""

    def __init__(self, folder: Path, study: Study) -> None:
        write_report(folder, study)
        self.html = (folder / "report.html").read_text("utf-8")
        self.root = ET.fromstring(self.html.removeprefix("<!DOCTYPE html>\n"))
        self.text = " ".join("".join(self.root.itertext()).split())

    def all(self, tag: str) -> list[ET.Element]:
        return [each for each in self.root.iter() if each.tag.rpartition("}")[2] == tag]

    @property
    def titles(self) -> list[str]:
        return ["".join(each.itertext()).lstrip("0123456789") for each in self.all("h2")]

    @property
    def tables(self) -> dict[str, list[list[str]]]:
        found = {}
        for listing in self.all("div"):
            if listing.get("class") == "listing":
                title = "".join(listing.find("h3").itertext())  # type: ignore[union-attr]
                found[title] = [
                    [" ".join("".join(cell.itertext()).split()) for cell in row]
                    for row in listing.iter("tr")
                ]
        return found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(tmp_path_factory.mktemp("report"), sample())


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return Page(tmp_path_factory.mktemp("own"), own_ratings())


def test_the_json_is_the_study(tmp_path: Path) -> None:
    write_report(tmp_path / "new" / "folder", {"seed": 0, "errors": []})
    assert json.loads((tmp_path / "new" / "folder" / "report.json").read_text()) == {
        "seed": 0, "errors": [],
    }  # fmt: skip
    write_report(tmp_path, sample())
    text = (tmp_path / "report.json").read_text()
    assert json.loads(text) == sample()
    assert text.startswith('{\n  "profile": "lite2-minilm",\n')


def test_json_knows_no_numpy_no_paths_and_no_nan(tmp_path: Path) -> None:
    study = {
        "out": Path("a/b"),
        "seed": np.int64(3),
        "errors": [{"grade": np.float32(0.5), "pairs": 1, "rmse": math.nan, "bias": -math.inf}],
        "levels": np.arange(3),
    }
    write_report(tmp_path, study)
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "out": "a/b",
        "seed": 3,
        "errors": [{"grade": 0.5, "pairs": 1, "rmse": None, "bias": None}],
        "levels": [0, 1, 2],
    }


def test_every_section_is_there_in_order(page: Page) -> None:
    assert page.titles == [
        "The data", "What people said", "How far people agree", "Splits, and what leaks",
        "Regressors compared", "Where it errs", "Does 0.5 mean 0.5?", "The worst pairs",
        "The alignment", "Before and after re-ranking", "Best and worst answers",
        "How to use the profile",
    ]  # fmt: skip
    targets = [link.get("href") for link in page.all("a")]
    assert targets == [f"#{section.get('id')}" for section in page.all("section")]


def test_the_verdict(page: Page, tmp_path: Path) -> None:
    assert "“ensemble” won, and it is deployed. It has the smallest error" in page.text
    refused = Page(tmp_path, {"chosen": "ridge", "deployed": False, "why": "it gains nothing"})
    assert "“ridge” won, but it is not deployed" in refused.text
    assert "It gains nothing." in refused.text
    assert "No regressor was chosen." in Page(tmp_path, {}).text


def test_the_classic_recipe_has_a_table_of_its_own(page: Page) -> None:
    table = page.tables["The classic recipe: concatenated features"]
    assert table[0] == ["regressor", "RMSE", "MAE", "Spearman", "experts τc", "crowd τb"]
    assert [row[0] for row in table[1:]] == [
        "lineartwo-way", "linearby photo", "CatBoosttwo-way", "CatBoostby photo",
        "networktwo-way", "networkby photo", "constant predictor", "noise floor", "human ceiling",
    ]  # fmt: skip
    assert table[1][1:] == [
        "0.2750.269 to 0.281", "0.2160.210 to 0.222", "0.2010.195 to 0.207",
        "0.1320.126 to 0.138", "0.0840.078 to 0.090",
    ]  # fmt: skip
    assert table[-2][1:] == ["0.078", "", "", "", ""]
    assert table[-1][1:] == ["", "", "", "0.553", ""]  # 55.3 in the study


def test_all_others_are_sorted_and_the_chosen_one_is_marked(page: Page) -> None:
    table = page.tables["All others"]
    names = [row[0] for row in table[1:]]
    assert names[0] == "ensemble chosentwo-way · all of them"
    two_way = [float(row[1][:5]) for row in table[1:8]]
    assert two_way == sorted(two_way)
    assert all(name.find("by photo") > 0 for name in names[7:9])
    assert sum("chosen" in name for name in names) == 1
    assert "ridgesimilarity and its surroundings · experts" in names  # an exception is labelled
    marked = [row for row in page.all("tr") if row.get("class") == "chosen"]
    assert len(marked) == 2  # the split that decides, the regressor that was chosen


def test_what_was_left_out(page: Page) -> None:
    none = "\u2013"
    assert page.tables["Pairs of a photo and a text"][1:] == [
        ["judged by experts", "2,381", "1,333"],
        ["judged by the crowd", "20,114", "9,948"],
        ["judged by both", "1,904", none],
    ]
    words = [
        ["".join(part.itertext()) for part in item]
        for each in page.all("div")
        if each.get("class") == "words"
        for item in each.iter("li")
    ]
    assert words[:2] == [["boy", "3,310"], ["girl", "2,871"]]
    assert len(words) == 14
    assert page.tables["What the stop words cost"][1:] == [
        ["all rated pairs", "0.156", "0.516", "0.335"],
        ["those left", "0.158", "0.512", "0.331"],
    ]


def test_only_the_two_way_split_decides(page: Page) -> None:
    assert "Only the two-way split decides." in page.text
    assert page.tables["What the held-out pairs share with training"][1:] == [
        ["two-way decides", "25", "8,120", "805", "0.0 %", "0.0 %"],
        ["by photo", "5", "14,081", "6,034", "0.0 %", "97.8 %"],
    ]


def test_agreement_is_also_shown_for_all_pairs(page: Page) -> None:
    table = page.tables["Agreement on the pairs kept, and on all pairs before stop words"]
    assert table[1] == ["Krippendorff alpha", "0.806", "0.811"]
    assert table[-1] == ["Human ceiling", "0.553", "0.559"]


def test_before_and_after(page: Page) -> None:
    assert page.tables["Recall before and after"][1] == ["recall@1", "0.253", "0.291", "+0.038"]
    table = page.tables["First stage and re-ranked"]
    assert table[1] == ["recall@1", "0.291", "0.304", "+0.013+0.008 to +0.018"]
    assert table[-1] == ["ndcg@10, rated candidates", "0.902", "0.914", "+0.012"]
    assert page.tables["Errors at each level of the judgement"][-1][-1] == "−0.110"  # noqa: RUF001


def test_the_worst_pairs_name_their_photos(page: Page) -> None:
    for pair in sample()["worst"]:
        assert pair["image"] in page.text
    assert page.text.count("predicted 0.") == 20


def test_answers_say_where_the_right_photo_is(page: Page) -> None:
    for said in (
        "right photo: 1056338697.jpg ensembleall of them, by relevance right photo: number 1 "
        "1056338697.jpg 0.83 right 2_of_ensemble.jpg 0.76",
        "CatBoostconcatenated, by relevance right photo: number 37 1_of_CatBoost.jpg 0.83 2_of",
        "ensembleall of them, by relevance right photo: not among the candidates",
        "right photo: number 1,120",
    ):
        assert said in page.text
    marked = [each for each in page.all("li") if each.get("class") == "right"]
    assert ["".join(each.itertext()).split()[0] for each in marked] == ["1056338697.jpg"] * 2


def test_how_to_use_it(page: Page, tmp_path: Path) -> None:
    commands = "".join(page.all("pre")[0].itertext())
    assert "--profile 'my profile' --library my-library\n" in commands
    assert commands.endswith("--min-relevance 0.5")
    similar = Page(tmp_path, {"out": "here", "chosen": "x", "deployed": False})
    assert "--min-relevance" not in similar.text


def test_plots_can_be_read_aloud(page: Page) -> None:
    plots = page.all("svg")
    assert len(plots) == 3 + 1 + 3 + 1 + 1 + 2
    for plot in plots:
        assert plot.get("role") == "img"
        told = plot.get("aria-label") or ""
        assert len(told) > 30
        assert re.search(r"\d", told)
    dots = next(plot for plot in plots if "Dot plot of RMSE" in (plot.get("aria-label") or ""))
    assert "best first" in dots.attrib["aria-label"]
    drawn = "".join(dots.itertext())
    for label in ("ensemble · all of them", "noise floor", "constant", "linear · concatenated"):
        assert label in drawn


def test_ids_are_unique(page: Page) -> None:
    ids = [each.attrib["id"] for each in page.root.iter() if "id" in each.attrib]
    assert len(ids) == len(set(ids))
    used = set(re.findall(r'(?:href="|url\()#([^")]+)', page.html))
    assert used <= set(ids)


def test_it_stands_alone(page: Page) -> None:
    """It loads nothing and runs nothing."""
    for element in page.root.iter():
        for name, value in element.attrib.items():
            local = name.rpartition("}")[2]
            assert local not in {"src", "srcset", "data", "action"}
            assert local != "href" or value.startswith("#")
            assert not local.startswith("on")
    assert not {"script", "link", "iframe", "object", "img"} & {
        each.tag.rpartition("}")[2] for each in page.root.iter()
    }
    style = "".join("".join(each.itertext()) for each in page.all("style"))
    assert "@import" not in style
    assert "url(" not in style
    assert len(page.html) < 500_000


def test_colours_follow_the_page(page: Page) -> None:
    """A plot with colours of its own is unreadable in one of the two modes."""
    for plot in page.all("svg"):
        own = {
            colour
            for each in plot.iter()
            for colour in re.findall(r"#[0-9a-fA-F]{3,8}\b", each.get("style", ""))
        }
        assert not own
    assert "prefers-color-scheme: dark" in page.html
    assert "@media print" in page.html


def test_the_same_study_gives_the_same_bytes(page: Page, tmp_path: Path) -> None:
    code = (
        "import json, sys; from pathlib import Path; "
        "from pixquery.trainer.learning.report import write_report; "
        "write_report(Path(sys.argv[1]), json.load(sys.stdin))"
    )
    subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], input=json.dumps(sample()), text=True,
        cwd=REPOSITORY, env={**os.environ, "PYTHONHASHSEED": "7"}, check=True, timeout=100,
    )  # fmt: skip
    assert (tmp_path / "report.html").read_text("utf-8") == page.html


def test_the_users_plot_style_is_ignored(page: Page, tmp_path: Path) -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "text.usetex": True}):
        write_report(tmp_path, sample())
    assert (tmp_path / "report.html").read_text("utf-8") == page.html
    assert dict(matplotlib.rcParams) == before


HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</svg></style></title><b onclick='x'>&amp;",
    "{{ 7 * 7 }}{% raw %}",
    "$\\frac{1}{$ _^ ${",
    "a\x00b\x1b[31m\u202egnp.exe\ud83d",
)


class Tags(HTMLParser):
    """The page as a browser parses it."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


def tags_of(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    return tags


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_data_becomes_markup(hostile: str, page: Page, tmp_path: Path) -> None:
    study = sample()
    study |= {"profile": hostile, "out": hostile, "chosen": hostile, "why": hostile}
    study["dropped"] |= {"mode": hostile, "words": {hostile: 3}}
    study["alignment"]["split"] = hostile
    study["splits"][1]["name"] = hostile
    study["ratings"]["aggregations"][0]["name"] = hostile
    study["stop_words_cost"][0]["rows"] = hostile
    study["regressors"][-2] |= {"name": hostile, "features": hostile, "rows": hostile}
    study["worst"][0] |= {"image": hostile, "text": hostile}
    study["answers"][0] |= {"image": hostile, "query": hostile}
    study["answers"][0]["orders"][0] |= {"regressor": hostile, "features": hostile}
    study["answers"][0]["orders"][0]["photos"][1]["image"] = hostile
    study["reranking"]["first_stage"][hostile] = 0.5
    found = Page(tmp_path, study)  # well-formed, or this fails
    usual, tags = tags_of(page.html), tags_of(found.html)
    assert tags.tags == usual.tags
    assert tags.attributes == usual.attributes
    if hostile.isprintable():
        assert tags.text.count(hostile) >= 17
    else:
        assert "a\\x00b\\x1b[31m\\u202egnp.exe\\ud83d" in tags.text


def test_other_scripts_stay_what_they_are(tmp_path: Path) -> None:
    text = "犬が走る, كلب يركض, собака, 🐕\u200d🦺 chien l'été"
    study = {"worst": [{"image": "犬.jpg", "text": text, "judged": 0.0, "predicted": 1.0}]}
    study |= {"regressors": [{**regressor("犬", text, "", "two-way", 0.1, 0.1, 0, 0, 0)}]}
    assert Page(tmp_path, study).text.count(text) >= 2


def test_own_ratings_have_no_crowd_no_alignment_no_ranking(own: Page) -> None:
    assert own.titles == [
        "The data", "What people said", "Splits, and what leaks", "Regressors compared",
        "Where it errs", "Does 0.5 mean 0.5?", "The worst pairs", "How to use the profile",
    ]  # fmt: skip
    lacks = "This study has no fitted alignment and no comparison of rankings."
    assert lacks in own.text
    assert "No text was left out because of its words." in own.text
    assert own.tables["All others"][0] == ["regressor", "RMSE", "MAE", "Spearman", "τc"]
    assert "judged by you" in own.text
    assert not {"experts τc", "crowd τb"} & {
        head for table in own.tables.values() for head in table[0]
    }
    assert "noise floor" not in {row[0] for row in own.tables["All others"]}


@pytest.mark.parametrize("part", sample())
def test_each_part_can_stand_alone(part: str, tmp_path: Path) -> None:
    Page(tmp_path, {part: sample()[part]})


@pytest.mark.parametrize("part", sample())
def test_each_part_can_be_null_or_empty(part: str, tmp_path: Path) -> None:
    """Without the plots' data, which other tests cover and which is slow."""
    study = {key: value for key, value in sample().items() if key not in {"alignment", "ratings"}}
    study["regressors"] = study["regressors"][:3]
    Page(tmp_path, {**study, part: None})
    if isinstance(sample()[part], dict | list):
        Page(tmp_path, {**study, part: type(sample()[part])()})


def nothing_known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: nothing_known(inner) for key, inner in value.items()}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [nothing_known(inner) for inner in value]
    return value if isinstance(value, str) else None


def test_figures_may_be_unknown(tmp_path: Path) -> None:
    found = Page(tmp_path, nothing_known(copy.deepcopy(sample())))
    assert "nan" not in found.text.lower().split()
    assert "None" not in found.text
    assert found.tables["All others"][1] == ["similarity alonesimilarity"]  # in the original order


def test_without_a_why_and_a_seed(tmp_path: Path) -> None:
    found = Page(tmp_path, {"chosen": "x"})
    assert "Seed" not in found.text
    assert found.titles == []
