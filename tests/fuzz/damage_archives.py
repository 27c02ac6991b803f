"""Damage to zip archives, and to workbooks, which are some: members that escape, lie, repeat, bomb, or broken XML."""

import io
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from random import Random

from tests.fuzz.damage_bytes import ANY, Damage

BOMB_BYTES = 40 << 20
HARD_NAMES = (
    *(
        "../escaped.csv",
        "../../../../tmp/escaped.csv",
        "/tmp/escaped.csv",  # noqa: S108 - where no member may get to
        "C:\\x\\labs.csv",
        "..\\labs.csv",
        "a" * 300,
    ),
    *(
        "labs.csv/",
        "labs.csv/labs.csv",
        "",
        ".",
        "..",
        "/",
        "//",
        "a\nb.csv",
        "a\x00b.csv",
        "labs[1].csv",
        "*.csv",
        "?.csv",
    ),
    *("{lb}.csv", "lab's.csv", 'la"b.csv', "-rf.csv", "%s.csv", "é.csv", "😀.csv", "CON.csv", "source.yaml", "x.part"),
    *("d/" * 120 + "labs.csv", "labs.CSV", "~/labs.csv", "labs.csv.gz", "labs.parquet", "$(id).csv", "labs.csv "),
)
BOMB = b"""<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;&c;&c;">]>"""
OUTSIDE = b'<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a SYSTEM "file:///etc/passwd">]>'
CELLS = (
    *(
        b'r="XFD1048576"',
        b'r="A0"',
        b'r="ZZZZ1"',
        b'r="A99999999"',
        b'r=""',
        b't="e"',
        b't="d"',
        b't="zz"',
        b's="99999"',
    ),
    *(b't="s"', b't="b"', b't="inlineStr"', b"<v>99999999999</v>", b"<v></v>", b"<v>1e999</v>", b"<v>-1</v>", b"&a;"),
    *(b'<dimension ref="A1:XFD1048576"/>', b'<dimension ref="B2:A1"/>', b'<mergeCell ref="A1:XFD1048576"/>'),
)
Members = list[tuple[zipfile.ZipInfo, bytes]]


def _members(change: Callable[[Members, Random], None]) -> Damage:
    """Change the members and write the archive again."""

    def damage(content: bytes, rng: Random) -> bytes:
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                members = [(entry, archive.read(entry)) for entry in archive.infolist()]
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, ValueError, OSError):
            return content
        change(members, rng)
        buffer = io.BytesIO()
        with warnings.catch_warnings(), zipfile.ZipFile(buffer, "w") as archive:
            warnings.simplefilter("ignore")
            for entry, member in members:
                archive.writestr(entry, member, entry.compress_type)
        return buffer.getvalue()

    return damage


def _rename(members: Members, rng: Random) -> None:
    entry, _ = rng.choice(members)
    entry.filename = rng.choice(HARD_NAMES)


