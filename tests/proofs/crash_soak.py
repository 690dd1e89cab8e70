"""Is anything lost, or in need of repair, when `index` is killed at a random moment?

Run it: ``python -m tests.proofs.crash_soak``; in short: ``--cycles 2``.

For each rung of the index ladder, photos change at random, and `index` runs in its own process and
gets SIGKILL: most often at a random moment within the time of a full run, otherwise in the middle
of the n-th write, fsync, rename or creation of a file. After every cycle

- every photo that progress had acknowledged is in the catalogue;
- a query answers from what was committed;
- after one plain `index`, perhaps after a second kill, the library equals a fresh build except for
  ids: paths, sizes, times, hashes, raw vectors, the answers to every colour word;
- `verify` finds nothing.

`--seed S --cycle N` replays one cycle with the same photos and changes. A kill at a call comes at
the same call again; a kill at a moment comes as near to it as the computer's load allows.
"""

import argparse
import random
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

from benchmarks.setting import machine, print_json, say, versions
from pixquery.db.errors import PixqueryError
from tests.proofs.kills import HALF_A_WRITE, KILL
from tests.proofs.material import (
    BATCH,
    RUNGS,
    Children,
    Ended,
    NoFaults,
    Photos,
    Workplace,
    compiled_faults,
    differences,
    untrue,
)

PHOTOS = 70
CHANGES = 25


def main() -> None:
    """Kills `index` again and again, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cycles", type=int, default=200, metavar="N", help="per rung (200)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cycle", type=int, metavar="N", help="only this one")
    parser.add_argument("--rung", choices=RUNGS, action="append", help="only this one")
    arguments = parser.parse_args()
    cycles = range(arguments.cycles) if arguments.cycle is None else [arguments.cycle]
    document: dict[str, Any] = {
        "question": "is anything lost or in need of repair when index is killed?",
        "machine": machine(),
        "versions": versions("faiss-cpu", "sqlalchemy"),
        "seed": arguments.seed,
        "photos": PHOTOS,
        "rungs": {},
    }
    failed = False
    for rung in arguments.rung or RUNGS:
        with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
            result = prove(Path(folder), rung, cycles, arguments.seed)
        document["rungs"][rung] = result
        failed = failed or bool(result["failures"])
        say(f"{rung}: {result}")
    print_json(document)
    raise SystemExit(int(failed))


def prove(folder: Path, rung: str, cycles: range | list[int], seed: int) -> dict[str, Any]:
    """Runs cycles; each has its own seed, so that any can be replayed alone."""
    begin = perf_counter()
    tally: Counter[str] = Counter()
    failures: list[str] = []
    try:
        faults = compiled_faults(folder)
    except NoFaults as reason:
        say(f"killed at random moments only: {reason}")
        faults = None
    with Children(folder, faults) as children:
        seconds = _time_of_a_whole_run(Workplace(folder / "time", RUNGS[rung]), children)
        for cycle in cycles:
            subfolder = folder / f"cycle-{cycle}"
            one = _Cycle(
                Workplace(subfolder, RUNGS[rung]), children, f"{seed} {rung} {cycle}", tally
            )
            try:
                wrongs = list(one.run(seconds, at_calls=faults is not None))
            except (PixqueryError, AssertionError) as error:
                wrongs = [f"{type(error).__name__}: {error}"]
            failures += [f"cycle {cycle}: {wrong}" for wrong in wrongs]
            for wrong in wrongs:
                say(f"{rung}, cycle {cycle}: {wrong}")
            shutil.rmtree(subfolder)
            if cycle % 20 == 19:
                say(f"{rung}: {cycle + 1} cycles, {len(failures)} failures, {dict(tally)}")
    return {
        "cycles": len(cycles),
        **{name: tally[name] for name in sorted(tally)},
        "failures": failures,
        "seconds": round(perf_counter() - begin, 1),
    }


def _time_of_a_whole_run(workplace: Workplace, children: Children) -> float:
    photos = Photos(workplace.folder / "photos", PHOTOS, 0)
    workplace.fresh([photos.root])  # compiles the models
    return children.run("index", **_request(workplace, photos)).seconds


def _request(workplace: Workplace, photos: Photos) -> dict[str, Any]:
    """The request to a child that indexes."""
    return {
        "library": str(workplace.library),
        "profile": str(workplace.profile),
        "roots": [str(photos.root)],
        "batch_size": BATCH,
        "limits": dict(workplace.limits),
        "acknowledged": str(workplace.folder / "acknowledged"),
    }


class _Cycle:
    """One library, whose writer is killed once or twice while it is made or brought up to date."""

    def __init__(
        self, workplace: Workplace, children: Children, seed: str, tally: Counter[str]
    ) -> None:
        self._workplace = workplace
        self._children = children
        self._random = random.Random(seed)
        self._photos = Photos(workplace.folder / "photos", PHOTOS, self._random.randrange(2**32))
        self._tally = tally

    def run(self, seconds: float, *, at_calls: bool) -> Iterator[str]:
        roots = [self._photos.root]
        if self._random.random() < 0.75:  # otherwise killed while the library is made
            self._workplace.index(roots)
            for _ in range(self._random.randrange(1, CHANGES)):
                self._photos.change()
        for _ in range(self._random.choice((1, 1, 2))):
            promised = self._workplace.promise(roots)
            # On a busy machine the next run may be killed before it has begun with its own.
            self._acknowledgements.unlink(missing_ok=True)
            ended = self._killed(seconds, at_calls=at_calls)
            if ended.status not in (0, -signal.SIGKILL):
                yield f"index ended with {ended.status}: {ended.output}"
            acknowledged = self._acknowledged()
            self._tally["photos acknowledged"] += acknowledged
            kept = promised.kept(self._workplace)
            if kept < acknowledged:
                yield f"{acknowledged} photos were acknowledged and {kept} are kept"
        if self._random.random() < 0.5:
            yield from self._query()
        after = self._workplace.index(roots)
        yield from differences(after, self._workplace.fresh(roots))
        yield from (f"verify: {what}" for what in self._workplace.verify())
        self._tally[f"ended {self._workplace.kind().split(' of ')[0]}"] += 1

    def _killed(self, seconds: float, *, at_calls: bool) -> Ended:
        request = _request(self._workplace, self._photos)
        moment = self._random.random()
        if at_calls and self._random.random() < 0.4:
            fault = {
                "folder": str(self._workplace.library),
                "at": 1 + int(moment * 150),
                "error": self._random.choice((KILL, HALF_A_WRITE)),
                "lasting": False,
            }
            ended = self._children.run("index", fault=fault, **request)
            self._tally["killed at a call"] += ended.status == -signal.SIGKILL
        else:
            ended = self._children.run("index", kill_after=moment * seconds, **request)
            self._tally["killed at a moment"] += ended.status == -signal.SIGKILL
        self._tally["done before the kill"] += ended.status == 0
        return ended

    @property
    def _acknowledgements(self) -> Path:
        return self._workplace.folder / "acknowledged"

    def _acknowledged(self) -> int:
        file = self._acknowledgements
        lines = file.read_text().splitlines() if file.exists() else []
        return int(lines[-1].split()[0]) if lines else 0

    def _query(self) -> Iterator[str]:
        """A query between crash and recovery must answer from exactly what was committed."""
        if self._workplace.created:
            yield from untrue(self._workplace.state())
            self._tally["queries between"] += 1


if __name__ == "__main__":
    main()
