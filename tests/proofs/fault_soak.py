"""Does a library survive every failure of the disk?

Run it: ``python -m tests.proofs.fault_soak``; in short: ``--run "a new library" --step 40``.

Counts the calls by which one small `index` run changes files of the library (writes, fsyncs,
renames, truncations, creations and deletions, including those of SQLite). Then runs it again for
each call and makes that one fail: with ENOSPC, EIO or EPERM, and with ENOSPC for all later calls,
too, as on a disk that stays full. Each time

- `index` fails with one sentence, or is as complete as if nothing had failed (if a file could not
  be deleted);
- a query in another process answers from exactly what the catalogue contains, even on the disk that
  stays full;
- the next run completes: the library equals a fresh build, and `verify` finds nothing.

`--at N --error NAME` replays one failure.
"""

import argparse
import errno
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from benchmarks.setting import machine, print_json, say, versions
from pixquery.db.errors import PixqueryError
from tests.proofs.material import (
    Children,
    Limits,
    NoFaults,
    Photos,
    State,
    Workplace,
    compiled_faults,
    differences,
    refusal,
    untrue,
)

ERRORS = {
    "ENOSPC": (errno.ENOSPC, False),
    "EIO": (errno.EIO, False),
    "EPERM": (errno.EPERM, False),
    "ENOSPC from then on": (errno.ENOSPC, True),
}
RUNS: dict[str, tuple[bool, Limits]] = {
    "a new library": (False, {"EXACT_LIMIT": 1_000_000}),
    "changes, exact index": (True, {"EXACT_LIMIT": 1_000_000}),
    "changes, inverted file": (True, {"EXACT_LIMIT": 16}),
}
PHOTOS = 26


class Fault(NamedTuple):
    """Which call fails, and how."""

    at: int
    error: str


def main() -> None:
    """Makes calls fail, and prints the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run", choices=RUNS, action="append", help="only this one")
    parser.add_argument("--at", type=int, metavar="N", help="only this call")
    parser.add_argument("--error", choices=ERRORS, help="only this failure")
    parser.add_argument("--step", type=int, default=1, metavar="N", help="every n-th call (1)")
    arguments = parser.parse_args()
    document: dict[str, Any] = {
        "question": "does a library survive every failure of the disk?",
        "machine": machine(),
        "versions": versions("faiss-cpu", "sqlalchemy"),
        "runs": {},
    }
    failed = False
    for run in arguments.run or RUNS:
        with tempfile.TemporaryDirectory(prefix="pixquery-proof-") as folder:
            result = prove(
                Path(folder), run, arguments.step, at=arguments.at, error=arguments.error
            )
        document["runs"][run] = result
        failed = failed or bool(result["failures"])
    print_json(document)
    raise SystemExit(int(failed))


def prove(
    folder: Path, run: str, step: int, *, at: int | None = None, error: str | None = None
) -> dict[str, Any]:
    """Makes every ``step``-th call fail in each way.

    Raises:
        NoFaults: Here, faults cannot be injected.
    """
    begin = perf_counter()
    made, limits = RUNS[run]
    tally: Counter[str] = Counter()
    failures = []
    with Children(folder, compiled_faults(folder)) as children:
        proof = _Proof(Workplace(folder / "work", limits), children, tally, made=made)
        calls = proof.calls()
        places = range(1, len(calls) + 1, step) if at is None else [at]
        for turn, fault in enumerate(
            Fault(*pair) for pair in product(places, [error] if error else ERRORS)
        ):
            if step > 1 and turn % 2:  # in short: each call fails in two of the four ways
                continue
            call = calls[fault.at - 1]
            try:
                wrongs = list(proof.survives(fault, call))
            except (PixqueryError, AssertionError) as refused:
                wrongs = [f"{type(refused).__name__}: {refused}"]
            for wrong in wrongs:
                failures.append(f"call {fault.at} ({call}), {fault.error}: {wrong}")
                say(f"{run}: {failures[-1]}")
            if turn % 100 == 99:
                say(f"{run}: {turn + 1} of {len(places) * len(ERRORS)}, {len(failures)} failures")
    return {
        "calls": dict(Counter(calls)),
        **{name: tally[name] for name in sorted(tally)},
        "failures": failures,
        "seconds": round(perf_counter() - begin, 1),
    }


class _Proof:
    """One small run, again and again from the same library and the same photos."""

    def __init__(
        self, workplace: Workplace, children: Children, tally: Counter[str], *, made: bool
    ) -> None:
        self._workplace = workplace
        self._children = children
        self._tally = tally
        photos = Photos(workplace.folder / "photos", PHOTOS, 3)
        self._roots: Sequence[Path] = [photos.root]
        self._before = workplace.folder / "before"
        if made:
            workplace.index(self._roots)
            workplace.library.rename(self._before)
            for _ in range(8):
                photos.change()
        self._fresh: State = workplace.fresh(self._roots)

    def calls(self) -> list[str]:
        """The calls of a run in which none fails."""
        journal = self._workplace.folder / "journal"
        ended = self._run(Fault(0, "EIO"), journal)
        if ended.status:
            raise AssertionError(f"without a fault, it ends with {ended.status}: {ended.output}")
        return [line.split()[0] for line in journal.read_text().splitlines()]

    def survives(self, fault: Fault, call: str) -> Iterator[str]:
        ended = self._run(fault)
        self._tally["failures of the disk"] += 1
        if ended.status == 0:
            self._tally[f"harmless: {call}"] += 1
            yield from differences(self._workplace.state(), self._fresh)
        elif ended.status == 1:
            yield from refusal(ended.output)
        else:
            yield f"index ended with {ended.status}: {ended.output}"
        if self._workplace.created:
            yield from self._answers(fault)
        after = self._workplace.index(self._roots)
        yield from differences(after, self._fresh)
        yield from (f"verify: {what}" for what in self._workplace.verify())

    def _answers(self, fault: Fault) -> Iterator[str]:
        number, lasting = ERRORS[fault.error]
        if lasting and (self._before.exists() or len(self._workplace.state().photos)):
            words = ["query", "red", "--library", str(self._workplace.library)]
            query = self._children.run(
                "command", words=words, limits=dict(self._workplace.limits),
                fault=self._fault(1, number, lasting=True),
            )  # fmt: skip
            if query.status:
                yield f"a query on the full disk ends with {query.status}: {query.output}"
        yield from untrue(self._workplace.state())

    def _run(self, fault: Fault, journal: Path | None = None) -> Any:
        shutil.rmtree(self._workplace.library, ignore_errors=True)
        if self._before.exists():
            shutil.copytree(self._before, self._workplace.library)
        number, lasting = ERRORS[fault.error]
        words = ["index", *map(str, self._roots), "--library", str(self._workplace.library),
                 "--batch-size", "6", "--jobs", "1"]  # fmt: skip
        if not self._before.exists():
            words += ["--profile", str(self._workplace.profile)]
        return self._children.run(
            "command", words=words, limits=dict(self._workplace.limits),
            fault=self._fault(fault.at, number, lasting=lasting, journal=journal),
        )  # fmt: skip

    def _fault(
        self, at: int, error: int, *, lasting: bool, journal: Path | None = None
    ) -> dict[str, Any]:
        return {
            "folder": str(self._workplace.library),
            "at": at,
            "error": error,
            "lasting": lasting,
            "journal": str(journal or ""),
        }


if __name__ == "__main__":
    try:
        main()
    except NoFaults as reason:
        raise SystemExit(str(reason)) from None
