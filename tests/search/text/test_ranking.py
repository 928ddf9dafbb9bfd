import pytest

from search.text.ranking import (
    FULL_POPULARITY,
    MAX_PRIOR,
    MAX_QUERY_TERMS,
    inverse_document_frequency,
    popularity_factor,
    possible_aliases,
    query_terms,
    term_weight,
)


def test_popularity_adds_at_most_its_share() -> None:
    populations = [None, 0, 1, 1000, 34_000, 9_000_000, 1e18]

    factors = [popularity_factor(population) for population in populations]

    assert factors == sorted(factors)
    assert factors[:2] == [1.0, 1.0]
    assert factors[-1] == 1 + MAX_PRIOR == popularity_factor(FULL_POPULARITY)


def test_popularity_goes_by_its_logarithm() -> None:
    steps = [popularity_factor(10 ** (n + 1)) - popularity_factor(10**n) for n in (3, 4, 5)]

    assert steps == pytest.approx([steps[0]] * 3, rel=0.01)


def test_rare_terms_tell_more() -> None:
    assert inverse_document_frequency(1, 1000) > inverse_document_frequency(500, 1000) > 0
    # Deleted documents may still be counted among the matching.
    assert inverse_document_frequency(12, 10) > 0


def test_asking_words_weigh_little_however_they_are_written() -> None:
    assert {term_weight(term) for term in query_terms("SHOW me What\u2019s the Best")} == {0.1}
    assert term_weight("reykjavik") == 1.0


def test_long_queries_are_cut() -> None:
    assert query_terms(" ".join(map(str, range(1000)))) == [str(i) for i in range(MAX_QUERY_TERMS)]
    assert query_terms("a" * 10**7)


def test_possible_aliases_are_runs_of_neighbours() -> None:
    runs = list(possible_aliases(["new", "york", "new"]))

    assert runs == [("new",), ("new", "york"), ("new", "york", "new"), ("york",), ("york", "new")]
