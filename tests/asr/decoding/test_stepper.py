"""One suite for every stepper: what a row is told never depends on how, when and beside whom it is read."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from asr.audio.decode import Samples
from asr.audio.features import log_mel_spectrogram
from asr.decoding.rules import Rules
from asr.decoding.stepper import FAVOURITES, FORBIDDEN, BiasedTokens, CacheEntry, Choice, Row, Stepper
from asr.runtime.cuda_stepper import CudaStepper
from asr.runtime.native.build import GENERIC
from asr.runtime.native.library import Kernels
from asr.runtime.native.stepper import NativeStepper
from asr.runtime.torch_stepper import TorchStepper
from asr.whisper.checkpoints import Checkpoint
from asr.whisper.encoding import FRAMES_FOR_ONE, EncodedWindow, Encoder
from tests.asr.conftest import KERNELS
from tests.asr.int8 import relative_error

TOLERANCE = 1e-3  # of logits, between two ways to compute the same in float32
LOGIT_ROUNDING = 5e-4  # between batches of different sizes in float32
ROUNDING = 1e-4  # the same of log-probabilities
INT8_ERROR = 0.12  # of a text's logits on average; 0.10 in tiny.en and 0.07 in base, most of it from the weights
INT8_TIE = 0.1  # between the log-probabilities of two tokens of which int8 may choose either
TEXT = 8  # tokens after the prompt that most tests read


@dataclass(frozen=True)
class Bench:
    """A model and every recording, encoded; clips differ in length."""

    checkpoint: Checkpoint
    encoder: Encoder
    windows: list[EncodedWindow]
    whole_window: EncodedWindow

    @property
    def rules(self) -> Rules:
        return Rules.of(self.checkpoint)

    @property
    def prompt(self) -> list[int]:
        return self.checkpoint.tokenizer.prompt("en")

    def torch_steps(self) -> TorchStepper:
        return TorchStepper(self.checkpoint.model.decoder, self.encoder.silence, context=self.rules.context)

    def static_steps(self) -> CudaStepper:
        return CudaStepper(self.checkpoint.model.decoder, self.encoder.silence, context=self.rules.context, places=8)

    def native_steps(self, kernels: Kernels) -> NativeStepper:
        decoder, context = self.checkpoint.model.decoder, self.rules.context
        return NativeStepper(decoder, self.encoder.silence, kernels, context=context)

    def expected(self, tokens: list[int], window: EncodedWindow) -> Tensor:
        """Logits (n, n_vocab) of the plain network, for which the silence after the clip is spelt out."""
        kept = self.encoder.silence.encoded[self.encoder.silence.after(window.frames) :]
        spelt_out = torch.cat((window.encoded, kept.repeat_interleave(FRAMES_FOR_ONE, dim=0)))
        with torch.inference_mode():
            return self.checkpoint.model.decoder(torch.tensor([tokens]), spelt_out[None])[0]


@dataclass
class Text:
    """A sequence that grows by the likeliest token; `choices` are what it was told after its prompt."""

    past: CacheEntry
    unread: list[int]
    mask: Tensor
    read: int = 0
    choices: list[Choice] = field(default_factory=list)

    def rows(self) -> list[Row]:
        return [
            Row(self.past, token, self.read + i, mask=self.mask, wants_logits=True)
            for i, token in enumerate(self.unread)
        ]

    def take(self, choice: Choice) -> None:
        self.choices.append(choice)
        self.read += len(self.unread)
        self.unread = [choice.token]

    @property
    def tokens(self) -> list[int]:
        return [choice.token for choice in self.choices]


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """PyTorch's threads wait for each other in every small operation; on a busy machine that takes all the time."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module", params=["tiny_en", "base"])
def bench(request: pytest.FixtureRequest, clips: list[Samples]) -> Bench:
    checkpoint: Checkpoint = request.getfixturevalue(request.param)
    encoder = Encoder(checkpoint.model.encoder)
    mels = [log_mel_spectrogram(clip, checkpoint.model.dims.n_mels) for clip in clips]
    windows = [encoder.encode([mel])[0] for mel in mels]
    assert len({window.frames for window in windows}) > 4
    return Bench(checkpoint, encoder, windows, encoder.encode_whole(mels[:1])[0])


