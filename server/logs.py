"""Logs: one line an event, `time level logger message`, with key=value pairs in the message."""

import logging

FORMAT = "%(asctime)s %(levelname)s %(name)s %(message)s"


def configure_logging(level: str) -> None:
    """Log to stderr from this level on. uvicorn's access log is replaced by one that leaves out query strings."""
    logging.basicConfig(level=level.upper(), format=FORMAT)
    logging.getLogger("uvicorn.access").disabled = True
    logging.getLogger("uvicorn.error").setLevel(max(logging.getLevelName(level.upper()), logging.WARNING))
