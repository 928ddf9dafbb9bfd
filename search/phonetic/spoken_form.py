"""What is said for what is written: numbers, abbreviations, initials, letters of other scripts."""

_BELOW_TWENTY = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
)
_ONES = _BELOW_TWENTY.split()
_TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]

_ABBREVIATIONS = {
    "st": "saint",
    "mt": "mount",
    "ft": "fort",
    "dr": "doctor",
    "mr": "mister",
    "mrs": "missus",
    "jr": "junior",
    "ltd": "limited",
    "vs": "versus",
}
_LAST = {"st": "street", "dr": "drive", "rd": "road", "ave": "avenue", "blvd": "boulevard", "mt": "mountain"}

_LETTER_NAMES = (
    "a ay,b bee,c see,d dee,e ee,f ef,g jee,h aitch,i eye,j jay,k kay,l el,m em,n en,o oh,p pee,q cue,r ar,s ess,t tee,"
    "u you,v vee,w dublyu,x ex,y why,z zee"
)
_LETTERS = {pair[0]: pair[2:] for pair in _LETTER_NAMES.split(",")}
_VOWELS = set("aeiouy")
# A longer word without a vowel is written by consonants only, as Arabic is; nobody spells it.
MAX_INITIALS = 4

# As English romanises them (BGN/PCGN).
_CYRILLIC = (
    "а a,б b,в v,г g,ґ g,д d,е e,ё yo,є ye,ж zh,з z,и i,і i,ї yi,й y,к k,л l,м m,н n,о o,п p,р r,с s,т t,у u,ф f,"
    "х kh,ц ts,ч ch,ш sh,щ shch,ъ ,ы y,ь ,э e,ю yu,я ya,ђ j,ј y,љ ly,њ ny,ћ ch,џ j"
)
_GREEK = "α a,β v,γ g,δ d,ε e,ζ z,η i,θ th,ι i,κ k,λ l,μ m,ν n,ξ x,ο o,π p,ρ r,σ s,ς s,τ t,υ i,φ f,χ kh,ψ ps,ω o"
_ROMAN = str.maketrans({pair[0]: pair[2:] for pair in f"{_CYRILLIC},{_GREEK}".split(",")})


def spoken(tokens: list[str]) -> list[str]:
    """The words that are said for folded tokens: "st", "louis" and "7" are "saint", "louis" and "seven"."""
    words: list[str] = []
    for place, token in enumerate(tokens):
        if token.isascii() and token.isalpha() and len(token) > MAX_INITIALS:
            words.append(token)
        else:
            words += _said(token, is_last=0 < place == len(tokens) - 1)
    return words


def _said(token: str, is_last: bool) -> list[str]:
    if not token.isascii():
        return [token.translate(_ROMAN)]
    if is_last and token in _LAST:
        return [_LAST[token]]
    if token in _ABBREVIATIONS:
        return [_ABBREVIATIONS[token]]
    if token.isalpha():
        return _initials(token) if _is_spelled(token) else [token]
    return [word for run in _runs(token) for word in (_number(run) if run.isdigit() else _said(run, is_last=False))]


def _is_spelled(token: str) -> bool:
    return len(token) == 1 if _VOWELS & set(token) else len(token) <= MAX_INITIALS


def _initials(token: str) -> list[str]:
    return [token] if token == "a" else [_LETTERS[letter] for letter in token]


def _runs(token: str) -> list[str]:
    """The digits and the letters of a token apart: "wh1000xm4" is "wh", "1000", "xm", "4"."""
    runs = [token[:1]]
    for character in token[1:]:
        if character.isdigit() == runs[-1].isdigit():
            runs[-1] += character
        else:
            runs.append(character)
    return runs


def _number(digits: str) -> list[str]:
    """As a number up to 999; four digits in pairs, as years are said, but for thousands; more one by one."""
    if len(digits) > 4 or (len(digits) > 1 and digits[0] == "0"):
        return [_ONES[int(digit)] for digit in digits]
    value = int(digits)
    if value < 1000:
        return _below_thousand(value)
    if digits[1:] == "000":
        return [_ONES[value // 1000], "thousand"]
    if digits[1] == "0":
        return [_ONES[value // 1000], "thousand", *_below_thousand(value % 1000)]
    rest = _below_thousand(value % 100) if value % 100 else ["hundred"]
    return [*_below_thousand(value // 100), *(["oh"] if 0 < value % 100 < 10 else []), *rest]


def _below_thousand(value: int) -> list[str]:
    if value < 20:
        return [_ONES[value]]
    if value < 100:
        return [_TENS[value // 10], *([_ONES[value % 10]] if value % 10 else [])]
    return [_ONES[value // 100], "hundred", *(_below_thousand(value % 100) if value % 100 else [])]
