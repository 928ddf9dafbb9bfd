"""Encoded audio to hypotheses, token by token.

Read `stepper` (one step of the text decoder, as a protocol), `sequence` (a text that grows), `window` (one window's
decoding: greedy search, alternatives, prefix), `repetition` (loops are cut), `contextual_bias` (hotwords: a trie of
phrases) and `biased_beam` (beam search for them), `hallucination` (was it really said), `forced_scoring` (how likely
given texts are) and `stable_prefix` (what stays of a text that grows).
"""
