"""The HTTP resources, one file each, and what they share: the services and the key."""

import hmac
from typing import Annotated

from fastapi import Depends, Request

from server.errors import ApiError
from server.services import Services


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


AppServices = Annotated[Services, Depends(services_of)]


def require_key(request: Request, services: AppServices) -> None:
    """Raises ApiError (401) when the owner set a key and the request does not carry it."""
    if services.settings.api_key is None:
        return
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    wanted = services.settings.api_key.get_secret_value()
    if scheme.lower() not in {"bearer", "token"} or not hmac.compare_digest(given.strip().encode(), wanted.encode()):
        raise ApiError(
            401,
            "invalid_api_key",
            "This server needs a key. Send it as the header 'Authorization: Bearer KEY'.",
            headers={"WWW-Authenticate": "Bearer"},
        )
