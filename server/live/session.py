"""One listener's connection, from being accepted to its close."""

import asyncio
import contextlib
import logging
import time
from datetime import UTC, datetime
from importlib.metadata import version

from starlette.websockets import WebSocket, WebSocketDisconnect

from asr.audio.pcm_stream import PcmStream
from server.errors import ApiError, api_error, error_body
from server.live.containers import START_BYTES, container_of
from server.live.options import ListenOptions
from server.live.protocol import (
    CloseCode,
    CloseStream,
    Error,
    Finalize,
    Metadata,
    ModelInfo,
    ResultsMetadata,
    ServerMessage,
    UnknownMessage,
    parse_command,
)
from server.live.rate_limit import MESSAGE_SECONDS, TokenBucket
from server.live.recogniser import Recogniser
from server.live.refusal import chosen_subprotocol
from server.live.utterances import Utterances
from server.services import Services

logger = logging.getLogger(__name__)

SLICE_SECONDS = 0.2  # of audio that is heard in one go, in some two milliseconds
TURN_SECONDS = 0.005  # that one listener may keep the event loop
IDLE_SECONDS = 600.0  # without audio, KeepAlive or not
CLOSING_SECONDS = 1.0  # for the last message where there is no more time
SILENT = ApiError(
    408,
    "NET-0001",
    'Neither audio nor a KeepAlive came for a while. Send {"type": "KeepAlive"} every few seconds while nobody speaks.',
)


