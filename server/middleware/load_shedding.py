"""Clips that the server has no time for: refused before their bytes are taken, which would cost the others time."""

from starlette.types import ASGIApp, Receive, Scope, Send

from server.admission import Admission
from server.errors import error_response
from server.metrics import Metrics

CLIPS = ("/v1/voice-search",)


class LoadShedding:
    """ASGI middleware: a clip that would wait in vain is answered 503 at once; what it still sends is passed over."""

    def __init__(self, app: ASGIApp, admission: Admission, metrics: Metrics) -> None:
        self.app = app
        self.admission = admission
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_clip = scope["type"] == "http" and scope["method"] == "POST" and scope["path"] in CLIPS
        if is_clip and self.admission.would_time_out:
            await error_response(self.admission.refusal(), self.metrics)(scope, receive, send)
        else:
            await self.app(scope, receive, send)
