"""An unmodified MCP Mesh agent that offers the capability `greeting`.

Run it with `python examples/hello_provider.py` while a registry listens on port 8000.
"""

import os

import mesh
from fastmcp import FastMCP

app = FastMCP("hello-provider")


@app.tool()
@mesh.tool(capability="greeting")
def greet(name: str) -> str:
    """Greet somebody, with the word in $GREETING if it is set."""
    return f"{os.environ.get('GREETING', 'Hello')}, {name}!"


@mesh.agent(name="hello-provider", http_port=9001)
class HelloProvider:
    """Registers with the mesh and serves the tools above."""
