from search.voice.phonetic_reading import PhoneticReading, distinct


def replaced(text: str, sound: str) -> str:
    """What stands where these phones were heard."""
    reading = PhoneticReading.of(text)
    start = "".join(reading.phones).index(sound)
    return text[slice(*reading.characters(start, start + len(sound)))]


def test_whole_words_give_way() -> None:
    assert replaced("Hotels in Tam Ball.", "tambal") == "Tam Ball"


def test_word_that_is_hardly_meant_stays() -> None:
    assert replaced("Hotel's Enrichment.", "nriCment") == "Enrichment"
    assert replaced("flights developed a", "tsdevelop") == "developed"


def test_less_than_a_word_takes_the_word() -> None:
    assert replaced("the Sacramento river", "kra") == "Sacramento"
    assert replaced("big mountain", "gmu") == "big"


def test_punctuation_is_no_part_of_it() -> None:
    assert replaced('"Why, (Choney)?"', "Coni") == "Choney"


def test_readings_that_sound_alike_are_one() -> None:
    readings = distinct(["Thank you.", "thank you", "", "?", "Thank Joe.", "Bank you"], 2)

    assert [reading.text for reading in readings] == ["Thank you.", "Thank Joe."]


def test_of_long_speech_fewer_readings_do() -> None:
    speech = "we are looking for something that is a little longer than a query usually is " * 3

    assert len(distinct((speech + end for end in ("now", "then", "here", "there")), 4)) == 2