# The generic loop takes minutes; `test_native_paths` holds that one to the others.
LOWER = [path for path in list(KERNELS)[:-1] if path != GENERIC.name]


@pytest.fixture(scope="module", params=["torch", "static", "native", *LOWER])
def stepper(request: pytest.FixtureRequest, bench: Bench) -> Stepper:
    """`native` has the newest kernels, which are tried with both sizes of model; all others are with the smaller."""
    if request.param == "native":
        return bench.native_steps(request.getfixturevalue("best_kernels"))
    if bench.checkpoint.name == "base":
        pytest.skip("what computes alike in every size of model is tried with the smaller one")
    if request.param in LOWER:
        return bench.native_steps(KERNELS[request.param])
    return bench.torch_steps() if request.param == "torch" else bench.static_steps()


def begun(bench: Bench, stepper: Stepper, window: EncodedWindow) -> Text:
    return Text(stepper.begin(stepper.hear(window)), bench.prompt, bench.rules.suppression.later)


def grown(stepper: Stepper, texts: list[Text], steps: int) -> None:
    """Read all texts on, side by side."""
    for _ in range(steps):
        rows = [text.rows() for text in texts]
        choices = iter(stepper.step([row for own in rows for row in own]))
        for text, own in zip(texts, rows, strict=True):
            text.take([next(choices) for _ in own][-1])


def alone(bench: Bench, stepper: Stepper, window: EncodedWindow, steps: int = TEXT) -> Text:
    text = begun(bench, stepper, window)
    grown(stepper, [text], steps)
    stepper.release(text.past)
    return text


def logits_of(stepper: Stepper, past: CacheEntry, tokens: list[int], at: int = 0) -> Tensor:
    """Logits (n, n_vocab) for tokens that are read one by one from a position on."""
    choices = [stepper.step([Row(past, token, at + i, wants_logits=True)])[0] for i, token in enumerate(tokens)]
    return torch.stack([choice.logits for choice in choices if choice.logits is not None])


def assert_equal(stepper: Stepper, ours: Choice, theirs: Choice) -> None:
    """Bit for bit where sums are integers, up to rounding in PyTorch."""
    assert ours.logits is not None
    assert theirs.logits is not None
    if isinstance(stepper, NativeStepper):
        assert torch.equal(ours.logits, theirs.logits)
        assert ours.logprob == theirs.logprob
        assert ours.runner_up_logprob == theirs.runner_up_logprob
    else:
        torch.testing.assert_close(ours.logits, theirs.logits, atol=LOGIT_ROUNDING, rtol=0)
        assert ours.logprob == pytest.approx(theirs.logprob, abs=ROUNDING)
        assert ours.runner_up_logprob == pytest.approx(theirs.runner_up_logprob, abs=ROUNDING)
    assert (ours.token, ours.runner_up) == (theirs.token, theirs.runner_up)


def assert_near(stepper: Stepper, ours: Tensor, expected: Tensor) -> None:
    """Logits (n, n_vocab) of a text, against the plain network's in float32."""
    if isinstance(stepper, NativeStepper):
        assert relative_error(ours, expected).mean() < INT8_ERROR
    else:
        torch.testing.assert_close(ours, expected, atol=TOLERANCE, rtol=0)


def test_token_by_token_gives_what_the_whole_network_gives(bench: Bench, stepper: Stepper) -> None:
    for window in (bench.windows[0], bench.whole_window):
        tokens = [*bench.prompt, *alone(bench, stepper, window).tokens]
        past = stepper.begin(stepper.hear(window))
        ours = logits_of(stepper, past, tokens)
        stepper.release(past)
        assert_near(stepper, ours, bench.expected(tokens, window))


def test_the_likeliest_tokens_are_those_of_float32_in_every_recording(bench: Bench, stepper: Stepper) -> None:
    """In int8 a tie may end the other way: "which" for "Which"."""
    eot, suppression = bench.checkpoint.tokenizer.eot, bench.rules.suppression.later
    for window in bench.windows:
        text = alone(bench, stepper, window, steps=25)
        said = text.tokens[: text.tokens.index(eot) + 1]
        tokens = [*bench.prompt, *said[:-1]]
        expected = bench.expected(tokens, window)[len(bench.prompt) - 1 :]
        logprobs = (expected + suppression).log_softmax(dim=-1)
        behind = logprobs.amax(dim=-1) - logprobs[range(len(said)), said]
        assert behind.max() <= (INT8_TIE if isinstance(stepper, NativeStepper) else 0)


