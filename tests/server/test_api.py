"""What the API answers, right and wrong, as its contract says."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from asr.audio.decode import Samples
from server.app import create_app
from server.settings import Settings
from tests.asr.recordings import with_sndfile
from tests.server.conftest import Start


def assert_error(response, status: int, code: str, param: str | None = None) -> str:
    """The one error body; gives its message."""
    assert response.status_code == status, response.text
    error = response.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert (error["code"], error["param"]) == (code, param)
    assert error["type"] == ("server_error" if status >= 500 else "invalid_request_error")
    return error["message"]


@pytest.fixture(scope="module")
def reykjavik(sample_files: list[Path]) -> bytes:
    return next(file for file in sample_files if "reykjavik" in file.name).read_bytes()


def ask(client: TestClient, data: bytes, **form: object):
    return client.post("/v1/voice-search", files={"file": ("clip", data)}, data=form)


def test_a_spoken_query_finds_its_document(client: TestClient, reykjavik: bytes) -> None:
    answer = ask(client, reykjavik).json()
    assert set(answer) == {"id", "model", "transcript", "query", "total", "results", "quality", "timings"}
    assert answer["id"].startswith("vs_")
    assert answer["model"] == "tiny.en"
    assert "reykjavik" in answer["query"]
    assert answer["results"][0]["title"] == "Reykjavík"
    assert answer["results"][0]["fields"] == {"country": "Iceland"}
    assert set(answer["transcript"]) == {"text", "language", "confidence", "duration", "alternatives"}
    assert 0.5 < answer["transcript"]["confidence"] <= 1
    assert answer["quality"]["verdict"] == "ok"
    timings = answer["timings"]
    stages = [timings[f"{stage}_ms"] for stage in ("audio", "queue", "encode", "decode", "search")]
    assert sum(stages) <= timings["total_ms"] + 1


def test_a_name_that_was_misheard_is_found(start: Start) -> None:
    names = ["Gaborone", "Gabon", "Galway", "Restrepo", "Reykjavík"]
    clip = Path(__file__).parents[1] / "recordings" / "restaurants-in-gaborone.flac"
    with start() as client:
        client.put("/v1/documents", json=[{"id": f"city-{name}", "title": name} for name in names])
        answer = ask(client, clip.read_bytes()).json()
        assert "Gaborone" not in answer["transcript"]["text"]  # which is what was heard
        assert answer["query"] == "restaurants in gaborone"  # and this what it was taken for
        assert [answer["results"][0][key] for key in ("title", "match")] == ["Gaborone", "acoustic"]


def test_a_keyword_corrects_the_transcript(client: TestClient) -> None:
    clip = (Path(__file__).parents[1] / "recordings" / "restaurants-in-gaborone.flac").read_bytes()
    assert "Gaborone" not in ask(client, clip).json()["transcript"]["text"]
    for keywords in ("gaborone", "Oslo, Gaborone:2", "Gaborone:10", ["Oslo", "Gaborone"]):
        answer = ask(client, clip, keywords=keywords).json()
        assert answer["transcript"]["text"].lower() == "restaurants in gaborone."
        assert answer["query"] == "restaurants in gaborone"


def test_a_keyword_that_nobody_said_is_not_written_however_high_its_intensifier(
    client: TestClient, sample_files: list[Path]
) -> None:
    """ "Cocoa cocoa" stood after the sentence."""
    toronto = next(file for file in sample_files if "toronto" in file.name).read_bytes()
    plain = ask(client, toronto).json()["transcript"]["text"]
    for keywords in ("cocoa:8", "tea:10,Tirana:5", "museum:10"):
        assert ask(client, toronto, keywords=keywords).json()["transcript"]["text"] == plain


@pytest.mark.parametrize(
    ("keywords", "said"),
    [
        ("gaborone:loud", "from 0 to 10"),
        ("gaborone:-1", "from 0 to 10"),
        ("gaborone:nan", "from 0 to 10"),
        (":2", "word or phrase"),
        ("x" * 81, "80 characters"),
        (",".join(f"word{i}" for i in range(101)), "at most 100"),
    ],
)
def test_keywords_that_cannot_be_expected_are_refused(
    client: TestClient, reykjavik: bytes, keywords: str, said: str
) -> None:
    assert said in assert_error(ask(client, reykjavik, keywords=keywords), 400, "invalid_request", "keywords")


def test_a_name_that_was_heard_is_found_by_its_text(client: TestClient, reykjavik: bytes) -> None:
    assert ask(client, reykjavik).json()["results"][0]["match"] == "text"


@pytest.mark.parametrize("language", ["en", "en-US", "en_GB", "EN", "English", "multi", ""])
def test_a_language_is_taken_as_live_listening_takes_it(client: TestClient, reykjavik: bytes, language: str) -> None:
    assert ask(client, reykjavik, language=language).json()["transcript"]["language"] == "en"


def test_limit_and_alternatives_bound_what_comes_back(client: TestClient, reykjavik: bytes) -> None:
    noisy = ask(client, reykjavik, limit=1, alternatives=0).json()
    assert len(noisy["results"]) == 1
    assert noisy["transcript"]["alternatives"] == []


def test_a_clip_without_speech_is_an_honest_empty_answer(client: TestClient) -> None:
    answer = ask(client, with_sndfile(np.zeros(32_000, np.float32), "WAV")).json()
    assert answer["transcript"]["text"] == answer["query"] == ""
    assert answer["results"] == []
    assert answer["quality"]["verdict"] == "silent"
    assert answer["timings"]["encode_ms"] == 0


def test_what_is_wrong_with_a_clip_is_told(client: TestClient, speech: Samples, reykjavik: bytes) -> None:
    assert_error(ask(client, b""), 400, "invalid_audio", "file")
    assert_error(ask(client, b"hello" * 100), 400, "invalid_audio", "file")
    assert "20 seconds" in assert_error(
        ask(client, with_sndfile(np.tile(speech, 12), "OGG", "OPUS")), 413, "audio_too_long", "file"
    )
    assert "1000000 bytes" in assert_error(ask(client, b"\0" * 1_100_000), 413, "upload_too_large", "file")
    assert_error(ask(client, reykjavik, model="huge"), 404, "model_not_found", "model")
    assert_error(ask(client, reykjavik, language="xx"), 400, "unknown_language", "language")
    assert_error(ask(client, reykjavik, limit=101), 400, "invalid_request", "limit")
    assert_error(ask(client, reykjavik, alternatives=-1), 400, "invalid_request", "alternatives")
    missing = client.post("/v1/voice-search", data={"file": "not a file"})
    assert "-F file=@" in assert_error(missing, 400, "invalid_request", "file")
    assert_error(client.post("/v1/voice-search"), 400, "invalid_request", "file")


def test_malformed_forms_are_refused(client: TestClient) -> None:
    for body, content_type in (
        (b"--x\r\nnonsense", "multipart/form-data; boundary=x"),
        (b"nonsense", "multipart/form-data"),
        (b"\xff\xfe", "multipart/form-data; boundary="),
        (b"{}", "application/json"),
    ):
        response = client.post("/v1/voice-search", content=body, headers={"content-type": content_type})
        assert response.status_code == 400, response.text
        assert response.json()["error"]["code"] == "invalid_request"


def test_a_body_of_unknown_length_is_held_to_the_limit(client: TestClient) -> None:
    def endless():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
        for _ in range(200):
            yield b"\0" * 10_000

    response = client.post(
        "/v1/voice-search", content=endless(), headers={"content-type": "multipart/form-data; boundary=x"}
    )
    assert_error(response, 413, "upload_too_large", "file")


def test_typed_search(client: TestClient) -> None:
    answer = client.get("/v1/search", params={"q": "Olafsvik?", "limit": 1}).json()
    assert answer["query"] == "olafsvik"
    assert [result["id"] for result in answer["results"]] == ["3"]
    assert set(answer["timings"]) == {"search_ms", "total_ms"}
    assert_error(client.get("/v1/search"), 400, "invalid_request", "q")
    assert_error(client.get("/v1/search", params={"q": "x", "limit": 0}), 400, "invalid_request", "limit")


@pytest.mark.parametrize(
    ("method", "path", "told"),
    [
        ("GET", "/v1/search?q=x&fillter=country:IS", "fillter is not a parameter here; did you mean filter?"),
        ("GET", "/v1/search?q=x&sort=title", "sort is not a parameter here; there are: facets, filter, index, limit,"),
        ("GET", "/v1/documents/1?indx=default", "did you mean index?"),
        ("DELETE", "/v1/documents/1?limit=1", "there are: index"),
        ("PUT", "/v1/documents?replce=true", "did you mean replace?"),
        ("GET", "/v1/indexes?name=default", "there are: none"),
        ("GET", "/v1/models?limit=1", "there are: none"),
        ("POST", "/v1/voice-search?language=en", "language is a field of the form here"),
    ],
)
def test_parameters_that_there_are_not_are_named(client: TestClient, method: str, path: str, told: str) -> None:
    upload = {"file": ("clip", b"")} if method == "POST" else None
    response = client.request(method, path, files=upload)
    assert told in assert_error(response, 400, "invalid_request", re.split("[?&=]", path)[-2])


def test_fields_of_a_form_that_there_are_not_are_named(client: TestClient, reykjavik: bytes) -> None:
    told = assert_error(ask(client, reykjavik, fillter="country:IS"), 400, "invalid_request", "fillter")
    assert told == "fillter is not a field here; did you mean filter?"
    told = assert_error(ask(client, reykjavik, sort="title"), 400, "invalid_request", "sort")
    assert "there are: alternatives, facets, file, filter, index," in told


def test_documents_are_put_got_and_deleted(client: TestClient) -> None:
    record = {"id": "tea/é 1", "title": "Darjeeling", "body": "A black tea", "price": 4.5, "tags": ["tea"]}
    assert client.put("/v1/documents", json=[record]).json() == {"indexed": 1}
    assert client.get("/v1/documents/tea/%C3%A9%201").json() == record
    assert client.get("/v1/search", params={"q": "black tea"}).json()["results"][0]["fields"]["price"] == 4.5
    changed = json.dumps({**record, "title": "Assam"}) + "\n\n" + json.dumps({"id": 7, "title": "Seven"}) + "\n"
    put = client.put("/v1/documents", content=changed, headers={"content-type": "application/x-ndjson"})
    assert put.json() == {"indexed": 2}
    assert client.get("/v1/documents/tea/%C3%A9%201").json()["title"] == "Assam"
    assert client.put("/v1/documents", content=json.dumps(record, indent=2)).json() == {"indexed": 1}
    assert client.get("/v1/documents/tea/%C3%A9%201").json() == record
    assert client.delete("/v1/documents/tea/%C3%A9%201").json() == {"deleted": 1}
    assert_error(client.get("/v1/documents/tea/%C3%A9%201"), 404, "document_not_found", "id")
    assert_error(client.delete("/v1/documents/tea/%C3%A9%201"), 404, "document_not_found", "id")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "empty"),
        (b"[{]", "not JSON"),
        (b'{"id": "1", "title": "ok"}\n{"id": "2"}', "document 2"),
        (b'[{"id": "1", "title": ""}]', "title"),
        (b'["text"]', "document 1"),
        (b'[{"id": "a\\n", "title": "b"}]', "line breaks"),
        (b'[{"id": "..", "title": "b"}]', '".."'),
        (b"\xff\xfe\x00", "UTF-8"),
        (b"[" * 100_000, "nested"),
        (b'[{"id": "1", "title": "x", "n": NaN}]', "document 1"),
        (b'[{"id": "1", "title": "x", "n": ' + b"[" * 300 + b"]" * 300 + b"}]", "nested"),
    ],
)
def test_bad_documents_are_refused_whole(client: TestClient, body: bytes, said: str) -> None:
    before = client.get("/readyz").json()["documents"]
    response = client.put("/v1/documents", content=body)
    assert said in assert_error(response, 400, "invalid_document", "documents")
    assert client.get("/readyz").json()["documents"] == before


@pytest.mark.parametrize("depth", [33, 330, 490, 984, 985, 986, 1000, 100_000])
@pytest.mark.parametrize("where", ["%s", "[%s]", '{"id": "1", "title": "x", "n": %s}', '[{"id": "1", "aliases": %s}]'])
def test_nesting_of_any_depth_is_an_invalid_document(client: TestClient, depth: int, where: str) -> None:
    """About 985 lists passed the parser, and what looked at them next failed: 500."""
    for nested in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        response = client.put("/v1/documents", content=where % nested)
        assert_error(response, 400, "invalid_document", "documents")


def test_operations(client: TestClient, reykjavik: bytes) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.get("/readyz").json()["model"] == "tiny.en"
    ask(client, reykjavik)
    ask(client, b"broken")
    metrics = client.get("/metrics").text
    for line in (
        'sayseek_requests_total{method="POST",route="/v1/voice-search",status="200"}',
        'sayseek_errors_total{code="invalid_audio"}',
        "sayseek_queue_depth 0.0",
        'sayseek_stage_seconds_count{stage="decode"}',
        "sayseek_audio_seconds_total",
        "# TYPE sayseek_windows_heard_total counter",
        "# TYPE sayseek_windows_doubted_total counter",
        "sayseek_windows_doubted_total 0.0",
    ):
        assert line in metrics
    assert client.get("/healthz").headers["x-request-id"].startswith("req_")


def test_two_replicas_answer_as_one_and_say_so(client: TestClient, start: Start, sample_files: list[Path]) -> None:
    clips = [file.read_bytes() for file in sample_files[:4]]
    alone = [ask(client, clip).json()["transcript"] for clip in clips]
    with start(replicas=2, threads=1) as two, ThreadPoolExecutor(len(clips)) as threads:
        answers = list(threads.map(lambda clip: ask(two, clip), clips))
        (model,) = two.get("/v1/models").json()["data"]
        metrics = two.get("/metrics").text
    assert [answer.json()["transcript"] for answer in answers] == alone
    assert (model["replicas"], model["threads"]) == (2, 1)
    assert model["compute"].startswith("2 replicas, each encoder")
    assert model["measured"] is None, "there was a choice, though the instructions were named"
    for line in ("sayseek_replicas 2.0", "sayseek_replicas_resting 0.0", "sayseek_threads 1.0"):
        assert line in metrics


def test_too_many_documents_are_told_from_a_recording(client: TestClient) -> None:
    """A catalogue was once told to send just the spoken query."""
    told = assert_error(client.put("/v1/documents", content=bytes(1_100_000)), 413, "upload_too_large", "documents")
    assert "several requests" in told


def test_head_says_what_get_would(client: TestClient) -> None:
    """It was refused, though every GET has its HEAD."""
    for path, status in (("/v1/search?q=x", 200), ("/v1/documents/1", 200), ("/v1/documents/none", 404)):
        assert client.head(path).status_code == status
    assert client.head("/v1/voice-search").headers["allow"] == "POST"


def test_every_file_of_the_documentation_counts_as_one_route(client: TestClient) -> None:
    for path in ("/static-offline-docs/swagger-ui.css", "/static-offline-docs/none", "/openapi.json", "/none"):
        client.get(path)
    metrics = client.get("/metrics").text
    for route, status in (
        ("/static-offline-docs", 200),
        ("/static-offline-docs", 404),
        ("/openapi.json", 200),
        ("unmatched", 404),
    ):
        assert f'route="{route}",status="{status}"' in metrics
    assert "swagger" not in metrics


def test_addresses_and_methods_that_do_not_exist(client: TestClient) -> None:
    assert_error(client.get("/v2/nothing"), 404, "not_found")
    assert_error(client.delete("/v1/search"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/documents/1", "GET, HEAD, DELETE"),
        ("GET", "/v1/documents", "PUT"),
        ("GET", "/v1/voice-search", "POST"),
        ("BREW", "/healthz", "GET, HEAD"),
        ("POST", "/static-offline-docs/swagger-ui.css", "GET, HEAD"),
    ],
)
def test_a_method_that_is_not_taken_is_told_which_are(client: TestClient, method: str, path: str, allowed: str) -> None:
    """Only the first route of an address was named: GET alone for a document, which can be deleted too."""
    response = client.request(method, path)
    assert_error(response, 405, "method_not_allowed")
    assert response.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_load_balancers_may_ask_with_head(client: TestClient, path: str) -> None:
    assert client.head(path).status_code == 200


def test_messages_stay_short_whatever_they_quote(client: TestClient, reykjavik: bytes) -> None:
    """Whatever was sent as the model came back whole in the message, up to a megabyte."""
    long = "x" * 900_000
    model = assert_error(ask(client, reykjavik, model=long), 404, "model_not_found", "model")
    assert model.endswith("'tiny.en' is.")
    language = assert_error(ask(client, reykjavik, language=long), 400, "unknown_language", "language")
    document = assert_error(client.get(f"/v1/documents/{long[:60_000]}"), 404, "document_not_found", "id")
    assert max(map(len, (model, language, document))) < 1_100


def test_every_field_is_documented_with_an_example(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    assert len(schemas) > 10
    for name, schema in schemas.items():
        for field, description in schema.get("properties", {}).items():
            nested = "$ref" in json.dumps(description)
            is_file = "contentMediaType" in description
            assert nested or is_file or "examples" in description, f"{name}.{field}"


def test_the_errors_that_are_documented_are_those_that_are_answered(client: TestClient) -> None:
    """FastAPI documented its own 422 where a wrong parameter is answered 400, with the one error body."""
    described = client.get("/openapi.json").json()
    operations = [operation for path in described["paths"].values() for operation in path.values()]
    errors = [
        (status, answer["content"]["application/json"]["schema"])
        for operation in operations
        for status, answer in operation["responses"].items()
        if status not in ("200", "101")
    ]
    assert {schema["$ref"] for _, schema in errors} == {"#/components/schemas/ErrorBody"}
    assert "422" not in {status for status, _ in errors}
    assert "ValidationError" not in json.dumps(described)
    for path, method in (("/v1/search", "get"), ("/v1/voice-search", "post"), ("/v1/documents", "put")):
        assert "400" in described["paths"][path][method]["responses"]


def test_the_documentation_needs_no_network(client: TestClient) -> None:
    page = client.get("/docs").text
    assert "swagger-ui" in page
    assert "https://" not in page


def test_a_key_is_asked_for_when_one_is_set(start, reykjavik: bytes) -> None:
    with start(api_key="secret") as client:
        assert client.get("/healthz").status_code == 200
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic secret"}):
            response = client.get("/v1/search", params={"q": "x"}, headers=headers)
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "invalid_api_key"
        for scheme in ("Bearer", "Token"):
            headers = {"Authorization": f"{scheme} secret"}
            assert client.get("/v1/search", params={"q": "x"}, headers=headers).status_code == 200


def test_the_key_is_asked_for_before_the_upload_is_taken(start) -> None:
    def endless():
        raise AssertionError("the body was read")
        yield b""

    with start(api_key="secret") as client:
        assert client.post("/v1/voice-search", content=endless()).status_code == 401


def test_an_empty_key_is_no_key() -> None:
    assert Settings(api_key=" ").api_key is None


def test_made_up_methods_do_not_multiply_the_metrics(client: TestClient) -> None:
    for method in ("ZAP1", "ZAP2"):
        assert client.request(method, "/healthz").status_code == 405
    metrics = client.get("/metrics").text
    assert "ZAP" not in metrics
    assert 'method="other"' in metrics


def test_a_failure_of_the_servers_own_is_told_with_its_id(start, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("server.routes.search.search_rewrites", broken)
    with start() as client:
        response = client.get("/v1/search", params={"q": "x"})
        assert response.json()["error"]["code"] == "internal_error"
        assert "req_" in assert_error(response, 500, "internal_error")
        assert 'route="/v1/search",status="500"' in client.get("/metrics").text


def test_uploads_are_never_spooled_to_disk(start, speech: Samples, monkeypatch: pytest.MonkeyPatch) -> None:
    """Form parsers move what is over a megabyte to a temporary file; here there is nowhere to put one."""
    large = with_sndfile(np.pad(speech, 16_000 * 20), "WAV", "PCM_32")
    assert len(large) > 2_000_000
    with start() as client:
        monkeypatch.setattr("tempfile.tempdir", "/nowhere")
        assert ask(client, large).json()["transcript"]["text"]


def test_where_the_index_is_stands_in_the_log_only(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(Settings(model="tiny.en", index=f"tantivy:{tmp_path}", sample_catalogue=False))
    with TestClient(app, raise_server_exceptions=False) as client:
        client.portal.call(app.state.services.ready.wait)
        (tmp_path / "index").rename(tmp_path / "gone")
        for response in (
            client.get("/v1/search", params={"q": "x"}),
            client.put("/v1/documents", json=[{"id": "1", "title": "x"}]),
            client.get("/v1/documents/1"),
            client.delete("/v1/documents/1"),
        ):
            message = assert_error(response, 503, "index_unavailable")
            assert "The index cannot be" in message
            assert str(tmp_path) not in response.text
    assert str(tmp_path) in caplog.text


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(Settings(api_key="secret"))


def test_it_shows_by_what_the_arithmetic_was_chosen(start: Start, tmp_path: Path) -> None:
    with start(instructions="auto", threads=1, cache=tmp_path) as client:
        (model,) = client.get("/v1/models").json()["data"]
    assert model["measured"]["encoder"].keys() == model["measured"]["decoder"].keys()
    for part, times in model["measured"].items():
        assert f"{part} {min(times, key=times.get)}" in model["compute"]
