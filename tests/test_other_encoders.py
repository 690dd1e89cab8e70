"""Other people's encoders from end to end: add, train, index, query and evaluate.

Small random networks of each kind are saved as their makers save them; everything else is real.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from pixquery.commands.entry import main
from tests import checkpoints
from tests.conftest import PHOTOS, Invoke, Spawn, parsed
from tests.folders import coloured_folder
from tests.hubs import Model, running

pytest.importorskip("torch", reason="PyTorch comes with the extra `train`")
torch = pytest.importorskip("torch")

EXAMPLES = PHOTOS[0].parent
COUNT = len(list(EXAMPLES.iterdir()))
BALLOON = "p15"


@pytest.fixture(scope="module", autouse=True)
def profiles(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of added profiles."""
    del one_thread
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("profiles")
        patch.setenv("PIXQUERY_PROFILES", str(folder))
        yield folder


@pytest.fixture(scope="module")
def clip(profiles: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A joint profile's name."""
    both = tmp_path_factory.mktemp("models") / "both"
    checkpoints.clip(both)
    done = CliRunner().invoke(main, ["models", "add", "clip", "--joint", str(both)])
    assert done.exit_code == 0, done.output
    assert "pixquery index FOLDER --profile clip" in done.stdout
    return "clip"


def queries(folder: Path) -> Path:
    lines = [f"{place},{photo.stem} of {place},{photo.name}" for place, photo in enumerate(PHOTOS)]
    file = folder / "queries.csv"
    file.write_text("\n".join(["query_id,query_text,image", *lines]) + "\n")
    return file


def searched(invoke: Invoke, tmp_path: Path, profile: str) -> None:
    """Indexes with a profile, queries and evaluates."""
    library = ("--library", tmp_path / f"library-{Path(profile).name}")
    done = parsed(invoke("index", EXAMPLES, "--profile", profile, *library, "--json"))
    assert (done["images"], done["skipped"]) == (COUNT, [])
    asked = parsed(invoke("query", "a red balloon", *library, "-k", "3", "--json"))
    assert len(asked["hits"]) == 3
    assert all(-1 <= hit["similarity"] <= 1 for hit in asked["hits"])
    alike = parsed(invoke("query", "--like", PHOTOS[3], *library, "-k", "1", "--json"))
    assert alike["hits"][0]["path"] == str(PHOTOS[3])
    measured = parsed(invoke("evaluate", queries(tmp_path), *library, "--json"))
    assert (measured["queries"], measured["images"]) == (12, COUNT)
    again = parsed(invoke("index", EXAMPLES, *library, "--json"))
    assert (again["unchanged"], again["added"]) == (COUNT, 0)
    assert invoke("verify", *library).exit_code == 0


def trained(invoke: Invoke, data: Path, out: Path, profile: str) -> None:
    done = invoke("train", data, "--quick", "--profile", profile, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    assert (out / "report.html").is_file()


@pytest.mark.slow
def test_resnet_and_distilbert(tmp_path: Path, data: Path, profiles: Path, invoke: Invoke) -> None:
    checkpoints.resnet(tmp_path / "see")
    checkpoints.distilbert(tmp_path / "read")
    added = parsed(
        invoke("models", "add", "pair", "--image", tmp_path / "see", "--text", tmp_path / "read",
               "--json")
    )  # fmt: skip
    assert added["agreement"]["image"]["lowest"] >= 0.999
    assert added["agreement"]["text"]["lowest"] >= 0.999
    assert Path(added["folder"]) == profiles / "pair"
    listed = {row["name"]: row for row in parsed(invoke("models", "list", "--json"))}
    assert (listed["pair"]["aligned"], listed["lite2-minilm"]["aligned"]) == (False, True)
    early = invoke("index", EXAMPLES, "--profile", "pair", "--library", tmp_path / "l")
    assert early.exit_code == 1
    assert "pixquery train DATA --profile pair --out DIR" in early.stderr
    assert not (tmp_path / "l").exists()
    trained(invoke, data, tmp_path / "learned", "pair")
    searched(invoke, tmp_path, str(tmp_path / "learned"))


@pytest.mark.slow
def test_resnet_and_distilbert_learn_from_ratings_alone(
    tmp_path: Path, profiles: Path, invoke: Invoke
) -> None:
    checkpoints.resnet(tmp_path / "see")
    checkpoints.distilbert(tmp_path / "read")
    sources = ("--image", tmp_path / "see", "--text", tmp_path / "read")
    assert invoke("models", "add", "pair", *sources).exit_code == 0
    folder, out = coloured_folder(tmp_path / "judged"), tmp_path / "learned"
    trained(invoke, folder, out, "pair")
    report = json.loads((out / "report.json").read_text())
    assert report["alignment_from"]["source"] == "ratings"
    assert report["alignment"]["recall@10"] > report["alignment"]["chance"]["recall@10"]
    searched(invoke, tmp_path, str(out))


@pytest.mark.slow
def test_torchvisions_file_and_a_sentence_encoder(
    tmp_path: Path, data: Path, invoke: Invoke
) -> None:
    network = checkpoints.shaken(checkpoints.PlainResNet18(width=8))
    torch.save(network.state_dict(), tmp_path / "resnet18-f37072fd.pth")
    (tmp_path / "read").mkdir()
    checkpoints.sentences(tmp_path / "read", "mean", unit=True)
    done = invoke(
        "models", "add", "old", "--image", tmp_path / "resnet18-f37072fd.pth",
        "--text", tmp_path / "read",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    trained(invoke, data, tmp_path / "learned", "old")
    searched(invoke, tmp_path, str(tmp_path / "learned"))


def test_clip_answers_at_once_and_can_be_trained(
    clip: str, tmp_path: Path, data: Path, invoke: Invoke
) -> None:
    listed = invoke("models", "list").stdout
    assert "clip: relevance borrowed from lite2-minilm, which learned it from 2,645 pairs" in listed
    searched(invoke, tmp_path, clip)
    library = ("--library", tmp_path / f"library-{clip}")
    hits = parsed(invoke("query", "a red balloon", *library, "--json"))["hits"]
    assert all(0 <= hit["relevance"] <= 1 for hit in hits)
    least = hits[0]["relevance"]
    few = parsed(invoke("query", "a red balloon", "--min-relevance", least, *library, "--json"))
    assert few["hits"][0] == hits[0]
    trained(invoke, data, tmp_path / "learned", clip)
    searched(invoke, tmp_path, str(tmp_path / "learned"))


@pytest.mark.slow
def test_siglip_answers_at_once(tmp_path: Path, invoke: Invoke) -> None:
    checkpoints.siglip(tmp_path / "both")
    assert invoke("models", "add", "siglip", "--joint", tmp_path / "both").exit_code == 0
    searched(invoke, tmp_path, "siglip")


def test_a_library_goes_over_to_another_profile(clip: str, tmp_path: Path, invoke: Invoke) -> None:
    library = ("--library", tmp_path / "library")
    assert invoke("index", EXAMPLES, *library).exit_code == 0
    refused = invoke("index", EXAMPLES, "--profile", clip, *library)
    assert refused.exit_code == 1
    assert f"--rebuild --profile {clip}" in refused.stderr
    done = parsed(invoke("index", "--rebuild", "--profile", clip, *library, "--json"))
    assert (done["profile"], done["updated"], done["lacking"]) == (clip, COUNT, 0)
    assert parsed(invoke("query", "a dog", *library, "--json"))["profile"] == clip
    back = parsed(invoke("index", "--rebuild", "--profile", "lite2-minilm", *library, "--json"))
    assert (back["profile"], back["updated"]) == ("lite2-minilm", COUNT)
    found = parsed(invoke("query", "a red hot air balloon", *library, "-k", "1", "--json"))
    assert Path(found["hits"][0]["path"]).stem == BALLOON


def test_a_profile_that_went_away_is_told_with_the_way_back(
    clip: str, tmp_path: Path, profiles: Path, invoke: Invoke
) -> None:
    library = ("--library", tmp_path / "library")
    assert invoke("index", EXAMPLES, "--profile", clip, *library).exit_code == 0
    (profiles / clip).rename(tmp_path / "gone")
    try:
        told = invoke("query", "a dog", *library)
    finally:
        (tmp_path / "gone").rename(profiles / clip)
    assert told.exit_code == 1
    assert clip in told.stderr
    assert "pixquery models add" in told.stderr


def test_a_model_is_fetched_from_the_hub(tmp_path: Path, spawn: Spawn) -> None:
    checkpoints.clip(tmp_path / "both")
    files = {file.name: file.read_bytes() for file in (tmp_path / "both").iterdir()}
    add = ("models", "add", "clip", "--joint", "openai/clip-vit-base-patch32", "--json")
    with running() as hub:
        hub.models["openai/clip-vit-base-patch32"] = Model({"c" * 40: files}, ["license:mit"])
        environment = {
            "NO_PROXY": "127.0.0.1,localhost",
            "HF_ENDPOINT": hub.address(),
            "HF_HOME": str(tmp_path / "cache"),
        }
        unasked = spawn(*add, **environment)
        assert unasked.returncode == 2
        assert "openai/clip-vit-base-patch32 (mit) has to be downloaded" in unasked.stderr
        assert "--yes" in unasked.stderr
        assert not hub.requests("model.safetensors")
        done = spawn(*add, "--yes", **environment)
        assert done.returncode == 0, done.stderr
        added = json.loads(done.stdout)
        assert added["licence"] == "mit"
        manifest = json.loads((Path(added["folder"]) / "manifest.json").read_text())
        assert manifest["sources"][0]["revision"] == "c" * 40
        assert done.stderr.startswith("downloading openai/clip-vit-base-patch32 (mit), ")
    alone = {**environment, "HF_HUB_OFFLINE": "1", "PIXQUERY_PROFILES": str(tmp_path / "again")}
    offline = spawn(*add, **alone)
    assert json.loads(offline.stdout)["agreement"] == added["agreement"]
    empty = {**alone, "HF_HOME": str(tmp_path / "empty"), "PIXQUERY_PROFILES": str(tmp_path / "x")}
    refused = spawn(*add, **empty)
    assert refused.returncode == 1
    assert "Traceback" not in refused.stderr
    for word in ("config.json", "onnx/text_model.onnx", "openai/clip-vit-base-patch32",
                 "models add"):  # fmt: skip
        assert word in refused.stderr
    assert not (tmp_path / "x" / "clip").exists()
