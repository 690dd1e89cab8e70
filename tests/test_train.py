"""The whole way from files to a profile."""

import json
import shlex
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from pixquery.commands.loading import view_loader
from pixquery.db.errors import BadData
from pixquery.engine.features import Vectors
from pixquery.engine.profile import MANIFEST, load_profile
from pixquery.trainer.learning import competition, learned
from pixquery.trainer.learning.contenders import contenders
from pixquery.trainer.learning.finetune import TextRecipe
from pixquery.trainer.learning.options import Options
from pixquery.trainer.learning.recipe import Recipe
from pixquery.trainer.learning.train import train
from pixquery.trainer.text_model import TextModel
from tests.conftest import COLOURS, PHOTOS, Invoke, centred, parsed, sentence
from tests.folders import alike, coloured_folder, rated_squares, without_alignment

pytestmark = pytest.mark.usefixtures("one_thread")


class Shallow(TextModel):
    """The text encoder's first layer alone: exporting all six takes long."""

    def __init__(self) -> None:
        super().__init__()
        self.network.encoder.layer = self.network.encoder.layer[:1]


load = view_loader("bicubic")

RECIPE = Recipe(
    epochs=2, batch=8, members=1, hidden=64, width=64, dimension=32, memory_dimension=48
)


def test_from_files_to_a_profile(data: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    options = Options(
        quick=True, alignment=RECIPE, progress=lambda done, total: told.append((done, total))
    )
    out = tmp_path / "out"
    report = train(data, out, load_profile(), load, options)
    assert report["pairs"] == {"expert": 132, "crowd": 132, "both": 132}  # of 144
    assert report["dropped"] | {"words": {}} == {
        "mode": "pairs", "words": {}, "expert": 12, "crowd": 12, "captions": 0,
    }  # fmt: skip
    assert told[-1][0] == told[-1][1]
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    classic = {
        (row["name"], row["split"])
        for row in report["regressors"]
        if row["features"] == "concatenated"
    }
    assert classic == {
        (name, split)
        for name in ("linear", "CatBoost", "network")
        for split in ("two-way", "by photo")
    }
    assert json.loads((out / "report.json").read_text())["chosen"] == report["chosen"]
    assert "<script" not in (out / "report.html").read_text()
    assert report["answers"]
    assert not any("child" in answer["query"] for answer in report["answers"])  # a stop word
    made = load_profile(str(out))
    made.check()
    assert made.alignment.dimension == 48
    tensors = load_file(out / "alignment.safetensors")
    assert tensors["classes.weight"].shape == (1000, 1280)
    assert tensors["names.texts"].shape == (1860 + 1316, 384)
    rows = len(tensors["memory.keys"])
    assert set(tensors["names.rows"]) == set(range(rows - 1000, rows))
    assert made.encoder == load_profile().encoder
    assert ("relevance" in made.manifest) == report["deployed"]
    assert list(tmp_path.iterdir()) == [out]  # nothing unfinished is left beside it


def test_the_text_encoder_is_fine_tuned(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learned, "TextModel", Shallow)
    monkeypatch.setattr(competition, "contenders", partial(contenders, few=True))
    options = Options(
        alignment=RECIPE,
        text=TextRecipe(epochs=1, batch=4, other_photos=4, classes=8, learning_rate=1e-2),
    )
    report = train(data, tmp_path / "out", load_profile(), load, options)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    for answer in report["answers"]:
        beside = [(each["regressor"], each["features"]) for each in answer["orders"][1:]]
        assert beside == [("CatBoost", "concatenated"), ("network", "concatenated")]
    assert "data:image" not in (tmp_path / "out" / "report.html").read_text()
    assert made.manifest["text"]["fine_tuned"]
    assert report["alignment"]["curve"]
    before = load_profile().texts.encode(["a dog on grass"])[0]
    after = made.texts.encode(["a dog on grass"])[0]
    assert np.linalg.norm(after) == pytest.approx(1, abs=1e-3)
    assert not np.allclose(before, after, atol=1e-4)


def test_own_ratings_teach_relevance(data: Path, tmp_path: Path) -> None:
    lines = ["image,text,rating"]
    for place, photo in enumerate(PHOTOS):
        for number in range(4):
            rating = 1 + (place * number) % 5
            lines.append(f"{photo.name},text {number},{rating}")
    file = data / "images" / "dev" / "ratings.csv"
    file.write_text("\n".join(lines) + "\n")
    report = train(file, tmp_path / "out", load_profile(), load, Options(name="mine"))
    assert report["pairs"] == {"expert": 48, "crowd": 0, "both": 0}
    assert report["alignment"] is None
    assert report["scale"] == {"lowest": 1, "highest": 5, "found": True}
    made, shipped = load_profile(str(tmp_path / "out")), load_profile()
    made.check()
    assert made.alignment.digest == shipped.alignment.digest
    assert made.manifest["trained"] == {"from": "lite2-minilm", "pairs": 48, "judges": "you"}
    assert made.name == "mine"
    regressors = [
        profile.manifest["files"][profile.manifest["relevance"]]["sha256"]
        for profile in (made, shipped)
    ]
    assert regressors[0] == regressors[1]  # a taste is beside it


def test_a_taste_is_used_and_can_be_trained_further(
    squares: Path, colours: Path, tmp_path: Path, invoke: Invoke
) -> None:
    """Photos without red get the lowest rating whatever is asked."""

    def judge(photo: str, colour: str) -> int:
        alike = sum(a == b for a, b in zip(COLOURS[photo], COLOURS[colour], strict=True))
        return 1 + (alike if COLOURS[photo][0] > 127 else 0)

    file, out = rated_squares(squares, judge, workers=2), tmp_path / "my own"
    library = tmp_path / "library"
    invoke("index", squares, "--profile", colours, "--library", library)
    done = invoke("train", file, "--out", out, "--profile", colours, "--library", library)
    assert done.exit_code == 0, done.stderr
    assert "ratings by 2 people, on the scale 1..4 (found from their values)" in done.stdout
    assert "crowd" not in done.stdout
    hint = next(line for line in done.stdout.splitlines() if "--rebuild" in line)
    before, made = load_profile(str(colours)), load_profile(str(out))
    made.check()
    assert (made.name, made.manifest["taste"]) == ("my own", "taste.safetensors")
    photos = np.stack([centred("red"), centred("cyan")]).astype(np.float32)
    text = centred("magenta")[None].astype(np.float32)
    gaps = []
    for profile in (before, made):
        assert profile.relevance is not None
        red, cyan = profile.relevance.score(Vectors(text), Vectors(photos))
        gaps.append(red - cyan)
    assert gaps[1] > gaps[0]
    assert invoke(*shlex.split(hint.split("pixquery", 1)[1])).exit_code == 0
    origin = {"from": "colours", "pairs": 64, "judges": "2 people"}
    assert parsed(invoke("info", "--library", library, "--json"))["trained"] == origin
    said = invoke("info", "--library", library).stdout
    assert "trained from colours on 64 pairs judged by 2 people" in said
    further = ("train", file, "--out", tmp_path / "next", "--profile", out, "--json")
    assert parsed(invoke(*further))["from"] == "my own"
    load_profile(str(tmp_path / "next")).check()


def test_own_ratings_are_learned_from_without_an_earlier_regressor(
    tmp_path: Path, unrated: Path, squares: Path
) -> None:
    """Judged by how many channels are the same, as similarity orders them: no regressor is kept."""
    file = rated_squares(squares, judge=lambda shown, said: 1 + alike(shown, said), workers=1)
    profile = load_profile(str(unrated))
    report = train(file, tmp_path / "out", profile, load, Options(scale=(1, 4)))
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.alignment.digest == profile.alignment.digest
    assert made.predicts_relevance == report["deployed"]
    assert report["reranking"]["rated"]["first_stage"]["ndcg@10"] == 1


def test_missing_photos_are_reported_and_nothing_is_left_behind(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    (copy / "images" / "train" / PHOTOS[0].name).unlink()
    with pytest.raises(BadData, match=PHOTOS[0].name):
        train(copy, tmp_path / "out", load_profile(), load)
    assert sorted(tmp_path.iterdir()) == [copy]


def test_pairs_judged_alike_teach_nothing(data: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(data, copy)
    lines = (copy / "ExpertAnnotations.tsv").read_text().splitlines()
    alike = ["\t".join([*line.split("\t")[:2], "2", "2", "2"]) for line in lines]
    (copy / "ExpertAnnotations.tsv").write_text("\n".join(alike) + "\n")
    with pytest.raises(BadData, match="have the same judgement"):
        train(copy, tmp_path / "out", load_profile(), load)


def test_other_encoders_stay_as_they_are_and_get_an_alignment(
    data: Path, tmp_path: Path, unrated: Path
) -> None:
    profile = load_profile(str(unrated))
    options = Options(alignment=RECIPE)
    report = train(data, tmp_path / "out", profile, load, options)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.encoder == profile.encoder
    assert "fine_tuned" not in made.manifest["text"]
    assert made.alignment.digest != profile.alignment.digest
    assert report["alignment"]["before"] is not None
    np.testing.assert_array_equal(made.texts.encode(["red"]), profile.texts.encode(["red"]))


def test_a_joint_profile_keeps_its_space_unless_a_better_one_is_learned(
    data: Path, tmp_path: Path, unrated: Path
) -> None:
    coloured = shutil.copytree(data, tmp_path / "data")
    for file in coloured.glob("captions_*.csv"):  # words that the text encoder distinguishes
        head, *lines = file.read_text().splitlines()
        names = [" ".join(list(COLOURS)[: 1 + place % 7]) for place in range(len(lines))]
        both = [f"{line} {words}" for line, words in zip(lines, names, strict=True)]
        file.write_text("\n".join([head, *both]) + "\n")
    joint = shutil.copytree(unrated, tmp_path / "joint")
    manifest = json.loads((joint / MANIFEST).read_text())
    (joint / MANIFEST).write_text(json.dumps({**manifest, "joint": {"logit_scale": 10}}))
    options = Options(alignment=replace(RECIPE, epochs=0))
    report = train(coloured, tmp_path / "out", load_profile(str(joint)), load, options)
    made = load_profile(str(tmp_path / "out"))
    made.check()
    assert made.manifest["joint"] == {"logit_scale": 10}
    after, before = report["alignment"]["after"], report["alignment"]["before"]
    assert after["recall@10"] >= before["recall@10"]


def test_ratings_alone_keep_the_alignment(tmp_path: Path, colours: Path, invoke: Invoke) -> None:
    """The whole way, through the command line: train, index, evaluate."""
    folder = coloured_folder(tmp_path / "judged")
    with (folder / "CrowdAnnotations.tsv").open("a") as file:
        file.write("0.png\tunheard.png#0\t0\t0\t3\n")
    out = tmp_path / "out"
    run = invoke("train", folder, "--out", out, "--profile", colours, "--quick", "--json")
    assert run.exit_code == 0, run.stderr
    assert "judged is a folder with train_dataset.csv, ExpertAnnotations.tsv" in run.stderr
    assert "left out crowd rows: 1 without a text" in run.stderr
    report = json.loads(run.stdout)
    assert report["dropped_rows"] == {"crowd": {"no text": 1}}
    assert report["alignment_from"] == {"source": "kept", "texts": 0, "photos": 0}
    assert report["alignment"]["chance"]["recall@10"] == pytest.approx(10 / 28, abs=1e-4)
    assert report["alignment"]["recall@5"] == 1  # four shades of one colour
    made = load_profile(str(out))
    made.check()
    assert len(report["answers"]) == 6
    for answer in report["answers"]:
        deployed, beside = answer["orders"]
        assert deployed["regressor"] in (report["chosen"], "similarity alone")
        assert (beside["regressor"], beside["features"]) == ("CatBoost", "concatenated")
        assert (deployed["rank"] == 1) == (answer["kind"] == "best")
        for order in answer["orders"]:
            marked = [place for place, photo in enumerate(order["photos"], 1) if photo["right"]]
            assert marked == ([order["rank"]] if order["rank"] <= 4 else [])
    page = (out / "report.html").read_text()
    assert page.count("<img") == page.count('<img src="data:image/jpeg;base64,') > 50
    assert made.alignment.digest == load_profile(str(colours)).alignment.digest
    library = ("--library", tmp_path / "library")
    assert invoke("index", folder / "test_images", *library, "--profile", out).exit_code == 0
    found = invoke("evaluate", folder / "test_queries.csv", *library, "--json")
    assert json.loads(found.stdout)["first_stage"]["recall@5"] == 1


def test_ratings_alone_teach_an_alignment(tmp_path: Path, colours: Path, invoke: Invoke) -> None:
    folder = coloured_folder(tmp_path / "judged")
    bare = without_alignment(colours, tmp_path / "bare")
    common = (folder, "--profile", bare, "--quick")
    refused = invoke("train", *common, "--out", tmp_path / "kept", "--alignment", "keep")
    assert refused.exit_code == 1
    assert "has no alignment to keep: train with `--alignment learn`" in refused.stderr
    out = tmp_path / "out"
    run = invoke("train", *common, "--out", out, "--no-photos")
    assert run.exit_code == 0, run.stderr
    assert "recall@1 / 5 / 10 by chance: 3.6 / 17.9 / 35.7 %" in run.stdout
    assert "the alignment was learned from only 56 texts of 28 photos" in run.stdout
    made = load_profile(str(out))
    made.check()
    report = json.loads((out / "report.json").read_text())
    assert report["alignment"]["before"] is None
    assert report["alignment"]["recall@5"] > 0.8
    page = (out / "report.html").read_text()
    assert "That is weak" in page
    assert report["answers"]
    assert report["answers"][0]["image"] in page
    assert "<img" not in page


def test_too_few_positives_teach_no_alignment(
    tmp_path: Path, colours: Path, invoke: Invoke
) -> None:
    folder = coloured_folder(tmp_path / "judged", shades=7)
    bare = without_alignment(colours, tmp_path / "bare")
    run = invoke("train", folder, "--profile", bare, "--out", tmp_path / "out")
    assert run.exit_code == 1
    assert "only 7 photos have a text that describes them" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "out").exists()


def test_an_alignment_cannot_be_learned_from_a_csv(tmp_path: Path, invoke: Invoke) -> None:
    file = tmp_path / "ratings.csv"
    file.write_text("image,text,rating\n")
    run = invoke("train", file, "--out", tmp_path / "out", "--alignment", "learn")
    assert run.exit_code == 1
    assert "leave out `--alignment learn`" in sentence(run.stderr)
