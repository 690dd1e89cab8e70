"""Fixtures: profiles whose answers a person can work out, and folders of colour squares.

An image is its mean colour, a text the mean of its colour words, and the alignment moves the
middle of the colour cube to the origin. So the eight corners of the cube have cosines of 1, 1/3,
-1/3 and -1 (one, two or three channels differ), and "red" must find the red square.
"""

import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, settings
from PIL import Image
from safetensors.numpy import save_file

from pixquery.commands.entry import main
from pixquery.db.catalog import Catalog
from pixquery.engine.library import CATALOGUE, Library
from pixquery.engine.profile import MANIFEST, Profile, load_profile
from pixquery.indexer.scan import Scan
from tests.hubs import Hub, running
from tests.regressors import Kind, write_regressor

if TYPE_CHECKING:  # which imports this file
    from tests.proofs.material import Children

# Where tests run in the background Ctrl-C is ignored, also by the programs that they start and send
# it to.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).parent.parent
DATA = (REPOSITORY / ".." / "shared" / "data").resolve()
SIZE = 8
"""Side of the colour encoder's input."""

COLOURS = {
    "black": (0, 0, 0),
    "red": (255, 0, 0),
    "green": (0, 255, 0),
    "blue": (0, 0, 255),
    "yellow": (255, 255, 0),
    "cyan": (0, 255, 255),
    "magenta": (255, 0, 255),
    "white": (255, 255, 255),
}
SUFFIXES = (".jpg", ".png", ".gif", ".webp", ".bmp", ".tiff")

Invoke = Callable[..., Result]
NewLibrary = Callable[[], Library]
Spawn = Callable[..., subprocess.CompletedProcess[str]]
Snapshot = Callable[[str, str], None]

settings.register_profile(
    "pixquery",
    deadline=None,  # a shared machine is slow at times, and that is no defect
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("pixquery")


@pytest.fixture(autouse=True)
def _numbers_as_usual() -> None:
    """Undoes what libraries for models do to their thread: they take the smallest numbers for 0.

    Hypothesis draws such numbers, and refuses to where there are none.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).fesetenv(ctypes.c_void_p(-1))


# -- squares ----------------------------------------------------------------------------------


def square(
    file: Path, colour: str | tuple[int, int, int], size: tuple[int, int] = (24, 16), **save: Any
) -> Path:
    """Writes one colour as an image; the suffix decides the format."""
    rgb = COLOURS[colour] if isinstance(colour, str) else colour
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".jpg":
        save = {"quality": 95, "subsampling": 0} | save
    if file.suffix == ".webp":
        save = {"lossless": True} | save
    Image.new("RGB", size, rgb).save(file, **save)
    return file


def centred(colour: str | tuple[int, int, int]) -> np.ndarray:
    """The unit vector that a colour must get, float64[3]."""
    rgb = COLOURS[colour] if isinstance(colour, str) else colour
    vector = np.array(rgb) / 255 - 0.5
    return vector / np.linalg.norm(vector)


@pytest.fixture
def squares(tmp_path: Path) -> Path:
    """A folder with one square of each colour, in every format and at several depths."""
    root = tmp_path / "squares"
    for place, (colour, suffix) in enumerate(zip(COLOURS, [*SUFFIXES, *SUFFIXES], strict=False)):
        square(root / "/".join(["deep"] * (place % 3)) / f"{colour}{suffix}", colour)
    return root


# -- files that nobody opens ---------------------------------------------------------------------


def plant(root: Path, *names: str) -> None:
    """Writes files of these names, whose bytes are no photo's."""
    for name in names:
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(os.fsencode(name))


def names(found: Scan, root: Path) -> set[str]:
    """The photos of a scan, as paths below the root."""
    return {os.path.relpath(path, root) for path in found.files}


# -- profiles ---------------------------------------------------------------------------------


def write_profile(
    folder: Path, name: str, *, scale: int = 1, relevance: Kind = "cosine", english: bool = False
) -> Path:
    """Makes a profile as the trainer lays it out; its scale changes numbers and no answer.

    One that is ``english`` says so, and splits words as BERT does.
    """
    folder.mkdir(parents=True)
    (folder / "image.onnx").write_bytes(_image_model())
    (folder / "text.onnx").write_bytes(_text_model())
    _tokenizer(english=english).save(str(folder / "tokenizer.json"))
    straight, half = scale * np.eye(3, dtype=np.float32), scale * np.full(3, -0.5, np.float32)
    save_file(
        {
            "image.weight": straight,
            "image.bias": half,
            "text.0.weight": straight,
            "text.0.bias": half,
        },
        folder / "alignment.safetensors",
    )
    manifest: dict[str, Any] = {
        "name": name,
        "description": "Colours and their words",
        "licence": "CC0-1.0",
        "image": {
            "models": {"float": "image.onnx"},
            "source_sha256": name.encode().hex().ljust(64, "0")[:64],
            "size": SIZE,
            "dimension": 3,
        },
        "text": {
            "model": "text.onnx",
            "tokenizer": "tokenizer.json",
            "dimension": 3,
            "max_tokens": 16,
        },
        "alignment": "alignment.safetensors",
    }
    if english:
        manifest["text"]["languages"] = ["en"]
    manifest |= write_regressor(folder, relevance, np.stack([centred(each) for each in COLOURS]))
    manifest["files"] = {
        file.name: {"bytes": file.stat().st_size, "sha256": sha256(file.read_bytes()).hexdigest()}
        for file in sorted(folder.iterdir())
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2), "utf-8")
    return folder


