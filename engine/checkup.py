"""Checks a library: catalogue, vectors, profile and files against each other."""

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pixquery.db.catalog import Catalog
from pixquery.db.errors import LibraryDamaged, ProfileError
from pixquery.db.losses import Loss
from pixquery.db.quoting import library_option
from pixquery.db.records import FileState
from pixquery.db.words import Words
from pixquery.engine.index_file import IndexFile
from pixquery.engine.legible import counted
from pixquery.engine.profile import Profile
from pixquery.engine.reach import absence


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem that ``verify`` found, and whether it was repaired."""

    what: str
    repaired: bool = False


def check(catalog: Catalog, index_file: IndexFile, *, repair: bool) -> list[Finding]:
    """Checks a library.

    Args:
        catalog: The library's.
        index_file: The library's.
        repair: Repair what can be repaired without reading photos; for the one writer.
    """
    problems, profile = catalog.problems(), index_file.base
    remaining = problems
    if repair and problems:
        from pixquery.db.salvage import salvage  # few libraries are ever repaired

        catalog.close()  # a connection would go on with the file that is replaced
        salvage(catalog.file)
        catalog.reopen()
        remaining = catalog.problems()
    findings = [Finding(f"catalogue: {p}", repaired=p not in remaining) for p in problems]
    try:
        return [
            *findings,
            *_profile_findings(profile),
            *_vector_findings(catalog, profile, index_file, repair=repair),
            *_word_findings(catalog, repair=repair),
            *_loss_findings(catalog),
            *_file_findings(catalog),
        ]
    except LibraryDamaged as error:  # what cannot be read cannot be compared
        return findings or [Finding(f"catalogue: {error}")]


def _word_findings(catalog: Catalog, *, repair: bool) -> list[Finding]:
    with closing(Words(catalog.file.parent)) as words:
        if words.agrees(catalog):
            return []
        if repair:
            words.make_anew(catalog)
    problem = "words: the index of words and the catalogue contradict each other"
    return [Finding(problem, repaired=repair)]


def _loss_findings(catalog: Catalog) -> list[Finding]:
    """What a repair could not save, and no indexing has looked for since."""
    return [Finding(f"catalogue: {_lost(loss, catalog.file.parent)}") for loss in catalog.losses()]


def _lost(loss: Loss, library: Path) -> str:
    where = f" of {loss.root}" if loss.root and not loss.guessed else ""
    photos = f"photos{where} may be lost to damage"
    if loss.photos:
        verb = "was" if loss.photos == 1 else "were"
        photos = f"{counted(loss.photos, 'photo')}{where} {verb} lost to damage"
    own = library_option(library)
    if loss.guessed:
        known = f", of which {loss.root} is a part" if loss.root else ""
        return f"{photos}, with the name of their folder{known}: run `pixquery index FOLDER{own}`"
    again = f"{photos} and {'is' if loss.photos == 1 else 'are'} not back yet"
    if loss.root and absence(loss.root):
        return (
            f"{again}: run `pixquery index{own}` when the folder is there again, or "
            f"`pixquery index --prune{own}` to do without it"
        )
    return f"{again}: run `pixquery index{own}`"


def _profile_findings(profile: Profile) -> list[Finding]:
    try:
        profile.check()
    except ProfileError as error:
        return [Finding(f"profile: {error}")]
    return []


def _vector_findings(
    catalog: Catalog, profile: Profile, index_file: IndexFile, *, repair: bool
) -> list[Finding]:
    findings = []
    unsound = sorted({*catalog.unsound(profile.readable), *_not_finite(catalog, profile)})
    if unsound:
        if repair:
            catalog.forget_vectors(unsound)
        findings.append(Finding(f"catalogue: {len(unsound)} photos have no sound vector"))
    problem = _index_problem(catalog, profile, index_file, compare_vectors=repair or not unsound)
    if problem:
        if repair:
            index_file.replace()
        findings.append(Finding(f"vectors: {problem}", repaired=repair))
    return findings


def _not_finite(catalog: Catalog, profile: Profile) -> list[int]:
    """Photos whose vector contains numbers that are not finite."""
    ids: list[int] = []
    last = 0
    try:
        while batches := catalog.raw_vectors(*profile.readable, after=last):
            for found, raw in batches:
                ids += found[~np.isfinite(raw).all(1)].tolist()
            last = max(int(found[-1]) for found, _ in batches)
    except LibraryDamaged:  # rows that differ from their checksums are found by others
        return ids
    return ids


def _index_problem(
    catalog: Catalog, profile: Profile, index_file: IndexFile, *, compare_vectors: bool
) -> str:
    """What is wrong with the published index file; empty if nothing is."""
    published = catalog.generation()
    photos = catalog.vector_ids(*profile.readable)
    index = index_file.load(published)
    if published is None:
        return "there is no index file" if len(photos) else ""
    if index is None:
        return f"the index file {published.file} is missing, damaged or out of date"
    if published.revision != catalog.revision:
        return "the index file is older than the catalogue"
    if not np.array_equal(index.ids(), photos):
        return "the index file holds other photos than the catalogue"
    if compare_vectors and not all(  # but for rounding
        np.allclose(index.vectors(ids), vectors, atol=1e-2) for ids, vectors in index_file.aligned()
    ):
        return "the index file and the catalogue's vectors contradict each other"
    return ""


def _file_findings(catalog: Catalog) -> list[Finding]:
    findings = []
    for record in catalog.everything():
        try:
            state = FileState.of(record.path.stat())
        except OSError:
            findings.append(Finding(f"file: {record.path} is gone or cannot be read"))
            continue
        if state != record.state:
            findings.append(Finding(f"file: {record.path} has changed since it was indexed"))
    return findings
