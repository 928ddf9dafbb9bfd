"""Down-mixing: several channels of a stream become one, in which speech in any of them is heard."""

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]
Gains = npt.NDArray[np.float64]

FRAME_SECONDS = 0.01  # after which the gains are decided anew
FORGET = 0.95  # of the correlation is kept from frame to frame: a fifth of a second's
RELEASE = 0.9  # of a channel's power is held from frame to frame: a tenth of a second's
RISE = 10**0.006  # of the background, from frame to frame: 6 dB a second
QUIETEST = 1e-8  # the power below which all is silence, where full scale is 1
QUIET = 1e-3  # of the loudest channel's power: a background below that is not in the way
PACE = 0.1  # of the way down is gone in a frame by a channel that is not in the way: an echo comes 20 ms later
ALIKE = 10.0  # channels stand out alike where the best does so by no more than this factor, of power
OPPOSED = -0.7  # the correlation with the other channels below which a channel is turned over
LEAST_SHARE = 1e-6  # of all power, below which what the other channels come to is rounding
DETAIL_RATE = 16_000  # Hz; decisions are made from differences between samples so far apart


class ChannelMixer:
    """The mean of a stream's channels, less what a plain mean loses.

    Two things are decided every 10 ms, from what came before:

    - A channel that is opposed to the sum of the others is turned over, so that inverted copies add up. It stays so
      until the opposite is heard: channels that have nothing in common sound the same either way.
    - A channel that stands out of its own background by 10 dB less than the best one counts for less, in proportion.
      Who speaks on one channel is not drowned by noise on the others, nor made faint by their silence. While nobody
      speaks all count alike again, so that the first sound of the next speaker is heard as in the mean, on whichever
      channel.

    The gains sum up to 1 and change along a ramp of one frame, so that nothing clicks. Where all channels agree, as
    they do in nearly every recording, the result is the plain mean to the last bit. The background is the least power
    of late, which may rise by 6 dB a second. How a stream is cut into blocks makes no difference, and no sample is held
    back.

    Limits: the first 20 ms of inverted copies are lost. Noise that comes and goes as speech does counts as speech, and
    steady noise does until its level has been learnt. Of two who speak at once, the fainter may be made fainter. A copy
    that is delayed is added as it is or turned over, and colours the sound. Backgrounds are learnt from differences
    between samples, so hum and offsets count for little.
    """

    def __init__(self, channels: int, sample_rate: int) -> None:
        self._channels = channels
        self._frame = round(sample_rate * FRAME_SECONDS)
        self._apart = max(1, sample_rate // DETAIL_RATE)
        self._begun = np.empty((0, channels), np.float32)  # of a frame
        self._signs = np.ones(channels)
        self._power = np.zeros(channels)
        self._weights = np.ones(channels)
        self._background = np.full(channels, np.inf)
        self._covariance = np.zeros((channels, channels))
        self._gains = np.full((2, channels), 1 / channels)  # where the frame's ramp begins and ends

    def mix(self, block: Samples) -> Samples:
        """The next samples of one channel: (samples, channels) → (samples,)."""
        mixed: Samples = block.mean(axis=1, dtype=np.float32)
        if self._channels == 1:
            return mixed
        begun = len(self._begun)
        gains = self._gains_of_frames(block)
        is_mean = (gains == 1 / self._channels).all(axis=1)
        for frame in np.flatnonzero(~(is_mean[:-1] & is_mean[1:])).tolist():
            start = frame * self._frame - begun
            first, end = max(0, start), min(len(block), start + self._frame)
            ramp = np.arange(first + 1 - start, end + 1 - start)[:, None] / self._frame
            faded = block[first:end] * (gains[frame] + ramp * (gains[frame + 1] - gains[frame]))
            mixed[first:end] = faded.sum(axis=1)
        return mixed

    def _gains_of_frames(self, block: Samples) -> Gains:
        """Where the ramps of the frames in `block` begin and end: one row more than frames that it touches."""
        samples = np.concatenate((self._begun, block))
        whole = len(samples) // self._frame
        self._begun = samples[whole * self._frame :].copy()
        frames = samples[: whole * self._frame].reshape(whole, self._frame, self._channels)
        detail = np.diff(frames[:, :: self._apart].transpose(0, 2, 1).astype(np.float64))
        covariances = np.nan_to_num(detail @ detail.transpose(0, 2, 1) / detail.shape[2], posinf=0.0)
        gains = np.stack([*self._gains, *map(self._decide, covariances)])
        self._gains = gains[-2:]
        return gains

    def _decide(self, covariance: Gains) -> Gains:
        """The gains, of shape (channels,), after a frame whose covariance is of shape (channels, channels)."""
        power = covariance.diagonal()
        self._power = np.maximum(power, self._power * RELEASE)
        self._background = np.maximum(np.minimum(power, self._background * RISE), QUIETEST)
        self._covariance = self._covariance * FORGET + covariance
        self._turn_over()
        standing_out = np.maximum(self._power / self._background, 1.0)
        least, most = min(standing_out.tolist()), max(standing_out.tolist())  # of so few, faster than numpy's
        if most <= ALIKE * least:
            self._weights = np.ones(self._channels)
            return self._signs / self._channels
        weights = np.minimum(1.0, ALIKE / most * standing_out)
        at_once = (weights > self._weights) | (self._background > QUIET * self._power.max())
        self._weights = np.where(at_once, weights, self._weights + PACE * (weights - self._weights))
        return np.asarray(self._signs * (self._weights / self._weights.sum()))

    def _turn_over(self) -> None:
        """Turn over the channel that is the most opposed to the sum of the others, and then the next."""
        power = self._covariance.diagonal()
        for _ in range(self._channels):
            with_others = self._signs * (self._covariance @ self._signs) - power
            if min(with_others.tolist()) >= 0:
                return
            others = with_others.sum() + power.sum() - 2 * with_others - power
            scale = np.sqrt(power * np.maximum(others, LEAST_SHARE * power.sum()))
            correlation = with_others / np.maximum(scale, QUIETEST)
            most = correlation.argmin()
            if correlation[most] >= OPPOSED:
                return
            self._signs[most] *= -1