def _image_model() -> bytes:
    from onnx import TensorProto, helper

    graph = helper.make_graph(
        [
            helper.make_node("Cast", ["pixels"], ["floats"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["floats"], ["mean"], axes=[1, 2], keepdims=0),
            helper.make_node("Div", ["mean", "top"], ["vectors"]),
        ],
        "mean colour",
        [helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIZE, SIZE, 3])],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor("top", TensorProto.FLOAT, [], [255.0])],
    )
    return _serialized(graph)


def _text_model() -> bytes:
    from onnx import TensorProto, helper

    table = [[0.5, 0.5, 0.5]] * 2 + [[value / 255 for value in rgb] for rgb in COLOURS.values()]
    graph = helper.make_graph(
        [
            helper.make_node("Gather", ["table", "ids"], ["words"], axis=0),
            helper.make_node("Cast", ["mask"], ["weights"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["weights", "last"], ["column"]),
            helper.make_node("Mul", ["words", "column"], ["weighted"]),
            helper.make_node("ReduceSum", ["weighted", "middle"], ["sum"], keepdims=0),
            helper.make_node("ReduceSum", ["column", "middle"], ["count"], keepdims=0),
            helper.make_node("Max", ["count", "one"], ["least"]),
            helper.make_node("Div", ["sum", "least"], ["vectors"]),
        ],
        "mean colour word",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, ["n", "l"])
            for name in ("ids", "mask")
        ],
        [helper.make_tensor_value_info("vectors", TensorProto.FLOAT, ["n", 3])],
        [
            helper.make_tensor(
                "table", TensorProto.FLOAT, [len(table), 3], [v for row in table for v in row]
            ),
            helper.make_tensor("last", TensorProto.INT64, [1], [2]),
            helper.make_tensor("middle", TensorProto.INT64, [1], [1]),
            helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        ],
    )
    return _serialized(graph)


def _serialized(graph: Any) -> bytes:
    from onnx import checker, helper

    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8  # as old as the opset: any runtime reads it
    checker.check_model(model)
    return bytes(model.SerializeToString())


def _tokenizer(*, english: bool) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    words = ["[PAD]", "[UNK]", *COLOURS]
    kind = models.WordPiece if english else models.WordLevel
    tokenizer = Tokenizer(
        kind({word: place for place, word in enumerate(words)}, unk_token="[UNK]")
    )
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return tokenizer