def test_a_prompt_in_one_step_is_a_prompt_token_by_token(bench: Bench, stepper: Stepper) -> None:
    audio = stepper.hear(bench.windows[0])
    at_once, one_by_one = stepper.begin(audio), stepper.begin(audio)
    mask = bench.rules.suppression.at_start
    prompts = [
        [Row(past, token, i, mask=mask, wants_logits=True) for i, token in enumerate([*bench.prompt, 1396, 1182])]
        for past in (at_once, one_by_one)
    ]
    together, apart = stepper.step(prompts[0]), [stepper.step([row])[0] for row in prompts[1]]
    for ours, theirs in zip(together, apart, strict=True):
        assert_equal(stepper, ours, theirs)
    for past in (at_once, one_by_one):
        stepper.release(past)


@pytest.mark.parametrize("count", [2, 3, 8])
def test_a_row_is_told_the_same_beside_others_as_alone(bench: Bench, stepper: Stepper, count: int) -> None:
    """Clips of other lengths that are at other positions: each joins a step after the one before, prompt and all."""
    lonely = [alone(bench, stepper, window) for window in bench.windows[:count]]
    together: list[Text] = []
    for window in bench.windows[:count]:
        together.append(begun(bench, stepper, window))
        grown(stepper, together, 1)
    grown(stepper, together, TEXT - 1)
    for one, other in zip(lonely, together, strict=True):
        for ours, theirs in zip(other.choices, one.choices, strict=False):
            assert_equal(stepper, ours, theirs)
        stepper.release(other.past)


def test_the_order_of_the_rows_does_not_matter(bench: Bench, stepper: Stepper) -> None:
    texts = [begun(bench, stepper, window) for window in bench.windows[:4]]
    grown(stepper, texts, 2)
    rows = [text.rows()[0] for text in texts]
    for ours, theirs in zip(stepper.step(rows[::-1])[::-1], stepper.step(rows), strict=True):
        assert_equal(stepper, ours, theirs)
    for text in texts:
        stepper.release(text.past)


def test_a_fork_goes_on_as_if_it_had_read_everything_itself(bench: Bench, stepper: Stepper) -> None:
    """It forgets what came after the fork, and neither disturbs the other."""
    audio = stepper.hear(bench.windows[0])
    common, one_way, other_way = [*bench.prompt, 1396, 1182], [295, 257, 640], [407, 11, 262]
    first = stepper.begin(audio)
    before = logits_of(stepper, first, [*common, *one_way[:1]])
    fork = stepper.fork(first, len(common))
    forked = logits_of(stepper, fork, other_way, at=len(common))
    after = logits_of(stepper, first, one_way[1:], at=len(common) + 1)
    for ours, path in ((torch.cat((before[-1:], after)), one_way), (forked, other_way)):
        itself = stepper.begin(audio)
        theirs = logits_of(stepper, itself, [*common, *path])[-len(path) :]
        torch.testing.assert_close(
            ours, theirs, atol=0 if isinstance(stepper, NativeStepper) else LOGIT_ROUNDING, rtol=0
        )
        stepper.release(itself)
    for past in (first, fork):
        stepper.release(past)


def test_what_is_read_for_several_sequences_all_have_read(bench: Bench, stepper: Stepper) -> None:
    """In the same step, too: the common beginning is read once, and each goes on by itself."""
    audio = stepper.hear(bench.windows[0])
    common, ways = [*bench.prompt, 1396, 1182], [[295, 257], [407, 11], [262, 640]]
    pasts = [stepper.begin(audio) for _ in ways]
    beginning = [Row(pasts[0], token, i, beside=pasts[1:]) for i, token in enumerate(common)]
    first = [Row(past, way[0], len(common), wants_logits=True) for past, way in zip(pasts, ways, strict=True)]
    told = stepper.step([*beginning, *first])[len(beginning) :]
    for past, way, choice in zip(pasts, ways, told, strict=True):
        assert choice.logits is not None
        ours = torch.stack((choice.logits, *logits_of(stepper, past, way[1:], at=len(common) + 1)))
        itself = stepper.begin(audio)
        theirs = logits_of(stepper, itself, [*common, *way])[-len(way) :]
        torch.testing.assert_close(
            ours, theirs, atol=0 if isinstance(stepper, NativeStepper) else LOGIT_ROUNDING, rtol=0
        )
        stepper.release(itself)
    for past in pasts:
        stepper.release(past)


