"""The HTTP resources, one file each, and how they reach the services."""

from typing import Annotated

from fastapi import Depends, Query, Request

from server.catalogues import Catalogue
from server.searching import INDEX
from server.services import Services


def services_of(request: Request) -> Services:
    services = request.app.state.services
    assert isinstance(services, Services)
    return services


AppServices = Annotated[Services, Depends(services_of)]


async def catalogue_of(
    services: AppServices, index: Annotated[str | None, Query(description=INDEX, examples=["default"])] = None
) -> Catalogue:
    """Raises ApiError (404) for a name that no catalogue has."""
    return services.catalogues.named(index)


AskedCatalogue = Annotated[Catalogue, Depends(catalogue_of)]
