"""Uvicorn's `http` and `websocket` protocols, with limits on slow and idle clients; here its private parts are used."""
