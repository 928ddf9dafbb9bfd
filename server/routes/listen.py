"""Live listening: audio in, and words and results out while somebody speaks."""

import logging
import time
from typing import Annotated

from fastapi import APIRouter, Query, WebSocket
from starlette.exceptions import HTTPException

from asr.errors import AsrError
from search.errors import SearchError
from search.result import SearchOptions
from server.errors import ApiError, api_error, busy
from server.ids import new_id
from server.live.options import ListenOptions, parse_options
from server.live.recogniser import Recogniser
from server.live.refusal import refuse
from server.live.session import Session
from server.schemas import errors
from server.search_requests import search_options
from server.services import Services

logger = logging.getLogger(__name__)

CODES = {1000, 1001, 1002, 1005, 1006, 1007, 1008, 1009, 1011, 1013}  # a client may make up others

router = APIRouter(prefix="/v1", tags=["voice search"])


@router.get("/listen", responses=errors(400, 401, 403, 404, 426, 503), status_code=101)
async def listen_over_http(options: Annotated[ListenOptions, Query()]) -> None:  # noqa: ARG001
    """Listen live: connect here with a WebSocket, send PCM as somebody speaks, get words and results.

    It is the protocol of Deepgram's live API: its clients work once the address is changed. The messages are described
    in `server/live/protocol.py`.
    """
    raise ApiError(
        426,
        "upgrade_required",
        "Connect here with a WebSocket, as wscat does with: -c ws://127.0.0.1:8000/v1/listen",
        headers={"Upgrade": "websocket"},
    )


@router.websocket("/listen")
async def listen(websocket: WebSocket) -> None:
    """The same address, as a WebSocket."""
    services: Services = websocket.app.state.services
    request_id = new_id("req")
    started = time.monotonic()
    try:
        session = await _session(websocket, services, request_id)
    except (HTTPException, AsrError, SearchError) as error:
        refusal = api_error(error, request_id)
        logger.info("listener id=%s refused=%s", request_id, refusal.code)
        await refuse(websocket, refusal, services.metrics)
        return
    with services.listeners.listening(session):
        code = await session.run()
    services.metrics.listeners_closed.labels(code if code in CODES else "other").inc()
    logger.info(
        "listener id=%s code=%s s=%.1f audio_s=%.1f utterances=%d",
        request_id,
        code,
        time.monotonic() - started,
        session.seconds,
        session.utterances,
    )


async def _session(websocket: WebSocket, services: Services, request_id: str) -> Session:
    """Raises ApiError, AsrError or SearchError for whom there is no room, or who asks for what is not to be had."""
    options = parse_options(websocket.query_params)
    model = services.transcriber.name
    if not options.served_by(model):
        raise ApiError(
            404, "model_not_found", f"The model {options.model!r} is not served here; {model!r} is.", param="model"
        )
    catalogue = services.catalogues.named(options.index)
    searches = options.search != "false"
    search = await search_options(catalogue, options.limit, options.filter) if searches else SearchOptions()
    recogniser = Recogniser(services, options, catalogue, search)
    services.listeners.check()
    if services.admission.is_full:
        raise busy("The server has all the work it can take. Try again in a moment.", services.admission.delay / 2)
    return Session(websocket, services, options, recogniser, request_id)
