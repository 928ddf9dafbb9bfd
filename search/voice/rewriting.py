"""What may have been meant: the queries that may have been asked, each with how probable it is.

Whoever speaks asks either for what the text says that was heard, or for one of the names that sound like a part of it.
For each name three things speak, as logarithms of probabilities that are weighed against each other (a log-linear
model: Och and Ney, "Discriminative Training and Maximum Entropy Models for Statistical Machine Translation", ACL 2002;
benchmarks/EXPERIMENTS.md, "What was meant", tells where the weights come from): how alike it sounds, how likely the
acoustic model finds the sentence with it, and that a document is rather called by its title than by one of many
aliases. What was heard only because it was expected says less of how it sounds. The acoustic model finds rare names
unlikely because it seldom read them, and long ones because each token costs; so its word counts for little, with a
bonus for each token.

Whether any of them was meant is another question: a logistic regression answers it from how much speaks for the best of
them, how long the text is (a longer one has more that may sound like a name by chance), how unsure the recogniser is of
the word of which it is least sure, how rare the words are that the name would take the place of (ordinary words are
seldom names misheard), and how many documents there are: the more names, the more of them sound like anything.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr.transcript import Likelihood
from search.result import Match
from search.text.tokens import tokens
from search.voice.candidates import Candidate
from search.voice.hypothesis import RecognisedText

SOUND = 1.69
ACOUSTIC = 0.13
PER_TOKEN = 3.3  # nats
# A nudged reading says a name because it was expected, and sounds like it in any case.
NUDGED = 1.2
# More the acoustic model hardly ever says for a name: the text that was heard is the likeliest that there is.
MOST_ACOUSTIC = 1.0

# A name that was meant with less probability than this is not searched for.
LEAST_PROBABILITY = 0.25
# In a catalogue with fewer a name is believed no sooner than in one with so many.
FEW_DOCUMENTS = 1000
# Others are searched for, too, down to this share of the best's probability; so many of them at most.
LEAST_SHARE = 0.01
MOST = 5


@dataclass(frozen=True)
class Belief:
    """How probable it is that the best name was meant: the weights of a logistic regression."""

    per_total: float
    per_log_words: float
    per_doubt: float
    per_rarity: float
    per_log_documents: float
    otherwise: float

    def probability(self, total: float, heard: RecognisedText, named: str, documents: int) -> float:
        """`total` is what speaks for the name in the text `named`, of a catalogue with so many documents."""
        odds = (
            self.per_total * total
            + self.per_log_words * math.log(max(1, len(heard.words)))
            + self.per_doubt * heard.doubt
            + self.per_rarity * heard.rarity_beside(named)
            + self.per_log_documents * math.log(max(FEW_DOCUMENTS, documents))
            + self.otherwise
        )
        return 1 / (1 + math.exp(-max(-30.0, odds)))


WITH_LIKELIHOODS = Belief(0.69, -1.67, 1.07, 0.34, -0.56, 0.96)
BY_SOUND = Belief(0.78, -1.75, 1.24, 0.21, -0.66, 0.34)


@dataclass(frozen=True)
class Rewrite:
    """A query that may have been meant: its text, how probable it is, why, and the documents that are called so."""

    text: str
    probability: float
    match: Match
    document_ids: frozenset[str] = frozenset()


def rewrites(
    heard: RecognisedText, candidates: Sequence[Candidate], documents: int, likelihoods: Mapping[str, Likelihood]
) -> list[Rewrite]:
    """What may have been meant by what was heard, the most probable first: at least that itself.

    The candidates come from a catalogue with so many `documents`. `likelihoods` are those of sentences with their
    names, and of what was heard. Where there are none the sound alone speaks.
    """
    totals = {sentence(candidate): _total(candidate, heard, likelihoods) for candidate in candidates[::-1]}
    ranked = sorted(totals.items(), key=lambda item: -item[1])[:MOST]
    if not ranked:
        return [Rewrite(heard.text, 1.0, "text")]
    (named, best), belief = ranked[0], WITH_LIKELIHOODS if likelihoods else BY_SOUND
    probability = 1.0 if heard.says(named) else belief.probability(best, heard, named, documents)
    if probability < LEAST_PROBABILITY:
        return [Rewrite(heard.text, 1.0, "text")]
    shares = {text: math.exp(total - best) for text, total in ranked if total - best >= math.log(LEAST_SHARE)}
    said = max((share for text, share in shares.items() if heard.says(text)), default=0.0)
    plain_probability = max(1 - probability, probability * said, LEAST_SHARE)
    plain = Rewrite(heard.text, plain_probability, "text", _called(candidates, heard.text))
    names = [
        Rewrite(text, probability * share, "acoustic" if likelihoods else "sound", _called(candidates, text))
        for text, share in shares.items()
        if not heard.says(text)
    ]
    return sorted([plain, *names], key=lambda meaning: -meaning.probability)


def worth_rescoring(heard: RecognisedText, candidates: Sequence[Candidate], documents: int) -> list[Candidate]:
    """The names of which the acoustic model may find that they were meant, and not what the text says.

    Where the name that sounds best stands in the text there is nothing to be asked, nor of a name that does not sound
    so well that it could be believed.
    """
    if not candidates or heard.says(sentence(candidates[0])):
        return []
    return [candidate for candidate in candidates if _may_be_believed(heard, candidate, documents)]


def _may_be_believed(heard: RecognisedText, candidate: Candidate, documents: int) -> bool:
    total = SOUND * candidate.evidence + MOST_ACOUSTIC
    return WITH_LIKELIHOODS.probability(total, heard, sentence(candidate), documents) >= LEAST_PROBABILITY


def sentence(candidate: Candidate) -> str:
    """What was said if this name was: the reading that it fits best, with it in its place."""
    return candidate.placements[0].sentence


def _total(candidate: Candidate, heard: RecognisedText, likelihoods: Mapping[str, Likelihood]) -> float:
    is_nudged = candidate.placements[0].reading in heard.nudged
    by_sound = SOUND * candidate.evidence - (NUDGED if is_nudged else 0.0)
    if not likelihoods:
        return by_sound
    own, plain = likelihoods[sentence(candidate)], likelihoods[heard.text]
    return by_sound + ACOUSTIC * (own.logprob - plain.logprob + PER_TOKEN * (own.tokens - plain.tokens))


def _called(candidates: Sequence[Candidate], text: str) -> frozenset[str]:
    """The documents called by a name with which this was said."""
    said = tokens(text)
    return frozenset(
        document_id
        for candidate in candidates
        if tokens(sentence(candidate)) == said
        for document_id in candidate.document_ids
    )
