"""gradgen's version, which stands in the first line of what it generates."""

__version__ = "0.1.0"
