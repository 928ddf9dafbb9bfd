"""The HTTP resources, one file each, and how they reach the services."""

from typing import Annotated

from fastapi import Depends, Request

from server.services import Services


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


AppServices = Annotated[Services, Depends(services_of)]
