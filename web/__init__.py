"""The gallery, the REST API that it and other programs use, and the MCP server."""
