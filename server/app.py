"""The application: builds the parts, joins them and owns their life."""

import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import Depends, FastAPI
from fastapi_offline import FastAPIOffline

from server.errors import install_error_handlers
from server.middleware.access_log import AccessLog
from server.middleware.api_key import RequireKey
from server.middleware.body_limit import BodyLimit
from server.middleware.load_shedding import LoadShedding
from server.middleware.origins import CheckOrigin
from server.middleware.prefix import TakeOffPrefix
from server.middleware.shutdown_answer import ShutdownAnswer
from server.routes import (
    documents,
    indexes,
    known_names_only,
    listen,
    models,
    operations,
    page,
    reference,
    search,
    voice_search,
)
from server.services import Services
from server.settings import Settings

logger = logging.getLogger(__name__)

DESCRIPTION = """Say it, find it: send a spoken clip, get the transcript and search results from your own catalogue.

Try `POST /v1/voice-search` with a recording. Every error has the same body and says how to mend it."""


def create_app(settings: Settings, on_failure: Callable[[Exception], None] | None = None) -> FastAPI:
    """A Sayseek server. `on_failure` is told when the model or an index cannot be loaded.

    Raises InvalidConfiguration where the file that names the catalogues is not understood.
    """
    if settings.page_key and not settings.api_key:
        logger.warning("SAYSEEK_PAGE_KEY is set and SAYSEEK_API_KEY is not: nobody can change the catalogue over HTTP")
    services = Services(settings, on_failure)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        services.start()
        try:
            yield
        finally:
            await services.close()

    app = FastAPIOffline(
        title="Sayseek",
        version=version("sayseek"),
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        servers=[{"url": "."}],  # where this description is, under whatever prefix
    )
    app.state.services = services
    install_error_handlers(app, services.metrics)
    app.add_middleware(LoadShedding, admission=services.admission, metrics=services.metrics)
    app.add_middleware(BodyLimit, settings=settings)
    app.add_middleware(RequireKey, settings=settings, metrics=services.metrics)
    app.add_middleware(ShutdownAnswer, metrics=services.metrics)
    # Outside of what else answers, so that an allowed page can read every answer.
    app.add_middleware(CheckOrigin, settings=settings, metrics=services.metrics)
    app.add_middleware(AccessLog, metrics=services.metrics)
    if settings.root_path:
        app.add_middleware(TakeOffPrefix, prefix=settings.root_path)
    for routes in (voice_search, search, documents, indexes, models):
        app.include_router(routes.router, dependencies=[Depends(known_names_only)])
    for others in (listen, operations, page, reference):
        app.include_router(others.router)
    return app
