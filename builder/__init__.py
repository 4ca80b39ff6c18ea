"""build-image: a folder with a Python function becomes a small, reproducible container image that is proven to work."""
