"""Pages of other origins: refused before anything is done for them, unless the owner allows their origin."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from server.middleware.origins import is_own
from tests.server.conftest import Start

SHOP = "https://shop.example"
FOREIGN = "https://evil.example"


@pytest.fixture(scope="module")
def shop(start: Start) -> Iterator[TestClient]:
    """A server that allows one origin."""
    with start(allowed_origins=SHOP) as client:
        yield client


def test_an_origin_is_own_where_host_and_port_are_those_of_the_request() -> None:
    for origin, host in (
        ("http://shop.example", "shop.example"),
        ("https://shop.example", "shop.example"),
        ("https://shop.example", "shop.example:443"),
        ("http://shop.example", "shop.example:80"),
        ("http://shop.example:80", "shop.example"),
        ("https://Shop.Example", "shop.EXAMPLE"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://[::1]", "[::1]:80"),
        ("wss://shop.example", "shop.example:443"),  # as some programs send it
        ("http://localhost:8000/", "localhost:8000"),
    ):
        assert is_own(origin, host), (origin, host)


def test_every_other_origin_is_foreign() -> None:
    for origin, host in (
        ("null", "shop.example"),
        ("", ""),
        ("null", "null"),
        ("http://", ""),
        ("http://shop.example", ""),
        ("http://127.0.0.1:9000", "127.0.0.1:8000"),
        ("http://127.0.0.1", "127.0.0.1:8000"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("https://shop.example", "shop.example:80"),
        ("https://shop.example.evil.example", "shop.example"),
        ("https://evil.example/shop.example", "shop.example"),
        ("https://shop.example@evil.example", "shop.example"),
        ("http://[::1]:8000", "[::2]:8000"),
        ("chrome-extension://shop.example", "shop.example"),
    ):
        assert not is_own(origin, host), (origin, host)


@pytest.mark.parametrize("origin", [FOREIGN, "null", "", "http://testserver:81"])
def test_a_page_of_another_origin_is_refused(shop: TestClient, origin: str) -> None:
    headers = {"Origin": origin}
    for response in (
        shop.get("/v1/search?q=iceland", headers=headers),
        shop.put("/v1/documents", json=[{"id": "1", "title": "Oslo"}], headers=headers),
        shop.delete("/v1/documents/1", headers=headers),
        shop.get("/metrics", headers=headers),
        shop.options("/v1/documents", headers=headers | {"Access-Control-Request-Method": "PUT"}),
    ):
        assert response.status_code == 403
        error = response.json()["error"]
        assert (error["code"], error["type"]) == ("origin_not_allowed", "invalid_request_error")
        assert "SAYSEEK_ALLOWED_ORIGINS" in error["message"]
        assert "access-control-allow-origin" not in response.headers
    assert shop.get("/v1/documents/1").json()["title"] == "Reykjavík"


def test_two_origins_are_foreign(shop: TestClient) -> None:
    headers = [("Origin", SHOP), ("Origin", FOREIGN)]
    assert shop.get("/v1/search?q=iceland", headers=headers).status_code == 403


def test_the_upload_of_a_foreign_page_is_not_taken(shop: TestClient) -> None:
    def endless() -> Iterator[bytes]:
        raise AssertionError("the body was read")
        yield b""

    assert shop.post("/v1/voice-search", content=endless(), headers={"Origin": FOREIGN}).status_code == 403


def test_a_foreign_socket_is_never_accepted(shop: TestClient) -> None:
    for origin in (FOREIGN, "null"):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            shop.websocket_connect("/v1/listen", headers={"Origin": origin}),
        ):
            pass
        assert refused.value.status_code == 403
        assert refused.value.json()["error"]["code"] == "origin_not_allowed"


@pytest.mark.parametrize("origin", [None, "http://testserver", "https://TestServer", SHOP])
def test_programs_own_pages_and_allowed_ones_are_served(shop: TestClient, origin: str | None) -> None:
    headers = {"Origin": origin} if origin else {}
    assert shop.get("/v1/search?q=iceland", headers=headers).json()["total"] == 2
    with shop.websocket_connect("/v1/listen", headers=headers) as socket:
        assert socket.receive_json()["type"] == "Metadata"


def test_an_allowed_page_can_read_answers_and_errors(shop: TestClient) -> None:
    for path, status in (("/v1/search?q=iceland", 200), ("/v1/documents/none", 404)):
        response = shop.get(path, headers={"Origin": SHOP})
        assert response.status_code == status
        assert response.headers["access-control-allow-origin"] == SHOP
        assert response.headers["vary"] == "Origin"
        assert "X-Request-Id" in response.headers["access-control-expose-headers"]
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type"}
    preflight = shop.options("/v1/documents", headers={"Origin": SHOP} | asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == SHOP
    assert "PUT" in preflight.headers["access-control-allow-methods"]
    assert "authorization" in preflight.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in preflight.headers


def test_a_page_asks_before_it_has_sent_its_key_and_can_read_that_one_is_needed(start: Start) -> None:
    with start(allowed_origins=SHOP, api_key="secret") as client:
        asked = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization"}
        assert client.options("/v1/search", headers={"Origin": SHOP} | asked).status_code == 200
        refused = client.get("/v1/search?q=x", headers={"Origin": SHOP})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, SHOP)


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_what_a_foreign_page_requests_without_an_origin_is_refused(shop: TestClient, site: str) -> None:
    """An image, a script or a link: the browser sends no Origin with them, but says that another site asks."""
    refused = shop.get("/v1/search?q=iceland", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "origin_not_allowed"
    link = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "navigate"}
    for path in ("/", "/docs", "/healthz"):
        assert shop.get(path, headers=link).status_code == 200


def test_own_requests_without_an_origin_are_served(shop: TestClient) -> None:
    for site in ("same-origin", "none"):
        assert shop.get("/v1/search?q=iceland", headers={"Sec-Fetch-Site": site}).status_code == 200
    allowed = {"Origin": SHOP, "Sec-Fetch-Site": "cross-site"}
    assert shop.get("/v1/search?q=iceland", headers=allowed).status_code == 200


def test_a_name_that_the_owner_did_not_give_the_server_is_refused(start: Start) -> None:
    """DNS rebinding: a foreign page whose name leads to this server has the origin that the request's Host names."""
    with start(allowed_hosts="Sayseek.example, testserver") as client:
        for host in ("sayseek.example", "SAYSEEK.example:8000", "localhost", "127.0.0.1:8000", "[::1]:8000"):
            assert client.get("/v1/search?q=x", headers={"Host": host}).status_code == 200, host
        for host in ("evil.example", "sayseek.example.evil.example", "127.0.0.1.evil.example:8000"):
            for path in ("/", "/v1/search?q=x", "/metrics"):
                refused = client.get(path, headers={"Host": host, "Origin": f"http://{host}"})
                assert refused.status_code == 403
                assert refused.json()["error"]["code"] == "host_not_allowed"
                assert "SAYSEEK_ALLOWED_HOSTS" in refused.json()["error"]["message"]
        rebound = {"Host": "evil.example", "Origin": "http://evil.example"}
        with pytest.raises(WebSocketDenialResponse), client.websocket_connect("/v1/listen", headers=rebound):
            pass


def test_a_refusal_is_in_the_log_with_the_origin(shop: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    """A browser does not tell its page why: an owner behind a proxy that changes Host has only the log."""
    shop.get("/v1/search?q=iceland", headers={"Origin": FOREIGN + "x" * 1000})
    (line,) = [record.getMessage() for record in caplog.records if record.name == "server.middleware.origins"]
    assert FOREIGN in line
    assert "SAYSEEK_ALLOWED_ORIGINS" in line
    assert len(line) < 500