def _same_name(members: Members, rng: Random) -> None:
    entry, content = rng.choice(members)
    again = zipfile.ZipInfo(rng.choice((entry.filename, entry.filename.upper(), entry.filename + "/x.csv", "data")))
    members.append((again, content[: len(content) // 2]))


def _link(members: Members, rng: Random) -> None:
    entry = zipfile.ZipInfo(rng.choice(("labs2.csv", "data/labs3.csv")))
    kind = rng.choice((stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFDIR))
    entry.external_attr = (kind | 0o777) << 16
    members.append((entry, rng.choice((b"/etc/passwd", b"/dev/zero", b"../../x", b"labs2.csv"))))


def _bomb(members: Members, rng: Random) -> None:
    cell = rng.choice((b"\x00", b"0", b",", b"\n", b'"', b"1,2\n"))
    bomb = zipfile.ZipInfo("bomb.csv")
    bomb.compress_type = zipfile.ZIP_DEFLATED
    members.append((bomb, cell * (BOMB_BYTES // len(cell))))


def _many(members: Members, rng: Random) -> None:
    name, content = rng.choice((("m{}.txt", b"x"), ("d/m{}/labs.csv", b""), ("m{}.csv", b"a,b\n1,2\n")))
    members.extend((zipfile.ZipInfo(name.format(n)), content) for n in range(rng.choice((30, 300))))


def _inner_damage(members: Members, rng: Random) -> None:
    place = rng.randrange(len(members))
    entry, content = members[place]
    if content:
        members[place] = (entry, rng.choice(list(ANY.values()))(content, rng))


def _lose_member(members: Members, rng: Random) -> None:
    members.pop(rng.randrange(len(members)))


def _other_packing(members: Members, rng: Random) -> None:
    for entry, _ in members:
        entry.compress_type = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA))


def lie_in_header(content: bytes, rng: Random) -> bytes:
    """Flags, method, checksum or size of a member, in the directory or before the member, changed."""
    damaged = bytearray(content)
    marks = [(b"PK\x01\x02", (8, 10, 16, 20, 24, 28, 42)), (b"PK\x03\x04", (6, 8, 14, 18, 22, 26))]
    mark, offsets = rng.choice(marks)
    place = damaged.find(mark, rng.randrange(max(1, len(damaged) // 2)))
    if place >= 0:
        at = place + rng.choice(offsets)
        number = rng.choice((0, 1, 9, 99, 0x800, 0xFFFF))
        damaged[at : at + 2] = struct.pack("<H", number)
    return bytes(damaged)


def lie_at_end(content: bytes, rng: Random) -> bytes:
    """The end of the directory says other counts and places."""
    place = content.rfind(b"PK\x05\x06")
    at = place + rng.choice((4, 8, 10, 12, 16, 20))
    return (
        content[:at] + struct.pack("<H", rng.choice((0, 1, 500, 0xFFFF))) + content[at + 2 :] if place >= 0 else content
    )


def stuff_before(content: bytes, rng: Random) -> bytes:
    """Something before the archive, as of one that unpacks itself."""
    return rng.choice((b"#!/bin/sh\n", bytes(100), b"a,b\n1,2\n")) + content


ZIP: Mapping[str, Damage] = {
    **{
        f"zip_{change.__name__.strip('_')}": _members(change)
        for change in (_rename, _same_name, _link, _bomb, _many, _inner_damage, _lose_member, _other_packing)
    },
    **{damage.__name__: damage for damage in (lie_in_header, lie_at_end, stuff_before)},
}


def _broken_xml(members: Members, rng: Random) -> None:
    place = rng.choice([n for n, (entry, _) in enumerate(members) if entry.filename.endswith((".xml", ".rels"))])
    entry, content = members[place]
    start = rng.randrange(len(content))
    cut = (
        content[:start]
        + rng.choice((b"", b"<", b">", b"&", b"]]>", b"</x>", b"\x00", b"\xff\xfe"))
        + content[start + 1 :]
    )
    members[place] = (entry, rng.choice((cut, content[:start], b"", content.replace(b"<", b"<x:", 3))))


def _entities(members: Members, rng: Random) -> None:
    for place, (entry, content) in enumerate(members):
        if entry.filename.endswith(("sharedStrings.xml", "sheet1.xml")):
            declared, used = rng.choice(((BOMB, b"&d;"), (OUTSIDE, b"&a;")))
            body = content.split(b"?>", 1)[-1].replace(b"<t>", b"<t>" + used).replace(b"<v>", b"<v>" + used)
            members[place] = (entry, declared + body)


def _hard_sheet(members: Members, rng: Random) -> None:
    for place, (entry, content) in enumerate(members):
        if entry.filename.endswith("sheet1.xml"):
            cell = rng.choice(CELLS)
            old = cell.split(b"=")[0] + b"=" if b"=" in cell and not cell.startswith(b"<") else b"<v>"
            at = content.find(old, rng.randrange(len(content)))
            end = content.find(b'"', at + len(old) + 1) + 1 if old != b"<v>" else content.find(b"</v>", at) + 4
            changed = (
                content[:at] + cell + content[end:]
                if at >= 0 < end
                else content.replace(b"<sheetData>", cell + b"<sheetData>")
            )
            members[place] = (entry, changed)


def _hard_strings(members: Members, rng: Random) -> None:
    for place, (entry, content) in enumerate(members):
        if entry.filename.endswith("sharedStrings.xml"):
            hard = rng.choice(
                (b"</si><si>", b"x" * 200_000, b"_x0000_", b"&#0;", b"&#xD800;", b"&#x1F600;", b"<r><t>a</t></r>")
            )
            members[place] = (entry, content.replace(b"<t>", b"<t>" + hard, rng.choice((1, 50))))


def _relations(members: Members, rng: Random) -> None:
    for place, (entry, content) in enumerate(members):
        if entry.filename.endswith(("workbook.xml.rels", "workbook.xml")):
            old, new = rng.choice(
                (
                    (b"sheet1.xml", b"../../../../etc/passwd"),
                    (b"sheet1.xml", b"sheet2.xml"),
                    (b'name="', b'name="' + b"n" * 300),
                    (b'name="', b'name="&lt;script&gt;'),
                    (b'r:id="rId1"', b'r:id="rId99"'),
                    (b'r:id="rId1"', b'state="veryHidden" r:id="rId1"'),
                    (b"</sheets>", b'<sheet name="Labs" sheetId="9" r:id="rId1"/></sheets>'),
                )
            )
            members[place] = (entry, content.replace(old, new))


WORKBOOK: Mapping[str, Damage] = {
    f"xlsx_{change.__name__.strip('_')}": _members(change)
    for change in (
        *(_broken_xml, _broken_xml, _entities, _hard_sheet, _hard_sheet, _hard_strings, _relations, _inner_damage),
        *(_lose_member, _same_name, _bomb),
    )
}
