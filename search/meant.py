"""What may have been meant: the queries that may have been asked, each with how probable it is.

Whoever speaks asks either for what the text says that was heard, or for one of the names that sound like a part of it.
For each name three things speak, as logarithms of probabilities that are weighed against each other (a log-linear
model, its weights by maximum likelihood: Och and Ney, "Discriminative Training and Maximum Entropy Models for
Statistical Machine Translation", ACL 2002): how alike it sounds, how likely the acoustic model finds the sentence with
it, and that a document is rather called by its title than by one of many aliases. The acoustic model finds rare names
unlikely because it seldom read them, and long ones because each token costs; so its word counts for little, with a
bonus for each token.

Whether any of them was meant is another question: a logistic regression answers it from how much speaks for the best of
them, how long the text is (a longer one has more that may sound like a name by chance), and how unsure the recogniser
is of the word of which it is least sure.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr.transcript import Likelihood
from search.candidates import Candidate
from search.result import Match
from search.text import tokens

SOUND = 1.69
ACOUSTIC = 0.13
PER_TOKEN = 3.3  # nats
# More the acoustic model hardly ever says for a name: the text that was heard is the likeliest that there is.
MOST_ACOUSTIC = 1.0

# A name that was meant with less probability than this is not searched for.
LEAST_PROBABILITY = 0.2
# Others are searched for, too, down to this share of the best's probability; so many of them at most.
LEAST_SHARE = 0.01
MOST = 8


@dataclass(frozen=True)
class Belief:
    """How probable it is that the best name was meant: the weights of a logistic regression."""

    per_total: float
    per_log_words: float
    per_doubt: float
    otherwise: float

    def probability(self, total: float, heard: str, least_confidence: float) -> float:
        """`total` is what speaks for the name; `least_confidence` that of the least sure word of what was heard."""
        confidence = min(max(least_confidence, 0.001), 0.995)
        doubt = math.log((1 - confidence) / confidence)
        words = math.log(max(1, len(heard.split())))
        odds = self.per_total * total + self.per_log_words * words + self.per_doubt * doubt + self.otherwise
        return 1 / (1 + math.exp(-max(-30.0, odds)))


WITH_LIKELIHOODS = Belief(0.59, -1.5, 1.38, -1.69)
BY_SOUND = Belief(0.69, -1.51, 1.42, -3.62)


@dataclass(frozen=True)
class Meaning:
    """A query that may have been meant: its text, how probable it is, why, and the documents that are called so."""

    text: str
    probability: float
    match: Match
    document_ids: frozenset[str] = frozenset()


def meanings(
    heard: str, least_confidence: float, candidates: Sequence[Candidate], likelihoods: Mapping[str, Likelihood]
) -> list[Meaning]:
    """What may have been meant by what was heard, the most probable first: at least that itself.

    `least_confidence` is that of the word of which the recogniser is least sure, from 0 to 1; `likelihoods` are those
    of sentences with the candidates' names, and of `heard`. Where there are none the sound alone speaks.
    """
    totals = {sentence(candidate): _total(candidate, heard, likelihoods) for candidate in candidates[::-1]}
    ranked = sorted(totals.items(), key=lambda item: -item[1])[:MOST]
    if not ranked:
        return [Meaning(heard, 1.0, "text")]
    (named, best), belief = ranked[0], WITH_LIKELIHOODS if likelihoods else BY_SOUND
    probability = 1.0 if _says(heard, named) else belief.probability(best, heard, least_confidence)
    if probability < LEAST_PROBABILITY:
        return [Meaning(heard, 1.0, "text")]
    shares = {text: math.exp(total - best) for text, total in ranked if total - best >= math.log(LEAST_SHARE)}
    said = max((share for text, share in shares.items() if _says(heard, text)), default=0.0)
    plain = Meaning(heard, max(1 - probability, probability * said, LEAST_SHARE), "text", _called(candidates, heard))
    names = [
        Meaning(text, probability * share, "acoustic" if likelihoods else "sound", _called(candidates, text))
        for text, share in shares.items()
        if not _says(heard, text)
    ]
    return sorted([plain, *names], key=lambda meaning: -meaning.probability)


def worth_asking(heard: str, least_confidence: float, candidates: Sequence[Candidate]) -> bool:
    """Whether the acoustic model may find that one of these names was meant, and not what the text says.

    Where the name that sounds best stands in the text there is nothing to be asked, nor where none sounds so well that
    it could be believed.
    """
    if not candidates or _says(heard, sentence(candidates[0])):
        return False
    total = SOUND * candidates[0].evidence + MOST_ACOUSTIC
    return WITH_LIKELIHOODS.probability(total, heard, least_confidence) >= LEAST_PROBABILITY


def sentence(candidate: Candidate) -> str:
    """What was said if this name was: the reading that it fits best, with it in its place."""
    return candidate.placements[0].sentence


def _total(candidate: Candidate, heard: str, likelihoods: Mapping[str, Likelihood]) -> float:
    by_sound = SOUND * candidate.evidence
    if not likelihoods:
        return by_sound
    own, plain = likelihoods[sentence(candidate)], likelihoods[heard]
    return by_sound + ACOUSTIC * (own.logprob - plain.logprob + PER_TOKEN * (own.tokens - plain.tokens))


def _says(heard: str, text: str) -> bool:
    """Whether a text is what was heard, but for case, accents and punctuation."""
    return tokens(text) == tokens(heard)


def _called(candidates: Sequence[Candidate], text: str) -> frozenset[str]:
    """The documents called by a name with which this was said."""
    return frozenset(
        document_id
        for candidate in candidates
        if _says(text, sentence(candidate))
        for document_id in candidate.document_ids
    )
