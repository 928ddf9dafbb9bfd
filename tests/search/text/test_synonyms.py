from search.text.synonyms import MAX_VARIANTS, Synonyms

CITIES = Synonyms([("NYC", "New York", "Big Apple"), ("New York City", "NYC"), ("TV", "Télévision")])


def said(query: str, synonyms: Synonyms = CITIES) -> list[str]:
    return [" ".join(terms) for terms in synonyms.variants(query.split())]


def test_each_member_is_said_as_the_others() -> None:
    assert said("hotels in nyc now") == [
        "hotels in nyc now",
        "hotels in new york now",
        "hotels in big apple now",
        "hotels in new york city now",
    ]
    assert said("big apple") == ["big apple", "nyc", "new york"]
    assert said("tv") == ["tv", "television"]


def test_the_longest_counts() -> None:
    assert said("new york city") == ["new york city", "nyc"]


def test_only_whole_members_count() -> None:
    assert said("new jersey apple") == ["new jersey apple"]
    assert said("") == [""]
    assert said("anything", Synonyms([])) == ["anything"]
    assert said("tv", Synonyms([("tv",), ("TV", "tv"), ("?!", "tv")])) == ["tv"]


def test_so_many_at_most() -> None:
    many = Synonyms([[f"w{i}" for i in range(50_000)]])  # each with all others they would fill the memory

    assert len(said("w1 w2 w3", many)) == MAX_VARIANTS
    assert said("w1 w2 w3", many)[0] == "w1 w2 w3"
