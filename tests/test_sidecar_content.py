"""What sidecars say."""

import time
from datetime import datetime

import pytest

from pixquery.db.records import Annotation, Place
from pixquery.indexer.exif import Exif
from pixquery.indexer.sidecar_content import Sidecar, read_sidecar

XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/">
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
  xmlns:exif="http://ns.adobe.com/exif/1.0/" xmp:Rating="3" exif:GPSLatitude="48,12.6N"
  exif:GPSLongitude="16,22.2E" exif:DateTimeOriginal="2019-07-14T10:11:12"/>
</rdf:RDF></x:xmpmeta>"""


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_an_xmp_says(encoding: str) -> None:
    sidecar = read_sidecar("photo.XMP", XMP.encode(encoding))
    assert sidecar.annotation == Annotation(rating=3)
    assert sidecar.exif == Exif(taken=datetime(2019, 7, 14, 10, 11, 12), place=Place(48.21, 16.37))


def test_what_a_json_says() -> None:
    content = b'{"photoTakenTime": {"timestamp": "0"}, "description": "Old"}'
    assert read_sidecar("photo.jpg.JSON", content) == Sidecar(
        Annotation(caption="Old"), Exif(taken=datetime(1970, 1, 1))
    )
    assert read_sidecar("photo.jpg.xmp", content) == Sidecar()
    assert read_sidecar("photo.jpg.json", XMP.encode()) == Sidecar()


@pytest.mark.parametrize("name", ["photo.xmp", "photo.jpg.json"])
def test_100_mb_are_refused(name: str) -> None:
    begin = time.perf_counter()
    assert read_sidecar(name, XMP.encode() + b" " * 100 * 2**20) == Sidecar()
    assert time.perf_counter() - begin < 1
