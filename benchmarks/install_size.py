"""How large is what `pip install pixquery` brings?

Makes a virtual environment, installs the repository with its base dependencies and nothing else,
and adds up the files of site-packages. Packages are fetched by pip.
"""

import argparse
import importlib.metadata
import platform
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.setting import ROOT, say, tell

INSTALLERS = {"pip", "setuptools", "wheel"}
TAKEN = ("pixquery", "commands", "db", "engine", "indexer", "trainer", "web", "setup.cfg",
         "setup.py", "pyproject.toml")  # fmt: skip
TAKEN_TOO = ("README.md", "LICENSE", "NOTICE")


def main() -> None:
    """Reads the arguments, installs, prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--extra", default="", metavar="NAME", help="with an extra's packages, for example train"
    )
    parser.add_argument("--largest", type=int, default=10, metavar="N", help="packages shown (10)")
    asked = parser.parse_args()
    document: dict[str, Any] = {
        "question": "megabytes of site-packages after an installation",
        "installed": "pixquery" + (f"[{asked.extra}]" if asked.extra else ""),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "system": f"{platform.system()} {platform.machine()}",
    }
    with tempfile.TemporaryDirectory(prefix="pixquery-bench-") as name:
        document |= _measured(Path(name), asked.extra, asked.largest)
    tell(document)


def _measured(place: Path, extra: str, largest: int) -> dict[str, Any]:
    source = place / "source"  # a copy: building leaves folders behind
    source.mkdir()
    for name in (*TAKEN, *TAKEN_TOO):
        found = ROOT / name
        if found.is_dir():
            unread = shutil.ignore_patterns("__pycache__")
            shutil.copytree(found, source / name, symlinks=True, ignore=unread)
        elif found.is_file():
            shutil.copyfile(found, source / name)
    say("making a virtual environment")
    subprocess.run([sys.executable, "-m", "venv", str(place / "venv")], check=True)
    python = place / "venv" / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    say("installing")
    begin = perf_counter()
    wanted = str(source) + (f"[{extra}]" if extra else "")
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", wanted]
    subprocess.run(pip, check=True, stdout=sys.stderr)
    seconds = perf_counter() - begin
    ask = (
        "import pixquery, sysconfig; print(sysconfig.get_paths()['purelib'])"  # and: does it start?
    )
    told = subprocess.run([str(python), "-c", ask], check=True, cwd=place, stdout=subprocess.PIPE)
    site = Path(told.stdout.decode().strip())
    return _sizes(site, largest) | {"seconds_to_install": round(seconds, 1)}


def _sizes(site: Path, largest: int) -> dict[str, Any]:
    """Sums over site-packages, every file counted for the package that lists it."""
    site = site.resolve()
    owner_of: dict[Path, str] = {}
    versions: dict[str, str] = {}
    for package in importlib.metadata.distributions(path=[str(site)]):
        name = package.metadata["Name"]
        versions[name] = package.version
        for entry in package.files or []:
            owner_of[Path(str(package.locate_file(entry))).resolve()] = name
    all_bytes: Counter[str] = Counter()
    bytecode: Counter[str] = Counter()
    for file in site.rglob("*"):
        if file.is_file() and not file.is_symlink():
            name = owner_of.get(file, "")
            all_bytes[name] += file.stat().st_size
            bytecode[name] += file.stat().st_size if file.suffix == ".pyc" else 0
    source = all_bytes - bytecode
    wanted = [name for name in source if name not in INSTALLERS]
    return {
        "megabytes": {
            "everything": _megabytes(all_bytes.total()),
            "without_pip_and_setuptools": _megabytes(sum(all_bytes[name] for name in wanted)),
            "without_these_and_pyc": _megabytes(sum(source[name] for name in wanted)),
        },
        "packages": len([name for name in versions if name not in INSTALLERS]),
        "largest": [
            {
                "package": name or "(listed by no package)",
                "version": versions.get(name, ""),
                "megabytes_without_pyc": _megabytes(source[name]),
                "megabytes": _megabytes(all_bytes[name]),
            }
            for name in sorted(wanted, key=lambda name: -source[name])[:largest]
        ],
    }


def _megabytes(count: int) -> float:
    return round(count / 1e6, 1)


if __name__ == "__main__":
    main()
