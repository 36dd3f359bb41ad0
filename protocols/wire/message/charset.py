"""Turn octets in some charset into text: as declared, else UTF-8, else windows-1252.

Only charsets on the list below are ever looked up: the codec registry would import modules by
names that strangers choose, remember every miss, and offers codecs that are no charsets.
"""

import codecs
from encodings.aliases import aliases
from functools import lru_cache

_CODEC_NAMES = """
    ascii utf_8 utf_7 utf_16 utf_16_be utf_16_le utf_32 utf_32_be utf_32_le
    iso8859_2 iso8859_3 iso8859_4 iso8859_5 iso8859_6 iso8859_7 iso8859_8 iso8859_10 iso8859_11
    iso8859_13 iso8859_14 iso8859_15 iso8859_16 cp1250 cp1251 cp1252 cp1253 cp1254 cp1255 cp1256
    cp1257 cp1258 cp437 cp737 cp775 cp850 cp852 cp855 cp857 cp858 cp860 cp861 cp862 cp863 cp864
    cp865 cp866 cp869 cp874 cp1006 cp1125 koi8_r koi8_t koi8_u kz1048 ptcp154 hp_roman8
    mac_roman mac_cyrillic mac_greek mac_iceland mac_latin2 mac_turkish
    gb18030 hz big5hkscs cp950 cp932 euc_jp euc_jis_2004 euc_jisx0213 iso2022_jp iso2022_jp_1
    iso2022_jp_2 iso2022_jp_2004 iso2022_jp_3 iso2022_jp_ext shift_jis_2004 shift_jisx0213
    cp949 johab iso2022_kr
"""
# Octets decoded at a time.
_PIECE = 1 << 16
# Codecs that a mark at the beginning tells the order of octets.
_BY_MARK = {
    "utf_16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf_32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
# Windows-1252, with U+FFFD where it has no character.
_ANY_OCTET = bytes(range(256)).decode("cp1252", "replace")
_CODECS = frozenset(_CODEC_NAMES.split())
# What mail programs call things, and the wider charset that they really send under a narrow name.
_ALIASES = {
    "latin_1": "cp1252",
    "iso8859_9": "cp1254",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "cp936": "gb18030",
    "x_gbk": "gb18030",
    "big5": "big5hkscs",
    "shift_jis": "cp932",
    "x_sjis": "cp932",
    "euc_kr": "cp949",
    "ks_c_5601_1987": "cp949",
    "ksc5601": "cp949",
    "tis_620": "cp874",
    "iso_8859_8_i": "iso8859_8",
    "iso_8859_8_e": "iso8859_8",
    "unicode_1_1_utf_7": "utf_7",
    "unicode_1_1_utf_8": "utf_8",
    "utf8mb4": "utf_8",
    "x_mac_roman": "mac_roman",
    "macintosh": "mac_roman",
    "x_mac_cyrillic": "mac_cyrillic",
    "iso_2022_jp_ms": "iso2022_jp_ext",
    "cp_850": "cp850",
    "windows_874": "cp874",
}


def find_codec(charset: bytes) -> str | None:
    """The name of the codec for a declared charset, or None for one that is not known."""
    return _codec(charset[:60])


@lru_cache(maxsize=256)
def _codec(charset: bytes) -> str | None:
    name = charset.decode("latin-1").strip(" \t\"'").lower().replace("-", "_").replace(" ", "_")
    name = _ALIASES.get(name, name)
    name = aliases.get(name, name)
    name = _ALIASES.get(name, name)
    return name if name in _CODECS else None


def decode_text(octets: bytes, charset: bytes | None = None) -> str:
    """Text in any case: never raises, wrong octets become U+FFFD, and so does NUL."""
    codec = find_codec(charset) if charset else None
    text = _decode(octets, None if codec == "ascii" else codec)
    if codec == "utf_7":
        # It can spell halves of surrogate pairs, which are no text.
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\ufffd")


def _decode(octets: bytes, codec: str | None) -> str:
    for candidate in (codec, "utf_8"):
        if candidate is not None:
            try:
                return _decoded(octets, candidate, "strict")
            except UnicodeError:
                continue
    if codec is not None:
        # A text cut short or slightly damaged is still best read as what it claims to be.
        text = _decoded(octets, codec, "replace")
        if text.count("\ufffd") <= len(text) // 50:
            return text
    return codecs.charmap_decode(octets, "strict", _ANY_OCTET)[0]


def _decoded(octets: bytes, codec: str, errors: str) -> str:
    """The text, decoded a piece at a time.

    No other thread can do anything while a codec is at work, which takes many seconds for megabytes
    of wrong octets.
    """
    if len(octets) <= _PIECE:
        return octets.decode(codec, errors)
    if codec in _BY_MARK and not octets.startswith(_BY_MARK[codec]):
        # As Python reads it at once; piece by piece it would be an error.
        codec += "_le"
    decoder = codecs.getincrementaldecoder(codec)(errors)
    pieces: list[str] = []
    for start in range(0, len(octets) + 1, _PIECE):
        piece = octets[start : start + _PIECE]
        try:
            pieces.append(decoder.decode(piece, final=len(piece) < _PIECE))
        except UnicodeError:
            if errors == "strict":
                raise
            # An escape sequence that it has waited for the end of is too long.
            decoder.reset()
            pieces.append(piece.decode(codec, errors))
    return "".join(pieces)
