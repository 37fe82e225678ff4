"""docs/protocol.md, held against the schema, the sources and a server."""

import asyncio
import re
from pathlib import Path

import pytest

import rockdove
from rockdove.core.delivery import typing
from rockdove.core.records import Tenant
from rockdove.wire import im_pb2 as pb
from rockdove.wire import limits
from tests.conftest import StartServer
from tests.docs.pages import ROOT, blocks, code_spans, read, section, table
from tests.docs.program import add_people
from tests.process import PASSWORD, ServerProcess
from tests.raw import DEADLINE_SECONDS, RawClient

PAGE = read("docs/protocol.md")
SECTIONS = {int(number): heading for number, heading in re.findall(r"^## (\d)\. (.+)$", PAGE, re.MULTILINE)}
SERVER_SIDE = ("core", "transport", "auth", "wire/framing.py", "wire/codec.py", "wire/errors.py")


def numbered(first_column: str) -> dict[str, int]:
    return {row[0].strip("`"): int(row[1]) for row in table(PAGE, first_column)}


def unsent(first_column: str) -> set[str]:
    """The codes of which the page says that the server does not send them."""
    rows = table(PAGE, first_column)
    return {row[0].strip("`") for row in rows if re.search("server does not send it", row[2])}


def test_every_code_is_documented() -> None:
    assert numbered("`Code`") == dict(pb.Code.items())
    assert numbered("`DisconnectCode`") == dict(pb.DisconnectCode.items())


def test_the_codes_that_are_said_never_to_come_are_not_in_the_server() -> None:
    folder = Path(rockdove.__file__).parent
    paths = [
        path for name in SERVER_SIDE for path in ([folder / name] if name.endswith(".py") else (folder / name).rglob("*.py"))
    ]
    used = set(re.findall(r"\bpb\.([A-Z_]+)\b", "".join(path.read_text(encoding="utf-8") for path in paths)))
    assert unsent("`Code`") == set(pb.Code.keys()) - used
    assert unsent("`DisconnectCode`") == set(pb.DisconnectCode.keys()) - used


def test_every_section_that_the_sources_cite_is_there() -> None:
    cited = set()
    for folder in ("src", "tests"):
        for path in (ROOT / folder).rglob("*.py"):
            cited |= set(
                re.findall(r"protocol §(\d)((?: [A-Z][A-Za-z]+| opts| last_seqid| epoch| is safe)*)", path.read_text())
            )
    assert len(cited) > 10
    for number, label in cited:
        assert int(number) in SECTIONS, f"§{number}"
        text = section(PAGE, f"{number}. {SECTIONS[int(number)]}")
        assert not label or re.search(rf"(\*\*|`){label.strip()}\b", text), f"§{number}{label}"


def test_what_is_said_to_be_unimplemented_is(server: ServerProcess) -> None:
    services = {pb.CONTACT: pb.Contact, pb.GROUP: pb.Group, pb.SYNC: pb.Sync, pb.PRESENCE: pb.Presence, pb.USER: pb.User}

    async def scenario() -> set[str]:
        async with await RawClient.connect(server.port()) as alice:
            await alice.login("alice", PASSWORD, device="phone")
            refused = set()
            for kind in pb.RequestType.values():
                if kind != pb.MESSAGE and (await alice.request(kind, b"")).code == pb.UNIMPLEMENTED:
                    refused.add(pb.RequestType.Name(kind))
            for kind, service in services.items():
                for operation in service.DESCRIPTOR.oneofs_by_name["op"].fields:
                    request = service()
                    getattr(request, operation.name).SetInParent()
                    if (await alice.request(kind, request.SerializeToString())).code == pb.UNIMPLEMENTED:
                        refused.add(f"{service.DESCRIPTOR.name}.{operation.name}")
            for number in pb.MessageType.values():
                if (await alice.send(number + 1, pb.Message(type=number, to="bob"))).code == pb.UNIMPLEMENTED:
                    refused.add(pb.MessageType.Name(number))
            return refused

    (sentence,) = re.findall(r"is answered with `UNIMPLEMENTED`: (.+?)\.\s", PAGE)
    assert asyncio.run(scenario()) == set(re.findall(r"`([\w.]+)`", sentence))


