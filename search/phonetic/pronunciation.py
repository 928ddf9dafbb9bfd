"""How written words sound: letters to broad phones (see `phones`), by the rules of English spelling.

Names of any language are put through the same rules as what was heard, because a recogniser of English writes down
what it hears by these rules too; that both sides err alike matters more than that either is right.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from search.phonetic.spoken_form import spoken
from search.text.tokens import tokens

# Letters and the phones they stand for, tried in this order at each place of a word. The order of consonants,
# then vowels; longer spellings before those they begin with.
_RULES = """
    ^two$=tu ^one$=won ^kn=n ^gn=n ^pn=n ^ps=s ^wr=r ^x=z ^wh(?=o)=h ^mc(?=[^aeiouyk])=mak ^tz=ts
    tsch=C tch=C sch=S sh=S chr=kr ch=C sci(?=[aeou])=S sc(?=[eiy])=s cz=C
    ph=f ght=t gh(?=[aeiouy])=g gh= th=T dh=d kh=k zh=J bh=b rh=r
    dg(?=[eiy])=J dj=J ti(?=on|al|an)=S ci(?=al|an|ou)=S ssi(?=o)=S si(?=on)=J
    ck=k qu(?=e$)=k qu=kw q=k cq=k cc(?=[eiy])=ks c(?=[eiy])=s c+=k
    ng$=N ng(?=[^aeiouylr])=N nk=Nk gg=g g(?=[eiy])=J g+=g
    mb$=m mn$=m j+=J x=ks wh=w
    igh=ay eigh=e aigh=e ough=o augh=o
    ee+=i ea=i ie=i oo+=u ou=u ow=o ai=e ay=e ei=e ey=i oa=o au=o aw=o oi=oy oy=oy ew=u eu=u ue$=u ui=u
    (?<=[aeiouy][^aeiouy])e$= (?<=[aeiouy][^aeiouy]{2})e$=
    e$=i y$=i y(?=[aeiou])=y y=i w(?=[aeiou])=w w= h(?=[aeiouy])=h h=
    a+=a e=e i+=i o=o u+=u
    b+=b d+=d f+=f k+=k l+=l m+=m n+=n p+=p r+=r s+=s t+=t v+=v z+=z
"""


def _by_letter(rules: Iterable[str]) -> dict[str, tuple[re.Pattern[str], list[str]]]:
    """For each letter that a spelling may begin with, all such spellings in one pattern, and their phones."""
    spellings: dict[str, list[list[str]]] = {}
    for rule in rules:
        letters, sound = rule.rsplit("=", 1)
        spellings.setdefault(re.sub(r"^\^|^\(\?<=.*?\)", "", letters)[0], []).append([letters, sound])
    return {
        first: (re.compile("|".join(f"({letters})" for letters, _ in pairs)), [sound for _, sound in pairs])
        for first, pairs in spellings.items()
    }


_SPELLINGS = _by_letter(_RULES.split())
_NO_SPELLING: tuple[re.Pattern[str], list[str]] = (re.compile("(?!)"), [])

# Nobody says a longer name whole: of those what comes first is compared.
MAX_PHONES = 32


def pronounce(text: str, terms: list[str] | None = None) -> list[str]:
    """The phones of each spoken word, as characters of `phones.PHONES`: "Reykjavík 7" is "rikJavik" and "seven".

    `terms` are the text's tokens, where they are known. Words in a script that has no rules here are left out.
    """
    if "&" in text:
        terms = tokens(text.replace("&", " and "))
    return [sound for word in spoken(tokens(text) if terms is None else terms) if (sound := _sound(word))]


@lru_cache(1 << 16)
def _sound(word: str) -> str:
    sounds: list[str] = []
    place = 0
    while place < len(word):
        pattern, phones = _SPELLINGS.get(word[place], _NO_SPELLING)
        match = pattern.match(word, place)
        if match:
            sounds.append(phones[(match.lastindex or 1) - 1])
        place = match.end() if match else place + 1
    return "".join(sounds)
