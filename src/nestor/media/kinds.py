"""The kinds of file that Nestor reads, and their first bytes; pure."""

from nestor.media.source import Family, Kind

_JPEG = (".jpg", ".jpeg", ".jpe", ".jfif")
_ISO = (".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".m4a", ".m4b")
_MKV = (".mkv", ".mka", ".mk3d", ".webm")
_OGG = (".ogg", ".oga", ".ogv", ".opus", ".spx")

JPEG = Kind("a JPEG image", Family.IMAGE, "image/jpeg", "JPEG", _JPEG)
PNG = Kind("a PNG image", Family.IMAGE, "image/png", "PNG", (".png", ".apng"))
GIF = Kind("a GIF image", Family.IMAGE, "image/gif", "GIF", (".gif",))
WEBP = Kind("a WebP image", Family.IMAGE, "image/webp", "WEBP", (".webp",))
BMP = Kind("a BMP image", Family.IMAGE, "image/bmp", "BMP", (".bmp", ".dib"))
TIFF = Kind("a TIFF image", Family.IMAGE, "image/tiff", "TIFF", (".tif", ".tiff"))
AVIF = Kind("an AVIF image", Family.IMAGE, "image/avif", "AVIF", (".avif",))
PDF = Kind("a PDF document", Family.PDF, "application/pdf", "pdf", (".pdf",))
_OFFICE = "application/vnd.openxmlformats-officedocument."
DOCX = Kind("a Word document", Family.DOCX, _OFFICE + "wordprocessingml.document", "docx", (".docx", ".docm"))
PPTX = Kind("a PowerPoint file", Family.PPTX, _OFFICE + "presentationml.presentation", "pptx", (".pptx", ".pptm"))
MP4 = Kind("an MP4 file", Family.MEDIA, "video/mp4", "mp4", _ISO)
MOV = Kind("a QuickTime file", Family.MEDIA, "video/quicktime", "mov", _ISO)
M4A = Kind("an MP4 sound file", Family.MEDIA, "audio/mp4", "mp4", _ISO)
MKV = Kind("a Matroska file", Family.MEDIA, "video/x-matroska", "matroska", _MKV)
WEBM = Kind("a WebM file", Family.MEDIA, "video/webm", "matroska", _MKV)
AVI = Kind("an AVI file", Family.MEDIA, "video/x-msvideo", "avi", (".avi",))
OGG = Kind("an Ogg file", Family.MEDIA, "video/ogg", "ogg", _OGG)
MP3 = Kind("an MP3 file", Family.MEDIA, "audio/mpeg", "mp3", (".mp3",))
WAV = Kind("a WAV file", Family.MEDIA, "audio/wav", "wav", (".wav", ".wave"))
FLAC = Kind("a FLAC file", Family.MEDIA, "audio/flac", "flac", (".flac",))
AAC = Kind("an AAC file", Family.MEDIA, "audio/aac", "aac", (".aac",))
AIFF = Kind("an AIFF file", Family.MEDIA, "audio/aiff", "aiff", (".aif", ".aiff", ".aifc"))

_PICTURES = (JPEG, PNG, GIF, WEBP, BMP, TIFF, AVIF)
_MEDIA = (MP4, MKV, AVI, OGG, MP3, WAV, FLAC, AAC, AIFF)
BY_SUFFIX = {suffix: kind for kind in (*_PICTURES, PDF, DOCX, PPTX, *_MEDIA) for suffix in kind.suffixes}
BY_SUFFIX |= {".mov": MOV, ".qt": MOV, ".m4a": M4A, ".m4b": M4A, ".webm": WEBM}
"""What a binary extension claims."""

PLAIN = Kind("a text", Family.TEXT, "text/plain", "plain", ())
HTML = Kind("a web page", Family.TEXT, "text/html", "html", (".html", ".htm", ".xhtml"))
FLAVOURS = {
    suffix: kind
    for kind in (
        HTML,
        Kind("a Markdown text", Family.TEXT, "text/markdown", "markdown", (".md", ".markdown", ".mdown")),
        Kind("a table", Family.TEXT, "text/csv", "csv", (".csv",)),
        Kind("a table", Family.TEXT, "text/tab-separated-values", "csv", (".tsv",)),
        Kind("a JSON text", Family.TEXT, "application/json", "json", (".json", ".geojson", ".ipynb")),
        Kind("a JSON Lines text", Family.TEXT, "application/x-ndjson", "json", (".jsonl", ".ndjson")),
        Kind("subtitles", Family.TEXT, "text/vtt", "plain", (".vtt",)),
        Kind("subtitles", Family.TEXT, "application/x-subrip", "plain", (".srt",)),
    )
    for suffix in kind.suffixes
}
"""What an extension says of a file whose content is text."""

_STARTS = (
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"OggS", OGG),
    (b"fLaC", FLAC),
    (b"ID3", MP3),
)
_RIFF = {b"WAVE": WAV, b"AVI ": AVI, b"WEBP": WEBP}
_ATOMS = {b"moov", b"mdat", b"wide", b"pnot"}
_HEIF = {b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1"}


def by_magic(head: bytes) -> Kind | None:
    """Return the binary kind whose first bytes these are, None when they are of no kind read here; zips are not."""
    started = next((kind for start, kind in _STARTS if head.startswith(start)), None)
    if started is not None:
        return started
    if head[:4] in {b"RIFF", b"RF64"}:
        return _RIFF.get(head[8:12])
    if head[4:8] == b"ftyp":
        return _by_brand(head)
    if head[4:8] in _ATOMS:
        return MOV
    return _by_marks(head) or _by_bits(head)


def _by_marks(head: bytes) -> Kind | None:
    if head.startswith(b"\x1aE\xdf\xa3"):
        return WEBM if b"webm" in head[:64] else MKV
    if head.startswith(b"FORM") and head[8:12] in {b"AIFF", b"AIFC"}:
        return AIFF
    return PDF if b"%PDF-" in head[:1024] else None


def _by_brand(head: bytes) -> Kind | None:
    brand = head[8:12]
    compatible = head[8 : min(len(head), int.from_bytes(head[:4]), 128)]
    if b"avif" in compatible or b"avis" in compatible:
        return AVIF
    if brand in _HEIF:
        return None
    if brand == b"qt  ":
        return MOV
    return M4A if brand in {b"M4A ", b"M4B "} else MP4


def _by_bits(head: bytes) -> Kind | None:
    """BMP, AAC and MP3 begin with few fixed bits; their neighbours are checked too."""
    if len(head) >= 18 and head[:2] == b"BM" and head[6:10] == bytes(4) and head[14] in {12, 40, 52, 56, 108, 124}:
        return BMP
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    if head[1] & 0xF6 == 0xF0:
        return AAC
    layer_two_or_three = head[1] & 0x06 in {2, 4} and head[1] & 0x18 != 0x08
    return MP3 if layer_two_or_three and head[2] >> 4 != 15 and head[2] & 0x0C != 0x0C else None
