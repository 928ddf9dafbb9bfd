"""The page at /: voice search in a browser, from the files of `clients/web`."""

import hashlib
from pathlib import Path

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

WEB = Path(__file__).parents[2] / "clients" / "web"
# Installed by npm: `make serve` does it. Without it the page leaves it to the server to find the speech.
DETECTOR = WEB / "node_modules" / "@ozymandiasthegreat" / "vad" / "dist" / "libfvad.wasm"
MEDIA_TYPES = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".wasm": "application/wasm",
}
FOLDERS = ("audio", "live", "page")
_FILES = (*WEB.iterdir(), *(path for folder in FOLDERS for path in (WEB / folder).iterdir()))
PARTS = {path.relative_to(WEB).as_posix(): path for path in _FILES if path.suffix in MEDIA_TYPES}
PARTS["audio/libfvad.wasm"] = DETECTOR
# The page gets all it needs from here, and nothing else gets it to do anything.
POLICY = {
    "default-src": "'none'",
    "connect-src": "'self'",
    "img-src": "'self'",
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src": "'self'",
    "worker-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
HEADERS = {
    "Cache-Control": "no-cache",  # keep it, and ask whether it is still so
    "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in POLICY.items()),
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

router = APIRouter(include_in_schema=False)


@router.head("/")
@router.get("/")
async def page(request: Request) -> Response:
    """Press and speak."""
    return await _file(WEB / "index.html", request)


@router.head("/web/{name:path}")
@router.get("/web/{name:path}")
async def part(name: str, request: Request) -> Response:
    """What the page is made of."""
    if name not in PARTS:
        raise HTTPException(404)
    return await _file(PARTS[name], request)


async def _file(path: Path, request: Request) -> Response:
    try:
        content = await run_in_threadpool(path.read_bytes)
    except FileNotFoundError:  # the detector was not installed
        raise HTTPException(404) from None
    headers = HEADERS | {"ETag": f'"{hashlib.sha256(content).hexdigest()[:32]}"'}
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[path.suffix])
