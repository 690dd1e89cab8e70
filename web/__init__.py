"""The gallery in the browser, and the API that it and other programs ask."""
