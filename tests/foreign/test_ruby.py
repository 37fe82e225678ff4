"""A client in another language, generated from the published schema, and the oldest client there can be."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from rockdove.wire import im_pb2 as pb
from tests.process import PASSWORD, ServerProcess
from tests.raw import DEADLINE_SECONDS, RawClient, text_message, text_of

HERE = Path(__file__).parent
SCHEMA = Path(pb.__file__).with_name("im.proto")
FOUNDING_SCHEMA = HERE / "founding.proto"
PROTOC = Path(sys.executable).with_name("protoc")
TEXT = "Grüße, 鸽子 🕊"


def has_ruby() -> bool:
    ruby = shutil.which("ruby")
    if ruby is None:
        return False
    return subprocess.run([ruby, "-e", "require 'google/protobuf'"], check=False, capture_output=True).returncode == 0


needs_ruby = pytest.mark.skipif(not has_ruby(), reason="needs ruby and its protobuf: apt-get install ruby ruby-google-protobuf")


class Ruby:
    """The Ruby client, as a process that takes orders."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    def tell(self, order: str, **details: Any) -> None:
        """Have it do something."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": order, **details}).encode() + b"\n")

    async def read(self) -> Any:
        """The next command that it received, as JSON."""
        assert self._process.stdout is not None
        self.tell("read")
        async with asyncio.timeout(DEADLINE_SECONDS):
            line = await self._process.stdout.readline()
        assert line, "the Ruby client has died"
        return json.loads(line)

    async def login(self, user: str, **details: str) -> Any:
        """Log in; the ConAck."""
        self.tell("login", org="default", appkey="default", user=user, token=PASSWORD, **details)
        return (await self.read())["conack"]


@asynccontextmanager
async def ruby_client(port: int, schema: Path, scratch: Path) -> AsyncIterator[Ruby]:
    """A Ruby client that knows that schema."""
    protoc = await asyncio.create_subprocess_exec(PROTOC, f"-I{schema.parent}", f"--ruby_out={scratch}", schema.name)
    assert await protoc.wait() == 0
    module = scratch / f"{schema.stem}_pb"
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec("ruby", HERE / "client.rb", str(port), module, stdin=pipe, stdout=pipe)
    try:
        yield Ruby(process)
    finally:
        process.stdin.close()
        process.kill()
        await process.wait()


async def bob_online(port: int) -> RawClient:
    bob = await RawClient.connect(port)
    assert (await bob.login("bob", PASSWORD, "phone")).status == pb.STATUS_OK
    return bob


@needs_ruby
def test_ruby_client_sends_receives_acknowledges_and_keeps_alive(server: ServerProcess, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with ruby_client(server.port(), SCHEMA, tmp_path) as ruby, await bob_online(server.port()) as bob:
            conack = await ruby.login("alice", device="ruby")
            assert conack.get("status", "STATUS_OK") == "STATUS_OK"

            ruby.tell("send", seqid=7, to="bob", text=TEXT)
            response = (await ruby.read())["response"]
            assert (response.get("code", 0), response["seqid"]) == (pb.OK, "7")
            pushed = await bob.next_message()
            assert (getattr(pushed, "from"), pushed.seq, text_of(pushed)) == ("alice", 1, TEXT)

            sent = await bob.send(1, text_message("alice", TEXT))
            msgid = pb.Sent.FromString(sent.payload).msgid
            received = await ruby.read()
            assert received == {"message": {"from": "bob", "to": "alice", "msgid": msgid, "seq": 2, "text": TEXT}}
            ruby.tell("ack", seqid=msgid)
            ruby.tell("ping")
            assert "pong" in await ruby.read()

            await bob.send(2, text_message("alice", "only this is new"))
            assert (await ruby.read())["message"]["text"] == "only this is new"
            ruby.tell("leave")

        async with ruby_client(server.port(), SCHEMA, tmp_path) as ruby:
            await ruby.login("alice", device="ruby")
            assert (await ruby.read())["message"]["text"] == "only this is new"  # the other one was acknowledged

    asyncio.run(scenario())


@needs_ruby
def test_ruby_client_with_a_wrong_password_is_refused_with_a_reason(server: ServerProcess, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with ruby_client(server.port(), SCHEMA, tmp_path) as ruby:
            ruby.tell("login", org="default", appkey="default", user="alice", token="wrong")
            conack = (await ruby.read())["conack"]
            assert (conack["status"], conack["code"]) == ("STATUS_FAIL", "UNAUTHENTICATED")
            assert conack["reason"]

    asyncio.run(scenario())


@needs_ruby
def test_client_of_the_founding_schema_receives_and_acknowledges_without_ids(server: ServerProcess, tmp_path: Path) -> None:
    """It knows no device, no seqid, no sender: an ack without a seqid is for the oldest message (protocol §3)."""

    async def scenario() -> None:
        async with await bob_online(server.port()) as bob:
            async with ruby_client(server.port(), FOUNDING_SCHEMA, tmp_path) as ruby:
                conack = await ruby.login("alice")
                assert conack.get("status", "STATUS_OK") == "STATUS_OK"
                for seqid, text in enumerate(["one", "two", TEXT], start=1):
                    await bob.send(seqid, text_message("alice", text))
                for text in ["one", "two", TEXT]:
                    assert await ruby.read() == {"message": {"text": text}}
                ruby.tell("ack")
                ruby.tell("ack")
                ruby.tell("send", text="to whom?")  # its schema has no recipient: an error, and the connection lives
                assert (await ruby.read())["response"]["code"] == pb.INVALID_ARGUMENT
                ruby.tell("leave")

            async with ruby_client(server.port(), FOUNDING_SCHEMA, tmp_path) as ruby:
                await ruby.login("alice")
                assert await ruby.read() == {"message": {"text": TEXT}}

    asyncio.run(scenario())


def test_schema_keeps_every_field_of_the_founding_schema(tmp_path: Path) -> None:
    """Nothing renumbered, renamed, retyped or removed."""

    def facts(schema: Path) -> set[tuple[object, ...]]:
        compiled = tmp_path / schema.stem
        subprocess.run([PROTOC, f"-I{schema.parent}", f"--descriptor_set_out={compiled}", schema.name], check=True)
        file = FileDescriptorSet.FromString(compiled.read_bytes()).file[0]
        fields = {
            (message.name, field.name, field.number, field.type, field.label, field.type_name, field.proto3_optional)
            for message in file.message_type
            for field in message.field
        }
        values = {(enum.name, value.name, value.number) for enum in file.enum_type for value in enum.value}
        return fields | values

    founding = facts(FOUNDING_SCHEMA)
    assert len(founding) > 30
    assert founding <= facts(SCHEMA)
