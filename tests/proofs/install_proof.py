"""Does pixquery work however it is installed, and does it leave other people's packages alone?

Builds a wheel and an sdist, then uses each of four installations from a folder that holds a module
``db.py``, in an environment that has web.py: the wheel, a clone with its dependencies alone, the
clone installed as editable, and the unpacked sdist, whose tests run. Packages are fetched by pip.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.setting import EXAMPLES, ROOT, say, tell

OTHERS = ("web.py==0.62", "db.py of the current folder")
TESTS = ("tests/test_package.py", "tests/test_search.py", "tests/test_library.py")
TOOLS = ("build", "hypothesis <7", "onnx <2", "pytest <10", "setuptools >=77")
SCRIPTS, SUFFIX = ("Scripts", ".exe") if sys.platform == "win32" else ("bin", "")
QUERY = "a red hot air balloon"
FIRST = "p15.jpg"
_FOREIGN = "import db, web; web.application, db.MINE; import pixquery; print(pixquery.Library)"
_HELLO = (
    {"id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {},
        "clientInfo": {"name": "install_proof", "version": "1"}}},
    {"method": "notifications/initialized"},
    {"id": 2, "method": "tools/list"},
)  # fmt: skip


class Failed(RuntimeError):
    """A step did not do what it must; the message says which."""


def main() -> None:
    """Runs every installation; the exit status is 1 where one failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tests", nargs="*", default=TESTS, metavar="FILE",
                        help="what runs in the unpacked sdist (a sample)")  # fmt: skip
    options = parser.parse_args()
    begin = perf_counter()
    with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as name:
        proof = Proof(Path(name).resolve())
        document: dict[str, Any] = {
            "question": "does it work however it is installed, and leave others alone",
            "python": sys.version.split()[0],
            "beside": OTHERS,
            "built": proof.build(),
            "wheel": proof.attempt("wheel", proof.use_wheel),
            "clone": proof.attempt("clone", proof.use_clone),
            "editable": proof.attempt("editable", proof.use_editable),
            "sdist": proof.attempt("sdist", lambda: proof.use_sdist(options.tests)),
        }
    failures = [name for name, found in document.items()
                if isinstance(found, dict) and "failed" in found]  # fmt: skip
    tell(document | {"seconds": round(perf_counter() - begin), "failures": failures})
    sys.exit(1 if failures else 0)


