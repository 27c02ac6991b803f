"""Damage that fits any file: bits, blocks, lengths and ends; of a packed file also what is inside of it."""

import gzip
import lzma
from collections.abc import Callable, Mapping
from random import Random

import pyarrow as pa

from tests.fuzz.seeds import packed

Damage = Callable[[bytes, Random], bytes]
TELLING = (
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xff\xff\xff\xff",
    b"\x00\x00\x00\x00",
    b"\x7f\xff\xff\xff",
    b"\r",
    b'"',
)
LENGTHS = (0, 1, -1, 2**31 - 1, -(2**31), 2**24, 80, 255)
MARKS = (
    b"\xef\xbb\xbf",
    b"\xff\xfe",
    b"\xfe\xff",
    b"PK\x03\x04",
    b"PAR1",
    b"\x1f\x8b",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ\x00",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",
)


def flip_bits(content: bytes, rng: Random) -> bytes:
    """A few bits turned over."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def set_bytes(content: bytes, rng: Random) -> bytes:
    """Telling bytes written over others."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 1, 4))):
        place, told = rng.randrange(len(damaged)), rng.choice(TELLING)
        damaged[place : place + len(told)] = told
    return bytes(damaged)


def set_length(content: bytes, rng: Random) -> bytes:
    """Four bytes that may be a length, of either order."""
    place = rng.randrange(max(1, len(content) - 4))
    number = rng.choice((*LENGTHS, len(content), len(content) * 2))
    order = rng.choice(("little", "big"))
    return content[:place] + number.to_bytes(4, order, signed=True) + content[place + 4 :]


def cut_end(content: bytes, rng: Random) -> bytes:
    """Cut off anywhere, often near one of the ends."""
    return content[: rng.choice((rng.randrange(len(content)), rng.randrange(min(40, len(content))), len(content) - 1))]


def cut_start(content: bytes, rng: Random) -> bytes:
    """The first bytes lost."""
    return content[rng.randrange(1, min(100, len(content)) + 1) :]


def insert_noise(content: bytes, rng: Random) -> bytes:
    """Bytes of chance somewhere."""
    place = rng.randrange(len(content) + 1)
    return content[:place] + rng.randbytes(rng.choice((1, 3, 64, 4096))) + content[place:]


def append_noise(content: bytes, rng: Random) -> bytes:
    """Something after the end: chance, zeros, or the file once more."""
    return content + rng.choice((rng.randbytes(50), bytes(512), content, b"\n\n\n", b"garbage"))


def double_block(content: bytes, rng: Random) -> bytes:
    """A block twice, or many times."""
    first, last = _block(content, rng)
    return content[:last] + content[first:last] * rng.choice((1, 1, 7)) + content[last:]


def swap_blocks(content: bytes, rng: Random) -> bytes:
    """Two blocks in each other's place."""
    one, two, three = sorted(rng.randrange(len(content) + 1) for _ in range(3))
    return content[:one] + content[two:three] + content[one:two] + content[three:]


def zero_block(content: bytes, rng: Random) -> bytes:
    """A block of zeros, as a hole of a copy leaves it."""
    first, last = _block(content, rng)
    return content[:first] + bytes(last - first) + content[last:]


def lose_block(content: bytes, rng: Random) -> bytes:
    """A block left out."""
    first, last = _block(content, rng)
    return content[:first] + content[last:]


def mark_start(content: bytes, rng: Random) -> bytes:
    """The mark of another kind of file before, or in the place of, the first bytes."""
    mark = rng.choice(MARKS)
    return mark + content[rng.choice((0, len(mark))) :]


def noise(content: bytes, rng: Random) -> bytes:
    """Chance alone, of the same length, with or without the first bytes."""
    kept = rng.choice((0, 4, 16))
    return content[:kept] + rng.randbytes(max(0, len(content) - kept))


def inside(damage: Damage) -> Damage:
    """The same damage to what is packed; a file that is not packed is damaged as it is."""

    def damaged(content: bytes, rng: Random) -> bytes:
        suffix, plain = _unpacked(content)
        return packed(suffix, damage(plain, rng)) if plain else content

    return damaged


def _unpacked(content: bytes) -> tuple[str, bytes]:
    if content.startswith(b"\x1f\x8b"):
        return ".gz", gzip.decompress(content)
    if content.startswith(b"\xfd7zXZ"):
        return ".xz", lzma.decompress(content)
    if content.startswith(b"\x28\xb5\x2f\xfd"):
        return ".zst", pa.input_stream(pa.BufferReader(content), compression="zstd").read()
    return "", content


def _block(content: bytes, rng: Random) -> tuple[int, int]:
    first = rng.randrange(len(content))
    return first, min(len(content), first + rng.choice((1, 8, 64, 512)))


ANY: Mapping[str, Damage] = {
    damage.__name__: damage
    for damage in (
        *(flip_bits, set_bytes, set_length, cut_end, cut_start, insert_noise, append_noise),
        *(double_block, swap_blocks, zero_block, lose_block, mark_start, noise),
    )
}