def test_a_place_that_was_used_before_gives_what_a_fresh_one_gives(bench: Bench, stepper: Stepper) -> None:
    """More places than any test left behind hold another clip's long text, then are given back."""
    fresh = [alone(bench, stepper, window) for window in bench.windows[:2]]
    used = [begun(bench, stepper, bench.windows[-1]) for _ in range(20)]
    grown(stepper, used, TEXT + 10)
    for text in used:
        stepper.release(text.past)
    again = [begun(bench, stepper, window) for window in bench.windows[:2]]
    grown(stepper, again, TEXT)
    for one, other in zip(fresh, again, strict=True):
        for ours, theirs in zip(other.choices, one.choices, strict=True):
            assert_equal(stepper, ours, theirs)
        stepper.release(other.past)


def test_two_texts_about_one_clip_do_not_share_what_they_read(bench: Bench, stepper: Stepper) -> None:
    audio = stepper.hear(bench.windows[0])
    pasts = [stepper.begin(audio) for _ in range(2)]
    texts = [[*bench.prompt, 1396, 1182], [*bench.prompt, 407, 11]]
    for position, tokens in enumerate(zip(*texts, strict=True)):
        rows = [Row(past, token, position, wants_logits=True) for past, token in zip(pasts, tokens, strict=True)]
        choices = stepper.step(rows)
    for past, tokens, choice in zip(pasts, texts, choices, strict=True):
        itself = stepper.begin(audio)
        theirs = logits_of(stepper, itself, tokens)[-1]
        assert choice.logits is not None
        torch.testing.assert_close(
            choice.logits, theirs, atol=0 if isinstance(stepper, NativeStepper) else LOGIT_ROUNDING, rtol=0
        )
        for done in (past, itself):
            stepper.release(done)


def test_what_is_forbidden_is_never_chosen(bench: Bench, stepper: Stepper) -> None:
    """A choice is the mask's effect on the logits that are wanted beside it, which know of no mask."""
    past = stepper.begin(stepper.hear(bench.windows[0]))
    mask = torch.zeros(bench.checkpoint.model.dims.n_vocab)
    plain = stepper.step([Row(past, bench.prompt[0], 0, mask=mask, wants_logits=True)])[0]
    for _ in range(5):
        choice = stepper.step([Row(past, bench.prompt[0], 0, mask=mask, wants_logits=True)])[0]
        assert choice.logits is not None
        assert plain.logits is not None
        assert torch.equal(choice.logits, plain.logits)
        logprobs, tokens = (choice.logits + mask).log_softmax(dim=-1).topk(2)
        assert [choice.token, choice.runner_up] == tokens.tolist()
        assert [choice.logprob, choice.runner_up_logprob] == pytest.approx(logprobs.tolist(), abs=ROUNDING)
        assert mask[choice.token] == mask[choice.runner_up] == 0
        mask[[choice.token, choice.runner_up]] = FORBIDDEN
    stepper.release(past)


@pytest.mark.parametrize("allowed", [(0, 1), (262, 50_000), (1, 50_256)])
def test_what_is_allowed_has_all_the_probability(bench: Bench, stepper: Stepper, allowed: tuple[int, int]) -> None:
    past = stepper.begin(stepper.hear(bench.windows[0]))
    mask = torch.full((bench.checkpoint.model.dims.n_vocab,), FORBIDDEN)
    mask[list(allowed)] = 0
    choice = stepper.step([Row(past, bench.prompt[0], 0, mask=mask)])[0]
    stepper.release(past)
    assert {choice.token, choice.runner_up} == set(allowed)
    assert choice.logprob >= choice.runner_up_logprob
    probability = torch.tensor([choice.logprob, choice.runner_up_logprob]).exp().sum()
    assert float(probability) == pytest.approx(1, abs=1e-5)


