"""How much a packed stream unpacks to, counted without the library that unpacks it."""

from __future__ import annotations

import zlib

import pytest

from qipo_ray.data.stored_chunks import _gzip_length, _lzf_length


@pytest.mark.parametrize("size", [0, 1, 400, 5000])
def test_a_gzip_stream_is_counted(size: int) -> None:
    packed = zlib.compress(bytes(size))
    assert _gzip_length(packed, 5000) == size
    assert _gzip_length(packed[:-1], 5000) == -1  # cut short
    assert _gzip_length(zlib.compress(bytes(9000)), 5000) == 5001  # more than asked for


def test_pieces_of_an_lzf_stream_are_counted() -> None:
    """A run of four bytes, a copy of three, a long copy of 10: by the format's own words."""
    run, copy, long_copy = b"\x03abcd", b"\x20\x00", b"\xe0\x01\x00"
    assert _lzf_length(run) == 4
    assert _lzf_length(run + copy) == 7
    assert _lzf_length(run + copy + long_copy) == 17
