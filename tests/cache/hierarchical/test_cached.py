"""The decorator."""

from tests.cache.hierarchical.support import MemoryL2, asynchronous, make

from meshaccel.cache import HierarchicalCache, TagCache


@asynchronous
async def test_decorated_function_is_called_once_per_key() -> None:
    cache = HierarchicalCache[str](TagCache(100))
    calls: list[tuple[str, int]] = []

    @cache.cached(key="agent:{name}:{depth}", ttl=60, tags=["agent:{name}", "fleet"])
    async def agent(name: str, depth: int = 1) -> str:
        """Say who it is."""
        calls.append((name, depth))
        return name * depth

    assert [await agent("a"), await agent(name="a"), await agent("a", depth=1)] == ["a"] * 3
    assert await agent("a", 2) == "aa"
    assert calls == [("a", 1), ("a", 2)]
    assert (agent.__name__, agent.__doc__) == ("agent", "Say who it is.")
    assert await cache.invalidate_by_tag("agent:a") == 2
    await agent("a")
    assert len(calls) == 3
    assert await cache.get("agent:a:1") == "a"


@asynchronous
async def test_functions_make_key_and_tags() -> None:
    cache = make(MemoryL2())
    made: list[str] = []

    def tags(*names: str) -> list[str]:
        made.extend(names)
        return list(names)

    @cache.cached(key=lambda *names: ",".join(sorted(names)), tags=tags)
    def joined(*names: str) -> str:
        return "+".join(names)

    assert [await joined("a", "b"), await joined("b", "a")] == ["a+b", "a+b"]
    assert made == ["a", "b"]  # a hit does not need them
    await cache.invalidate_by_tag("b")
    assert await joined("b", "a") == "b+a"


@asynchronous
async def test_method() -> None:
    cache = make()

    class Registry:
        def __init__(self, name: str) -> None:
            self.name = name

        @cache.cached(key="{self.name}:{key}")
        async def read(self, key: str) -> str:
            return self.name + key

    assert [await Registry(name).read("k") for name in "ab"] == ["ak", "bk"]
    assert await cache.get("a:k") == "ak"
