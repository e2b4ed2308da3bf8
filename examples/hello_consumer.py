"""An unmodified MCP Mesh agent whose tool `welcome` uses somebody else's `greeting`.

Run it with `python examples/hello_consumer.py`; it never learns where the provider lives.
"""

import mesh
from fastmcp import FastMCP

app = FastMCP("hello-consumer")


@app.tool()
@mesh.tool(capability="welcome", dependencies=["greeting"])
async def welcome(name: str, greeting: mesh.McpMeshTool | None = None) -> str:
    """Welcome somebody; the mesh injects the current provider of `greeting`."""
    if greeting is None:
        return f"Nobody is here to greet {name}."
    return f"{await greeting(name=name)} Welcome to the mesh."


@mesh.agent(name="hello-consumer", http_port=9002)
class HelloConsumer:
    """Registers with the mesh and serves the tools above."""
