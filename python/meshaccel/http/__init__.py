"""The registry over HTTP, as an ASGI application and as a server."""
