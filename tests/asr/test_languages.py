"""Languages are understood however clients write them."""

import pytest
from whisper.tokenizer import TO_LANGUAGE_CODE

from asr.languages import LANGUAGES, parse_language


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("en", "en"),
        (" EN ", "en"),
        ("en-US", "en"),
        ("en_US", "en"),
        ("English", "en"),
        ("zh-Hans-CN", "zh"),
        ("nb-NO", "no"),
        ("fil-PH", "tl"),
        ("haitian creole", "ht"),
        ("Haitian_Creole", "ht"),
        ("Klingon-XX", "klingon"),
        ("multi", None),
        ("auto", None),
        (" ", None),
    ],
)
def test_a_language_may_have_a_region_or_be_written_out(written: str, code: str | None) -> None:
    assert parse_language(written) == code


def test_whispers_own_names_are_known() -> None:
    assert {name: parse_language(name) for name in TO_LANGUAGE_CODE} == TO_LANGUAGE_CODE
    assert set(TO_LANGUAGE_CODE.values()) == LANGUAGES
