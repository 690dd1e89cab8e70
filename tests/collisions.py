"""Two different JPEGs of one size and one XXH3-128, which anybody can make.

XXH3 reads long inputs in stripes of 64 bytes, each as eight numbers of 64 bits, and adds up

    accumulators[i] += low(number[i] ^ secret[i]) * high(number[i] ^ secret[i])
    accumulators[i ^ 1] += number[i]

(https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md). The secret is a public constant,
moved on by eight bytes with each stripe. Where the low half of a number equals the secret's, the
product is 0 whatever the high half is, and only the sum counts. So of two such numbers in one
column of one block of 16 stripes, the high halves can be anything with the same sum.

One of them holds the length of a comment in a JPEG: in one file the comment ends before the first
picture, in the other before the second, and a decoder stops at the end of the picture it meets.
"""

import struct

_SECRET_1 = bytes.fromhex("7c01812c")
_SECRET_2 = bytes.fromhex("ded46de9")
"""The low halves of the secret for the first number of the second and of the third stripe."""

_COMMENT = b"\xff\xfe"
_SECOND, _THIRD = 64, 128
"""Where those stripes begin."""


def colliding(first: bytes, second: bytes) -> tuple[bytes, bytes]:
    """Two files with the same XXH3-128 that show two given JPEGs.

    Args:
        first: A JPEG of less than 65,000 bytes.
        second: Another.
    """
    begin = 256
    """Where the first picture begins, after the last number that differs."""
    assert len(first) < 65_000
    assert first[:2] == second[:2] == b"\xff\xd8"
    # A comment up to the middle of the first number; then the comment whose length differs.
    head = b"\xff\xd8" + _comment(_SECOND + 4 - 2)
    assert len(head) == _SECOND + 4
    inner = first[2:]
    files = []
    for target in (begin, begin + len(inner)):
        high = _COMMENT + struct.pack(">H", target - (_SECOND + 4) - 2)
        other = (-struct.unpack("<I", high)[0]) % 2**32
        file = bytearray(head + high)
        file += bytes(_THIRD - len(file)) + _SECRET_2 + struct.pack("<I", other)
        file[_SECOND : _SECOND + 4] = _SECRET_1
        file += bytes(begin - len(file))
        files.append(bytes(file) + inner + second[2:] + bytes(1024))
    one, two = files
    assert one != two
    return one, two


def _comment(size: int) -> bytes:
    """A comment of ``size`` bytes in all."""
    return _COMMENT + struct.pack(">H", size - 2) + bytes(size - 4)