class Session:
    """Reads what the client sends and ends the connection in order; `listeners` may `stop` it.

    Raises ApiError (503) while the model is not there.
    """

    def __init__(
        self,
        websocket: WebSocket,
        services: Services,
        options: ListenOptions,
        recogniser: Recogniser,
        request_id: str,
    ) -> None:
        self.seconds = 0.0  # of audio
        self._websocket = websocket
        self._options = options
        self._timeout = services.settings.listener_timeout
        self._start = b""  # of what was sent, for as long as that may tell that it is no PCM
        self._refusal: ApiError | None = None
        self._pcm = PcmStream(options.sample_rate, options.channels)
        self._model = ModelInfo(name=services.transcriber.name, version=version("sayseek"))
        self._request_id = request_id
        metadata = ResultsMetadata(request_id=request_id, model_info=self._model, model_uuid=self._model.name)
        self._conversation = Utterances(options, recogniser, services.metrics, metadata, self._send, self._wake)
        self._created = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._audio_at = self._alive_at = self._turn_began = time.monotonic()
        self._allowance = TokenBucket(self._alive_at)
        self._patience: asyncio.Timeout | None = None
        self._is_woken = False
        self._is_stopped = False

    @property
    def utterances(self) -> int:
        """How many there have been."""
        return self._conversation.utterances

    def stop(self) -> None:
        """Read no more, deliver what is due, and close: the server is going down."""
        self._is_stopped = True
        self._wake()

    async def run(self) -> int:
        """Accept the client and serve it to the end; gives the close code."""
        await self._websocket.accept(
            chosen_subprotocol(self._websocket), [(b"dg-request-id", self._request_id.encode())]
        )
        code = CloseCode.FAILED
        try:
            code = await self._serve()
        except* WebSocketDisconnect as left:
            code = _code_of(left)
        except* asyncio.CancelledError:
            code = await self._part(CloseCode.GOING_DOWN)
        except* Exception as error:
            logger.error("unhandled error id=%s", self._request_id, exc_info=error)
            await self._part(code)
        finally:
            self._conversation.close()
        return code

    async def _serve(self) -> int:
        await self._send(self._metadata())
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._conversation.deliver())
            code = await self._listen()
            await self._conversation.finish(cut_off=code == CloseCode.GOING_DOWN)
        if self._refusal:
            await self._send(Error.of(error_body(self._refusal)))
        await self._send(self._metadata())
        await self._websocket.close(code, self._refusal.code if self._refusal else None)
        return code

    async def _listen(self) -> int:
        """Read until there is a reason to close; gives its code. Raises WebSocketDisconnect when the client leaves."""
        while not self._is_stopped:
            try:
                message = await self._receive()
            except TimeoutError:
                self._refusal = SILENT
                return CloseCode.SILENT
            if message is None:
                await self._conversation.settle()
                continue
            if isinstance(message, bytes):
                self._refusal = self._refusal_of(message)
                if self._refusal:
                    return CloseCode.REFUSED
                await self._hear(message)
            elif await self._obey(message):
                return CloseCode.DONE
            await self._spend(MESSAGE_SECONDS)
        return CloseCode.GOING_DOWN

    async def _receive(self) -> bytes | str | None:
        """The next message; None when something else is to be seen to. Raises TimeoutError for a silent client.

        `_wake` interrupts it by letting its time run out. No message is lost by that, for what waits is the `get` of a
        queue: interrupted, it has taken nothing, even where a message has just come. Nor is a wake: one that finds
        nobody waiting is seen at the next call.
        """
        if not self._is_woken:
            deadline = min(self._alive_at + self._timeout, self._audio_at + IDLE_SECONDS)
            try:
                async with asyncio.timeout_at(deadline) as self._patience:
                    message = await self._websocket.receive()
                    if message["type"] == "websocket.disconnect":
                        raise WebSocketDisconnect(message["code"], message.get("reason"))
                    data: bytes | None = message.get("bytes")
                    return message.get("text") if data is None else data
            except TimeoutError:
                if not self._is_woken:
                    raise
            finally:
                self._patience = None
        self._is_woken = False
        return None

    def _wake(self) -> None:
        """Have `_receive` return at once."""
        self._is_woken = True
        if self._patience and not self._patience.expired():
            self._patience.reschedule(time.monotonic())

    def _refusal_of(self, data: bytes) -> ApiError | None:
        """What is wrong with the next bytes, where the stream turns out to be no PCM; it is told in its beginning."""
        if len(self._start) == START_BYTES:
            return None
        self._start = (self._start + data)[:START_BYTES]
        options = self._options
        container = container_of(self._start, options.sample_rate, options.channels)
        if not container:
            return None
        return ApiError(
            400,
            "DATA-0000",
            f"This is {container}, where a live stream is bare PCM. Decode it, and send 16 bit little-endian PCM "
            f"with sample_rate={options.sample_rate} and channels={options.channels}, or set these as the PCM is. "
            "Send a file as it is to POST /v1/voice-search.",
        )

    async def _hear(self, data: bytes) -> None:
        bytes_per_second = 2 * self._options.channels * self._options.sample_rate
        size = round(SLICE_SECONDS * bytes_per_second)
        for at in range(0, len(data), size):
            if self._is_stopped:
                return
            piece = data[at : at + size]
            await self._conversation.hear(self._pcm.push(piece))
            self.seconds += len(piece) / bytes_per_second
            await self._spend(len(piece) / bytes_per_second)
            self._audio_at = self._alive_at = time.monotonic()

    async def _obey(self, text: str) -> bool:
        """Do as a text message says; whether it was the last."""
        try:
            command = parse_command(text)
        except UnknownMessage as error:
            await self._send(Error.of(error_body(ApiError(400, "SchemaError", str(error)))))
            return False
        self._alive_at = time.monotonic()
        if isinstance(command, Finalize):
            await self._conversation.finalize()
        return isinstance(command, CloseStream)

    async def _spend(self, seconds: float) -> None:
        """Wait where more audio has come than may; let others have the event loop if this listener has had it long."""
        now = time.monotonic()
        wait = self._allowance.spend(seconds, now)
        if wait or now - self._turn_began > TURN_SECONDS:
            await asyncio.sleep(wait)
            self._turn_began = time.monotonic()

    async def _send(self, message: ServerMessage) -> None:
        await self._websocket.send_text(message.json_text())

    async def _part(self, code: int) -> int:
        """Close when there is no time for more."""
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if code == CloseCode.FAILED:
                    await self._send(Error.of(error_body(api_error(RuntimeError(), self._request_id))))
                await self._websocket.close(code)
        return code

    def _metadata(self) -> Metadata:
        return Metadata(
            request_id=self._request_id,
            created=self._created,
            duration=round(self.seconds, 3),
            channels=self._options.channels,
            models=[self._model.name],
            model_info={self._model.name: self._model},
            ignored=list(self._options.ignored),
        )


def _code_of(left: BaseExceptionGroup[WebSocketDisconnect]) -> int:
    """The code with which the client left."""
    first = left.exceptions[0]
    return first.code if isinstance(first, WebSocketDisconnect) else 1006