# ---------------------------------------------------------------- groups, contacts, changes


def extensions() -> tuple[dict[str, int], dict[str, set[str]]]:
    """What the schema marks as an extension: fields of messages of the contract, and whole messages with their fields."""
    fields: dict[str, int] = {}
    messages: dict[str, set[str]] = {}
    name, is_new, from_here_on, comment = "", False, False, ""
    for line in (ROOT / "src/rockdove/wire/im.proto").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"message (\w+) ", line):
            name, is_new, from_here_on = match[1], comment.startswith("// Extension"), False
        elif line.startswith("  // Extensions of the contract from here on"):
            from_here_on = True
        elif match := re.match(r" +(?:\w+ )?[\w.]+ (\w+) = (\d+);(.*)", line):
            if is_new:
                messages.setdefault(name, set()).add(match[1])
            elif from_here_on or "// extension" in match[3]:
                fields[f"{name}.{match[1]}"] = int(match[2])
        comment = line
    return fields, messages


def test_every_extension_of_the_schema_is_documented() -> None:
    fields, messages = extensions()
    assert len(fields) > 10
    rows = table(section(PAGE, "Extensions"), "field")
    assert {row[0].strip("`"): int(row[1]) for row in rows} == fields
    spans = set(code_spans(PAGE))
    for name, its_fields in messages.items():
        assert name in spans or f"**{name}**" in PAGE, name
        assert its_fields <= spans, name


def test_every_operation_on_groups_is_documented() -> None:
    written = [row[0].strip("`") for row in table(PAGE, "`Group`")]
    assert len(written) == len(set(written))
    assert set(written) == set(pb.Group.DESCRIPTOR.fields_by_name)


def test_every_operation_on_contacts_is_documented() -> None:
    written = {row[0].partition("`")[2].partition("`")[0] for row in table(PAGE, "`Contact`")}
    assert written == set(pb.Contact.DESCRIPTOR.fields_by_name) - {"list", "event"}
    assert {"list", "event"} <= set(code_spans(PAGE))


def test_every_notice_is_documented() -> None:
    rules = Path(rockdove.__file__).parent / "core" / "rules"
    written = {kind for path in rules.glob("*.py") for kind in re.findall(r'"(group\.\w+)"', path.read_text(encoding="utf-8"))}
    documented = [row[0].strip("`") for row in table(PAGE, "`Notice.kind`")]
    assert len(documented) == len(set(documented))
    assert set(documented) == written
    told = {kind for row in table(PAGE, "`Group`") for kind in re.findall(r"`(group\.\w+)`", row[4])}
    assert told <= written
    by_update = {"group.renamed", "group.announced", "group.avatar", "group.policy"}
    assert written - told == by_update


@pytest.mark.parametrize(
    "words",
    [
        f"(at most {limits.HIDE_SEQS:,})",
        f"`text` (1 to {limits.SEARCH_TEXT_BYTES} bytes)",
        f"(at most {limits.QUERY_NAMES} users)",
        f"in groups of up to {limits.TYPING_GROUP_SIZE} members, at most {typing.TYPISTS} typists",
        f"once in {typing.REPEAT_MS // 1000} s per device",
        f"`name` ({limits.DISPLAY_NAME_BYTES} bytes), `announcement` ({limits.ANNOUNCEMENT_BYTES // 1024} KiB)",
        f"`avatar_url` ({limits.AVATAR_URL_BYTES // 1024} KiB)",
        f"of more than {limits.NOTICE_NAMES} the first ones",
        f"have at most {limits.GREETING_BYTES} bytes, `remark` {limits.DISPLAY_NAME_BYTES}",
        f"at most {limits.CONTACTS:,} contacts and requests",
        f"`emoji` (1 to {limits.EMOJI_BYTES} bytes)",
        f"the sender within {Tenant(1, '', '').recall_seconds} s",
        f"the sender within {Tenant(1, '', '').edit_seconds} s",
        f"`ext` holds {limits.PROFILE_ENTRIES} entries at most",
        f"a value up to {limits.PROFILE_VALUE_BYTES // 1024} KiB",
        f"`limit` 0 means {limits.PAGE}, above {limits.PAGE_MAX} means {limits.PAGE_MAX}",
        f"At most {limits.MENTIONS:,} `mentions`",
    ],
)
def test_the_documented_limits_hold(words: str) -> None:
    assert words in PAGE


