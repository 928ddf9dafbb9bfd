"""The pages that describe the API, with all that they need from here, at addresses relative to theirs."""

from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_redoc_html, get_swagger_ui_html
from fastapi.responses import HTMLResponse

STATIC = "static-offline-docs"
ICON = "web/icon.svg"

router = APIRouter(include_in_schema=False)


@router.head("/docs")
@router.get("/docs")
async def docs(request: Request) -> HTMLResponse:
    """What there is, to try."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title=request.app.title,
        swagger_js_url=f"{STATIC}/swagger-ui-bundle.js",
        swagger_css_url=f"{STATIC}/swagger-ui.css",
        swagger_favicon_url=ICON,
    )


@router.head("/redoc")
@router.get("/redoc")
async def redoc(request: Request) -> HTMLResponse:
    """The same, to read."""
    return get_redoc_html(
        openapi_url="openapi.json",
        title=request.app.title,
        redoc_js_url=f"{STATIC}/redoc.standalone.js",
        redoc_favicon_url=ICON,
        with_google_fonts=False,
    )
