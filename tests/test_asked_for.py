"""A regressor that is asked for is deployed, whatever it loses, and a query uses it."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from pixquery import Library
from pixquery.commands.loading import scales_loader, view_loader
from pixquery.db.errors import BadData, ProfileDamaged, ProfileError
from pixquery.engine.manifest import CHECKSUM, MANIFEST
from pixquery.engine.profile import load_profile
from pixquery.engine.query import Query
from pixquery.engine.relevance import Regressor
from pixquery.indexer.build import index
from pixquery.trainer.learning.contenders import asked_for
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.train import train
from pixquery.trainer.measuring.pairs import Pair
from pixquery.trainer.measuring.score import score
from tests.conftest import Invoke, parsed
from tests.folders import alike, rated_squares

load = view_loader("bicubic")


def altered(folder: Path, **entries: Any) -> None:
    """Changes a manifest, without the checksum that would tell."""
    manifest = json.loads((folder / MANIFEST).read_text()) | entries
    manifest.pop(CHECKSUM, None)
    (folder / MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture
def ratings(squares: Path) -> Path:
    """How many channels a square and a colour share, as a rating from 1 to 4."""
    return rated_squares(squares, judge=lambda shown, said: 1 + alike(shown, said), workers=1)


@pytest.mark.parametrize(
    ("regressor", "features"),
    [("linear", "concatenated"), ("catboost", "concatenated"), ("network", "concatenated"),
     ("linear", "product")],
)  # fmt: skip
def test_it_answers_queries(
    regressor: str, features: str, ratings: Path, unrated: Path, tmp_path: Path, invoke: Invoke
) -> None:
    squares, out = ratings.parent, tmp_path / "out"
    options = Options(scale=(1, 4), regressor=regressor, features=features)
    report = train(ratings, out, load_profile(str(unrated)), load, options)
    made = load_profile(str(out))
    made.check()
    written = {file.name for file in out.iterdir()}
    assert written - set(made.manifest["files"]) == {MANIFEST, "report.html", "report.json"}
    assert report["deployed"]
    assert f" on {features} features was asked for" in report["why"]
    assert made.manifest["trained"]["asked"] == report["why"]
    assert isinstance(made.relevance, Regressor)
    assert (made.relevance.predictor.kind, made.relevance.features) == (regressor, features)
    with Library.open(tmp_path / "library", create=True, profile=str(out)) as library:
        index(library, [squares])
        hits = library.search(Query("red", k=8)).hits
        pairs = [Pair(hit.path, "red") for hit in hits]
    # The photos' vectors are stored in half precision.
    alone = {
        pair.image: relevance
        for pair, _, relevance in score(pairs, made, scales_loader(made.sizes, made.interpolation))
    }
    assert [hit.relevance for hit in hits] == pytest.approx(
        [alone[hit.path] for hit in hits], abs=0.02
    )
    asked = parsed(invoke("query", "red", "--json", "--library", tmp_path / "library"))
    assert [hit["relevance"] for hit in asked["hits"]] == pytest.approx(
        [hit.relevance for hit in hits], abs=1e-3
    )


def test_a_regressor_for_other_encoders_is_refused(
    ratings: Path, unrated: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    options = Options(scale=(1, 4), regressor="linear", features="concatenated")
    train(ratings, out, load_profile(str(unrated)), load, options)
    altered(out, regressor={"kind": "linear", "features": "product"})
    with pytest.raises(ProfileDamaged, match="numbers of a pair"):
        _ = load_profile(str(out)).relevance


@pytest.mark.parametrize(
    "entry",
    [
        {"kind": "forest", "features": "aligned"},
        {"kind": "linear"},
        {"kind": "catboost", "features": "aligned"},
        {"kind": "catboost", "features": "aligned", "trees": "../x"},
    ],
)
def test_a_manifest_that_names_no_regressor_is_refused(
    entry: dict[str, str], tints: Path, tmp_path: Path
) -> None:
    shutil.copytree(tints, tmp_path / "odd")
    altered(tmp_path / "odd", regressor=entry)
    with pytest.raises(ProfileError, match="regressor"):
        load_profile(str(tmp_path / "odd"))


def test_what_can_be_asked_for() -> None:
    assert asked_for("auto", "auto") == []
    named = [(each.name, each.features) for each in asked_for("network", "auto")]
    assert named == [("network", name) for name in ("aligned", "concatenated", "product")]
    concatenated = {each.name for each in asked_for("auto", "concatenated")}
    assert concatenated == {"linear", "CatBoost", "network"}
    assert [each.name for each in asked_for("logistic", "auto")] == ["logistic"]
    with pytest.raises(BadData, match="leave out --features"):
        asked_for("logistic", "concatenated")
