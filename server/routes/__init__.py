"""The HTTP resources, one file each, and how they reach the services."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import Depends, Query, Request
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from server.catalogues import Catalogue
from server.errors import ApiError, unknown_name
from server.search_requests import INDEX
from server.services import Services


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


AppServices = Annotated[Services, Depends(services_of)]


async def known_names_only(request: Request) -> None:
    """Raises ApiError (400) for a parameter of the address, or a field of the form, that the route does not have.

    Misspelt, it would be ignored, and the answer be another than was asked for.
    """
    route = request.scope["route"]
    assert isinstance(route, APIRoute)
    parameters = {field.alias for dependant in _all(route.dependant) for field in dependant.query_params}
    fields = {field.alias for field in route.dependant.body_params}
    for name in request.query_params:
        if name in fields - parameters:
            message = f"{name} is a field of the form here, not a parameter of the address: send it there."
            raise ApiError(400, "invalid_request", message, param=name)
        if name not in parameters:
            raise unknown_name(name, parameters, "a parameter here")
    if fields:
        for name in await request.form():  # which has been read
            if name not in fields:
                raise unknown_name(name, fields, "a field here")


def _all(dependant: Dependant) -> Iterator[Dependant]:
    """What a route depends on, itself first."""
    yield dependant
    for other in dependant.dependencies:
        yield from _all(other)


async def catalogue_of(
    services: AppServices, index: Annotated[str | None, Query(description=INDEX, examples=["default"])] = None
) -> Catalogue:
    """Raises ApiError (404) for a name that no catalogue has."""
    return services.catalogues.named(index)


AskedCatalogue = Annotated[Catalogue, Depends(catalogue_of)]