class Proof:
    """One environment, in which the installations follow one another."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clone = folder / "clone"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        (self.elsewhere / "db.py").write_text("MINE = True\n")
        self.python = str(folder / "venv" / SCRIPTS / f"python{SUFFIX}")
        self.program = str(folder / "venv" / SCRIPTS / f"pixquery{SUFFIX}")

    def attempt(self, name: str, use: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What an installation answered, or why it failed."""
        say(f"using the {name}")
        try:
            return use()
        except Failed as failure:
            return {"failed": str(failure)}

    # -- installations --------------------------------------------------------------------------

    def build(self) -> dict[str, Any]:
        """Builds the wheel from the sdist, and another from the clone."""
        run("git", "clone", "--quiet", "--no-hardlinks", str(ROOT), str(self.clone))
        build = (sys.executable, "-m", "build", "--no-isolation", "--outdir")
        run(*build, str(self.folder / "dist"), str(self.clone))
        run(*build, str(self.folder / "direct"), "--wheel", str(self.clone))
        (wheel,) = (self.folder / "dist").glob("*.whl")
        (sdist,) = (self.folder / "dist").glob("*.tar.gz")
        (direct,) = (self.folder / "direct").glob("*.whl")
        self.wheel, self.sdist = wheel, sdist
        shutil.rmtree(self.clone / "build")
        run(sys.executable, "-m", "venv", str(self.folder / "venv"))
        self._pip("install", "web.py==0.62")
        contents = contents_of(wheel)
        found: dict[str, Any] = {
            "megabytes": {file.name: round(file.stat().st_size / 1e6, 1)
                          for file in (wheel, sdist)},
            "top_level": sorted({name.partition("/")[0] for name in contents
                                 if ".dist-info/" not in name}),
            "files": len(contents),
            "sdist_makes_the_clone's_wheel": contents == contents_of(direct),
        }  # fmt: skip
        if found["top_level"] != ["pixquery"] or contents != contents_of(direct):
            found["failed"] = "the wheel is not what it must be"
        return found

    def use_wheel(self) -> dict[str, Any]:
        """The wheel with the extras that `serve` and `mcp` need."""
        self._pip("install", f"pixquery[mcp,web] @ {self.wheel.as_uri()}")
        return self._use(self.program) | {"module": self._version(self.python, "-m", "pixquery")}

    def use_clone(self) -> dict[str, Any]:
        """`python cli.py`: the dependencies stay installed, the package does not."""
        self._pip("uninstall", "--yes", "pixquery")
        return self._use(self.python, str(self.clone / "cli.py"), importable=False)

    def use_editable(self) -> dict[str, Any]:
        """The clone, installed as editable."""
        self._pip("install", "--editable", str(self.clone))
        found = self._use(self.program)
        self._pip("uninstall", "--yes", "pixquery")
        return found

    def use_sdist(self, tests: list[str]) -> dict[str, Any]:
        """The unpacked sdist: `python cli.py`, and its tests."""
        with tarfile.open(self.sdist) as archive:
            archive.extractall(self.folder, filter="data")
        source = self.folder / self.sdist.name.removesuffix(".tar.gz")
        found = self._use(self.python, str(source / "cli.py"), importable=False)
        self._pip("install", *TOOLS)
        done = run(self.python, "-m", "pytest", "-q", "-m", "not slow", *tests, cwd=source)
        return found | {"tests": done.strip().splitlines()[-1]}

    # -- use ------------------------------------------------------------------------------------

    def _use(self, *command: str, importable: bool = True) -> dict[str, Any]:
        """Every command once, from another folder, in a library of its own."""
        library = self.folder / "library"
        shutil.rmtree(library, ignore_errors=True)
        words = ("--library", str(library))
        found: dict[str, Any] = {"version": self._version(*command)}
        indexed = self._here(*command, "index", str(EXAMPLES), "--json", *words)
        found["index"] = json.loads(indexed)["added"]
        answer = json.loads(self._here(*command, "query", QUERY, "--json", *words))
        found["query"] = Path(answer["hits"][0]["path"]).name
        if found["query"] != FIRST:
            raise Failed(f"{found['query']} came first, not {FIRST}")
        found["serve"] = self._served(*command, "serve", "--port", "0", "--json", *words)
        found["mcp"] = self._talked(*command, "mcp", *words)
        if importable:
            found["library"] = self._here(self.python, "-c", _FOREIGN).strip()
        else:
            self._here(self.python, "-c", _FOREIGN.partition("; import pixquery")[0])
        return found | {"web.application": "is there", "db": "is the user's"}

    def _version(self, *command: str) -> str:
        return self._here(*command, "--version").strip()

    def _served(self, *command: str) -> str:
        """Starts a server, asks it once and stops it."""
        environment = os.environ | {"PIXQUERY_CACHE": str(self.folder / "cache")}
        process = subprocess.Popen(
            command, cwd=self.elsewhere, env=environment, text=True, stdout=subprocess.PIPE
        )
        try:
            assert process.stdout is not None
            lines = ""
            while not lines.endswith("}\n"):
                line = process.stdout.readline()
                if not line:
                    raise Failed("the server ended before it said where it listens")
                lines += line
            url = json.loads(lines)["url"]
            with urllib.request.urlopen(url, timeout=30) as answer:
                status, page = answer.status, answer.read().decode("utf-8")
            if "<title>" not in page:
                raise Failed("the server's start page is no page")
            return f"{status}, {len(page):,} characters"
        finally:
            process.terminate()
            process.wait(timeout=60)

    def _talked(self, *command: str) -> list[str]:
        """Asks the server for assistants which tools it has."""
        said = "".join(json.dumps({"jsonrpc": "2.0"} | message) + "\n" for message in _HELLO)
        process = subprocess.Popen(
            command, cwd=self.elsewhere, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(said)
            process.stdin.flush()
            for line in process.stdout:
                answer = json.loads(line)
                if answer.get("id") == 2:
                    return sorted(tool["name"] for tool in answer["result"]["tools"])
            raise Failed("the server for assistants ended without an answer")
        finally:
            with suppress(OSError):
                process.stdin.close()
            process.wait(timeout=60)

    def _here(self, *command: str) -> str:
        return run(*command, cwd=self.elsewhere, PIXQUERY_CACHE=str(self.folder / "cache"))

    def _pip(self, *words: str) -> None:
        run(self.python, "-m", "pip", *words, "--quiet", "--disable-pip-version-check")


def run(*command: str, cwd: Path | None = None, **environment: str) -> str:
    """The output of a program that must succeed."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-15:])
        raise Failed(f"{' '.join(command)} ended with {done.returncode}: {last}")
    return done.stdout


def contents_of(wheel: Path) -> dict[str, str]:
    """The files of a wheel and their SHA-256."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


if __name__ == "__main__":
    main()
