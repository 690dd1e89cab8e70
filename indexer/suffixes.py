"""What the end of a file's name says: surely a photo, surely none, or nothing."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jif", ".jfi", ".jpg_large", ".jpeg_large",
     ".mpo", ".jps", ".insp", ".png", ".png_large", ".pns", ".apng", ".gif", ".webp",
     ".bmp", ".dib", ".tif", ".tiff", ".heic", ".heif", ".hif", ".avif", ".jxl",
     ".dng", ".cr2", ".cr3", ".nef", ".nrw", ".arw", ".srf", ".sr2", ".orf", ".rw2", ".raf",
     ".pef", ".srw", ".x3f", ".mrw"}
)  # fmt: skip
"""Names worth opening; the content decides what a file really is."""

_OTHERS = {
    "films and sound": (
        "3g2 3gp aac aif aiff amr ape asf au avi caf divx f4v flac flv gpx insv lrv m2t m2ts m2v "
        "m3u m3u8 m4a m4b m4p m4v mid midi mka mkv mod mov mp2 mp3 mp4 mpa mpeg mpg mts mxf oga "
        "ogg ogv opus ra rm rmvb srt sub swf tod vob vtt wav webm wma wmv wv"
    ),
    "texts, tables, books": (
        "abw azw azw3 bib csv djvu doc docm docx dot dotx eml epub fb2 htm html key log markdown "
        "md mht mhtml mobi msg numbers odg odp ods odt one pages pdf pot pps ppsx ppt pptx ps rst "
        "rtf tex tsv txt url vcf webloc wpd xhtml xls xlsm xlsx xps"
    ),
    "archives, disks, programs": (
        "7z a apk app appimage bin bz2 cab class com crx deb dll dmg dylib ear exe gz img ipa iso "
        "jar lib lz lz4 lzma msi nupkg o obj ova pkg pyc pyd pyo qcow2 rar rpm so sys tar tbz tgz "
        "txz vdi vhd vhdx vmdk war wasm whl xpi xz z zip zst"
    ),
    "code and settings": (
        "bat c cc cfg clj cmd coffee conf cpp cs css cxx dart desktop diff env erl ex exs f90 go "
        "gradle groovy h hpp hs in ini ipynb java jl js json jsonl jsx kt less lock lua m4 mjs mk "
        "ml mm patch php pl plist pm po properties proto ps1 psm1 py pyi r rb rs sass scala scss "
        "sh sql svelte swift toml ts tsx vb vbs vue xml xsd xsl yaml yml zig"
    ),
    "data": (
        "accdb arrow bak ckpt dat db db-journal db-shm db-wal dbf feather gguf h5 hdf5 idx joblib "
        "ldb mat mdb npy npz onnx pack parquet pickle pkl pt pth safetensors sqlite sqlite-shm "
        "sqlite-wal sqlite3 tfrecord"
    ),
    "pictures that pixquery cannot read, and fonts": (
        "afdesign afphoto ai cdr clip cur dwg dxf emf eps exr fig hdr icns ico indd j2k jp2 jpf "
        "jpx jxr kra odi ora otf pcx psb psd sketch svg svgz tga ttc ttf wmf woff woff2 xcf"
    ),
    "what belongs to a photo: its settings, its thumbnails": (
        "aae cos ctg dop ithmb lrcat lrprev lrtemplate md5 nksc on1 pp3 sha1 sha256 thm xmp"
    ),
    "unfinished": ("!ut aria2 crdownload download filepart part partial swp temp tmp"),
}
_NO_PHOTOS = frozenset(f".{name}" for names in _OTHERS.values() for name in names.split())


def is_other(name: str) -> bool:
    """Whether a file of this name is no photo, so that it need not be looked into.

    Backups of editors and of exiftool count as such: the photo itself lies beside them.
    """
    lower = name.lower()
    return lower[lower.rfind(".") :] in _NO_PHOTOS or lower.endswith(("~", "_original"))