# ---------------------------------------------------------------- the bytes


def dumped() -> list[bytes]:
    """The frames of the page, in its order."""
    frames = []
    for block in blocks(PAGE, "hex"):
        rows = [re.split(r" {2,}", line.strip(), maxsplit=1)[0] for line in block.splitlines()]
        frames.append(bytes.fromhex("".join(rows)))
    return frames


def test_the_annotations_of_the_bytes_are_right() -> None:
    login, send, answer, push, ack = (pb.Command.FromString(frame[1:]) for frame in dumped())
    values = {
        **{field.name: value for field, value in login.connect.ListFields()},
        **{field.name: value for field, value in pb.Message.FromString(push.request.payload).ListFields()},
        **{field.name: value for field, value in pb.Sent.FromString(answer.response.payload).ListFields()},
        "txt": pb.MessageTxt.FromString(pb.Message.FromString(send.request.payload).payload).txt,
        "seqid": send.request.seqid,
    }
    assert ack.response.seqid == push.request.seqid == values["msgid"]
    rows = [re.split(r" {2,}", line.strip(), maxsplit=1) for block in blocks(PAGE, "hex") for line in block.splitlines()]
    for data, note in rows:
        name = note.partition(": ")[0]
        if size := re.search(r"(\d+) bytes", note):
            assert bytes.fromhex(data)[-1] == int(size[1]), note
        elif name in values and not note.endswith(("as alice wrote it", "the msgid")):
            assert note == f"{name}: {values[name]}"
    for frame in dumped():
        assert frame[0] == len(frame) - 1


def test_a_server_speaks_the_bytes_of_the_page(tmp_path: Path, start_server: StartServer) -> None:
    login, send, answer, push, ack = dumped()
    documented = pb.Sent.FromString(pb.Command.FromString(answer[1:]).response.payload)

    def as_documented(frame: bytes, sent: pb.Sent) -> bytes:
        """`frame`, with the id and the time of the page in the place of those that this run had."""
        varints = [pb.Sent(timestamp=each.timestamp).SerializeToString()[1:] for each in (sent, documented)]
        frame = frame.replace(sent.msgid.to_bytes(8, "little"), documented.msgid.to_bytes(8, "little"))
        return frame.replace(varints[0], varints[1])

    async def frame(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        """The length, and the command."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            length = await reader.readexactly(1)
            while length[-1] > 127:
                length += await reader.readexactly(1)
            return length, await reader.readexactly(sum((byte & 127) << 7 * place for place, byte in enumerate(length)))

    async def scenario(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with await RawClient.connect(port) as bob:
            await bob.login("bob", "builder")
            writer.write(login)
            _, welcome = await frame(reader)
            assert pb.Command.FromString(welcome).conack.status == pb.STATUS_OK
            writer.write(send)
            length, command = await frame(reader)
            sent = pb.Sent.FromString(pb.Command.FromString(command).response.payload)
            assert as_documented(length + command, sent) == answer
            pushed = await bob.read()
            assert as_documented(push[:1] + pushed.SerializeToString(), sent) == push
            bob.write_bytes(ack.replace(documented.msgid.to_bytes(8, "little"), sent.msgid.to_bytes(8, "little")))
            await bob.ping()
        writer.close()
        async with await RawClient.connect(port) as bob:
            await bob.login("bob", "builder")
            await bob.ping()
            owed = pb.Sync(conversations=pb.ListConversations())
            (item,) = pb.Conversations.FromString((await bob.request(pb.SYNC, owed.SerializeToString())).payload).items
            assert (item.last_seq, item.acked_seq) == (1, 1)

    add_people(tmp_path)
    asyncio.run(scenario(start_server(tmp_path).port()))


@pytest.mark.parametrize("number", range(1, 9))
def test_the_sections_are_those_of_the_contract(number: int) -> None:
    assert number in SECTIONS
