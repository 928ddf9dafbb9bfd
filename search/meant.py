"""What may have been meant: the queries that may have been asked, each with how probable it is.

Whoever speaks asks either for what the text says that was heard, or for one of the names that sound like a part of it.
For each name three things speak, as logarithms of probabilities that are weighed against each other (a log-linear
model, its weights by maximum likelihood: Och and Ney, "Discriminative Training and Maximum Entropy Models for
Statistical Machine Translation", ACL 2002): how alike it sounds, how likely the acoustic model finds the sentence with
it, and that a document is rather called by its title than by one of many aliases. The acoustic model finds rare names
unlikely because it seldom read them, and long ones because each token costs; so its word counts for little, with a
bonus for each token.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from asr.transcript import Likelihood
from search.candidates import Candidate
from search.result import Match
from search.text import tokens

SOUND = 1.69
ACOUSTIC = 0.17
PER_TOKEN = 3.3  # nats
# What the best name must reach to be believed, for a text of one word of which the model is sure; more in a longer one,
# where more may sound like a name by chance, and less where the model is unsure of the text, or of a word in it.
ENOUGH = 3.5
PER_LOG_WORDS = 2.7
PER_LOGPROB = 0.9
PER_LEAST_LOGPROB = 2.6
LEAST_CONFIDENCE = 1e-3
# More the acoustic model hardly ever says for a name: the text that was heard is the likeliest that there is.
MOST_ACOUSTIC = 1.0
# Others are searched for, too, down to this share of the best's probability; so many of them at most.
LEAST_SHARE = 0.01
MOST = 8


@dataclass(frozen=True)
class Meaning:
    """A query that may have been meant: its text, its probability against the most probable one's, and why."""

    text: str
    share: float
    match: Match


def meanings(
    heard: str, least_confidence: float, candidates: Sequence[Candidate], likelihoods: Mapping[str, Likelihood]
) -> list[Meaning]:
    """What may have been meant by what was heard, the most probable first: at least that itself.

    `least_confidence` is that of the word of which the recogniser is least sure, from 0 to 1; `likelihoods` are those
    of sentences with the candidates' names, and of `heard`. Without these only the text counts.
    """
    plain = likelihoods.get(heard)
    if plain is None:
        return [Meaning(heard, 1.0, "text")]
    totals = {
        sentence(candidate): _total(candidate, likelihoods[sentence(candidate)], plain)
        for candidate in candidates[::-1]
    }
    best = max(totals.values(), default=-math.inf)
    if best < _enough(heard, least_confidence, plain.logprob / plain.tokens):
        return [Meaning(heard, 1.0, "text")]
    ranked = sorted(totals.items(), key=lambda item: -item[1])[:MOST]
    named = {text: math.exp(total - best) for text, total in ranked if total - best >= math.log(LEAST_SHARE)}
    said = {text: share for text, share in named.items() if tokens(text) == tokens(heard)}
    others = [Meaning(text, share, "acoustic") for text, share in named.items() if text not in said]
    plain_text = Meaning(heard, max(said.values(), default=LEAST_SHARE), "text")
    return sorted([plain_text, *others], key=lambda meaning: -meaning.share)


def worth_asking(heard: str, confidence: float, least_confidence: float, candidates: Sequence[Candidate]) -> bool:
    """Whether the acoustic model may find that one of these names was meant, and not what the text says.

    `confidence` is that of the text, from 0 to 1. Where the name that sounds best stands in the text there is nothing
    to be asked, nor where none sounds so well that it could be believed.
    """
    if not candidates or tokens(sentence(candidates[0])) == tokens(heard):
        return False
    enough = _enough(heard, least_confidence, math.log(max(confidence, LEAST_CONFIDENCE)))
    return SOUND * candidates[0].evidence + MOST_ACOUSTIC >= enough


def sentence(candidate: Candidate) -> str:
    """What was said if this name was: the reading that it fits best, with it in its place."""
    return candidate.placements[0].sentence


def _total(candidate: Candidate, own: Likelihood, plain: Likelihood) -> float:
    acoustic = own.logprob - plain.logprob + PER_TOKEN * (own.tokens - plain.tokens)
    return SOUND * candidate.evidence + ACOUSTIC * acoustic


def _enough(heard: str, least_confidence: float, logprob: float) -> float:
    return (
        ENOUGH
        + PER_LOG_WORDS * math.log(max(1, len(heard.split())))
        + PER_LOGPROB * logprob
        + PER_LEAST_LOGPROB * math.log(max(least_confidence, LEAST_CONFIDENCE))
    )
