"""The page for people: static files that ask the registry's own API."""
