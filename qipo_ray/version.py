"""The version of this program, as records and tables name it."""

__version__ = "0.1.0"
