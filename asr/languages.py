"""Languages by their codes and names, so that a wrong one is noticed before a model is loaded.

They are those that some Whisper model was trained on.
"""

_NAMED = """
    af afrikaans, am amharic, ar arabic, as assamese, az azerbaijani, ba bashkir, be belarusian, bg bulgarian, bn
    bengali, bo tibetan, br breton, bs bosnian, ca catalan, cs czech, cy welsh, da danish, de german, el greek, en
    english, es spanish, et estonian, eu basque, fa persian, fi finnish, fo faroese, fr french, gl galician, gu
    gujarati, ha hausa, haw hawaiian, he hebrew, hi hindi, hr croatian, ht haitian creole, hu hungarian, hy
    armenian, id indonesian, is icelandic, it italian, ja japanese, jw javanese, ka georgian, kk kazakh, km khmer,
    kn kannada, ko korean, la latin, lb luxembourgish, ln lingala, lo lao, lt lithuanian, lv latvian, mg malagasy,
    mi maori, mk macedonian, ml malayalam, mn mongolian, mr marathi, ms malay, mt maltese, my myanmar, ne nepali,
    nl dutch, nn nynorsk, no norwegian, oc occitan, pa punjabi, pl polish, ps pashto, pt portuguese, ro romanian,
    ru russian, sa sanskrit, sd sindhi, si sinhala, sk slovak, sl slovenian, sn shona, so somali, sq albanian, sr
    serbian, su sundanese, sv swedish, sw swahili, ta tamil, te telugu, tg tajik, th thai, tk turkmen, tl tagalog,
    tr turkish, tt tatar, uk ukrainian, ur urdu, uz uzbek, vi vietnamese, yi yiddish, yo yoruba, yue cantonese, zh
    chinese
"""
# What the same languages are called, too: by browsers' tags, and by people.
_OTHERWISE = """
    nb no, fil tl, jv jw, burmese my, castilian es, flemish nl, haitian ht, letzeburgesch lb, mandarin zh, moldavian ro,
    moldovan ro, panjabi pa, pushto ps, sinhalese si, valencian ca
"""


def _pairs(table: str) -> dict[str, str]:
    """The first word of each pair, and the rest."""
    return dict(" ".join(pair.split()).split(" ", 1) for pair in table.split(","))


_NAMES = _pairs(_NAMED)
LANGUAGES = frozenset(_NAMES)
_CODES = {name: code for code, name in _NAMES.items()} | _pairs(_OTHERWISE)
ANY = frozenset({"", "multi", "auto"})


def parse_language(text: str) -> str | None:
    """The code that Whisper has for a language: `en` of `en-US`, `EN_gb` and `English`; None where any may be spoken.

    What names no language comes back as it was written, in lower case and without a region.
    """
    name = text.strip().lower().replace("_", " ").replace("-", " ")
    code = name if name in _CODES else name.partition(" ")[0]
    return None if code in ANY else _CODES.get(code, code)
