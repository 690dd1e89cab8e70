"""Finds the rooms where Git checked their links out as text, as it may on Windows.

Everything else is in setup.cfg; where the links are links, this file adds nothing.
"""

from pathlib import Path

from setuptools import find_packages, setup

package = Path(__file__).parent / "pixquery"
rooms = sorted(file.name for file in package.iterdir() if file.is_file() and not file.suffix)

if rooms:
    names = [name for name in find_packages() if name.partition(".")[0] in rooms]
    setup(
        packages=["pixquery", *(f"pixquery.{name}" for name in names)],
        package_dir={f"pixquery.{room}": room for room in rooms},
    )
else:
    setup()