@pytest.fixture(scope="session", autouse=True)
def surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Compiled models and default libraries go to folders of their own, never to the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIXQUERY_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        patch.setenv("COLUMNS", "100")
        for name in ("PIXQUERY_LIBRARY", "PIXQUERY_DEBUG", "NO_COLOR", "FORCE_COLOR"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour profile's folder; its relevance is the similarity, unless that is negative."""
    return write_profile(tmp_path_factory.mktemp("profiles") / "colours", "colours")


@pytest.fixture(scope="session")
def english(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour profile with the words of English, as far as they are colours."""
    return write_profile(tmp_path_factory.mktemp("profiles") / "english", "english", english=True)


@pytest.fixture(scope="session")
def tints(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another profile: the same models by another name, and a steeper relevance."""
    folder = tmp_path_factory.mktemp("profiles") / "tints"
    return write_profile(folder, "tints", scale=2, relevance="steep")


@pytest.fixture(scope="session")
def unrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The colour profile without a relevance regressor, as joint profiles are."""
    folder = tmp_path_factory.mktemp("profiles") / "unrated"
    return write_profile(folder, "unrated", relevance="none")


@pytest.fixture(scope="session")
def models(colours: Path) -> Profile:
    """The colour profile, loaded once: compiling takes longer than most tests."""
    return load_profile(str(colours))


@pytest.fixture
def new_library(models: Profile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NewLibrary]:
    """Makes empty libraries of the colour profile, as many as wanted."""
    made: list[Library] = []

    def make() -> Library:
        folder = tmp_path_factory.mktemp("library")
        catalog = Catalog(folder / CATALOGUE)
        catalog.keep("profile", str(models.folder))
        made.append(Library(folder, catalog, models))
        return made[-1]

    yield make
    for library in made:
        library.close()


# -- the command line -------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A few hundred squares of different shades."""
    root = tmp_path / "many"
    for number in range(150):
        file = root / f"{number % 7}" / f"{number:03}.png"
        square(file, (number, 255 - number, (number * 7) % 256), size=(9, 9))
    return root


@pytest.fixture
def library(new_library: NewLibrary, squares: Path) -> Library:
    """A library of the eight squares."""
    from pixquery.indexer.build import index

    made = new_library()
    assert index(made, [squares]).added == 8
    return made


@pytest.fixture
def invoke() -> Invoke:
    """Runs a command in this process: fast."""

    def run(*words: str | Path, **env: str) -> Result:
        runner = CliRunner(env=env)
        return runner.invoke(main, [str(word) for word in words], prog_name="pixquery")

    return run


@pytest.fixture
def place(tmp_path: Path, squares: Path, colours: Path, invoke: Invoke) -> Path:
    """A library of the squares."""
    folder = tmp_path / "library"
    done = invoke("index", squares, "--library", folder, "--profile", colours)
    assert done.exit_code == 0, done.output
    return folder


@pytest.fixture
def spawn() -> Spawn:
    """Runs a command as a user does: a process of its own."""

    def run(*words: str | Path, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(REPOSITORY / "cli.py"), *map(str, words)],
            capture_output=True,
            text=True,
            env={**os.environ, **env},
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def snapshot() -> Snapshot:
    """Compares a text with the file kept of it; ``UPDATE_SNAPSHOTS=1`` keeps the new one."""

    def compare(name: str, text: str) -> None:
        file = Path(__file__).parent / "snapshots" / f"{name}.txt"
        if os.environ.get("UPDATE_SNAPSHOTS") == "1":
            file.write_text(text, "utf-8")
        if not file.is_file():
            pytest.fail(f"there is no snapshot {file.name}: look at the output, then keep it with "
                        f"UPDATE_SNAPSHOTS=1\n{text}")  # fmt: skip
        assert text == file.read_text("utf-8")

    return compare


@pytest.fixture(scope="module")
def one_thread() -> Iterator[None]:
    """Networks this small take ten times as long in PyTorch when threads wait for each other."""
    from pixquery.trainer.learning import regressors

    with regressors.one_thread():
        yield


# -- data to train on ---------------------------------------------------------------------------

PHOTOS = sorted((REPOSITORY / "examples" / "images").glob("*.jpg"))[:12]


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny data set of the example photos, rated by whether text and photo belong together."""
    folder = tmp_path_factory.mktemp("data")
    captions = ["image,query_id,query_text"]
    ratings, crowd = [], []
    for kind in ("train", "rated", "dev"):
        (folder / "images" / kind).mkdir(parents=True)
        for photo in PHOTOS:
            shutil.copy(photo, folder / "images" / kind)
    for place, photo in enumerate(PHOTOS):
        text = "a child in the snow" if place == 0 else f"thing number {place} of {place * 37}"
        captions.append(f"{photo.name},{photo.name}#0,{text}")
        for distance, other in enumerate(PHOTOS):
            grade = 4 if other == photo else 1 + (distance % 2)
            ratings.append(f"{other.name}\t{photo.name}#0\t{grade}\t{grade}\t{grade}")
            yes = 3 if other == photo else distance % 2
            crowd.append(f"{other.name}\t{photo.name}#0\t{yes / 3:.3f}\t{yes}\t{3 - yes}")
    for kind in ("train", "rated", "dev"):
        (folder / f"captions_{kind}.csv").write_text("\n".join(captions) + "\n")
    (folder / "ExpertAnnotations.tsv").write_text("\n".join(ratings) + "\n")
    (folder / "CrowdAnnotations.tsv").write_text("\n".join(crowd) + "\n")
    return folder


# -- a real library ---------------------------------------------------------------------------


@pytest.fixture(scope="session")
def flickr() -> Path:
    """The Flickr8k files."""
    folder = DATA / "flickr8k"
    if not folder.is_dir():
        pytest.skip("the Flickr8k files do not lie in ../shared/data/flickr8k")
    return folder


def sentence(text: str) -> str:
    """Checks that an error is one line without a traceback."""
    assert text.startswith("pixquery: "), text
    assert text.count("\n") == 1, text
    assert "Traceback" not in text
    return text


def parsed(result: Result | subprocess.CompletedProcess[str]) -> Any:
    """The JSON on stdout."""
    return json.loads(result.stdout)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """A hub that listens, and its library set to it as the environment would at its start."""
    from huggingface_hub import close_session, constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(name, "127.0.0.1,localhost")
    with running() as hub:
        template = hub.address() + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.address())
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", False)
        close_session()
        yield hub
        close_session()


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled fault library."""
    from tests.proofs.material import NoFaults, compiled_faults  # which imports this file

    try:
        return compiled_faults(tmp_path_factory.mktemp("faults"))
    except NoFaults as reason:
        pytest.skip(str(reason))


@pytest.fixture
def children(tmp_path: Path, faults: Path) -> "Iterator[Children]":
    from tests.proofs.material import Children

    with Children(tmp_path, faults) as made:
        yield made