def test_a_row_tells_how_likely_an_expected_token_is(bench: Bench, stepper: Stepper) -> None:
    """After the mask, as for those that are chosen, in the midst of other rows."""
    past, mask = stepper.begin(stepper.hear(bench.windows[0])), bench.rules.suppression.at_start
    tokens = [*bench.prompt, 1396, 1182]
    expected = [*tokens[1:], bench.checkpoint.tokenizer.eot]
    choices = stepper.step(
        [Row(past, token, i, mask, wants_logits=True, expected=expected[i]) for i, token in enumerate(tokens)]
    )
    stepper.release(past)
    for token, choice in zip(expected[:-1], choices, strict=False):
        assert choice.logits is not None
        logprob = float((choice.logits + mask).log_softmax(dim=-1)[token])
        assert choice.expected_logprob == pytest.approx(logprob, abs=ROUNDING)
    assert choices[-1].expected_logprob < FORBIDDEN / 2


@pytest.mark.parametrize("count", [1, 3, 5, 20_000])
def test_the_best_of_the_favoured_are_told_and_change_no_choice(bench: Bench, stepper: Stepper, count: int) -> None:
    """Rows in one step favour as many tokens as they like, others none."""
    past, mask = stepper.begin(stepper.hear(bench.windows[0])), bench.rules.suppression.later
    rng = np.random.default_rng(count)
    vocabulary = bench.checkpoint.model.dims.n_vocab
    few, many = (
        BiasedTokens(
            rng.choice(vocabulary, size, replace=False).astype(np.int32), rng.uniform(0, 5, size).astype(np.float32)
        )
        for size in (2, count)
    )
    favoured = [few, None, many, BiasedTokens(many.tokens[:0], many.boosts[:0])]
    rows = [Row(past, token, i, mask, wants_logits=True) for i, token in enumerate(bench.prompt[:4])]
    plain = stepper.step(rows)
    choices = stepper.step([replace(row, favoured=own) for row, own in zip(rows, favoured, strict=False)])
    stepper.release(past)
    for one, other, own in zip(plain, choices, favoured, strict=False):
        assert_equal(stepper, other, one)
        if own is None or not len(own.tokens):
            assert not other.favourites
            continue
        assert other.logits is not None
        logprobs = (other.logits + mask).log_softmax(dim=-1)[own.tokens.tolist()]
        best = (logprobs + torch.tensor(own.boosts)).topk(min(FAVOURITES, len(own.tokens))).indices
        assert [token for token, _ in other.favourites] == own.tokens[best.numpy()].tolist()
        assert [logprob for _, logprob in other.favourites] == pytest.approx(logprobs[best].tolist(), abs=ROUNDING)


def test_logits_come_only_where_they_are_wanted(bench: Bench, stepper: Stepper) -> None:
    past = stepper.begin(stepper.hear(bench.windows[0]))
    mask = bench.rules.suppression.at_start
    wanted, unwanted = stepper.step(
        [Row(past, bench.prompt[0], 0, wants_logits=True), Row(past, bench.prompt[1], 1, mask=mask)]
    )
    stepper.release(past)
    assert wanted.logits is not None
    assert wanted.logits.shape == mask.shape
    assert unwanted.logits is None


def test_a_text_may_be_as_long_as_the_context(bench: Bench, stepper: Stepper) -> None:
    window, query = bench.windows[0], alone(bench, stepper, bench.windows[0]).tokens
    tokens = [*bench.prompt, *(query * 100)][: bench.rules.context]
    past = stepper.begin(stepper.hear(window))
    choices = stepper.step([Row(past, token, i, wants_logits=i >= 200) for i, token in enumerate(tokens)])
    stepper.release(past)
    last = torch.stack([choice.logits for choice in choices if choice.logits is not None])
    assert_near(stepper, last, bench.expected(tokens, window)[200:])


def test_threads_change_nothing(bench: Bench, best_kernels: Kernels) -> None:
    texts = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        stepper = bench.native_steps(best_kernels)
        together = [begun(bench, stepper, window) for window in bench.windows[:3]]
        grown(stepper, together, TEXT)
        texts.append(together)
    torch.set_num_threads(1)
    for one, other in zip(*texts, strict=True):
        for ours, theirs in zip(other.choices, one.choices, strict=True):
            assert_equal(stepper, ours, theirs)
