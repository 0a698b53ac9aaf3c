"""Raw bytes in, answers out: what the connections and the front make of what clients send."""

import asyncio
import errno
import json
import socket
import threading
import time
import tracemalloc
from contextlib import contextmanager
from functools import partial

import pytest

from serve.connection import LARGEST_HEAD, MOST_AHEAD, MOST_HEADERS, Awaited, Connection
from serve.front import AT_ONCE, Front
from serve.request import Request
from serve.scoring import RequestError
from serve.shortcut import LARGEST

MOST = 100_000
HOST = b"Host: a\r\n"
GET = b"GET /x HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /x HTTP/1.1\r\n" + HOST
OK, BAD = 200, 400


def echoing(environ, start):
    """Answers with what it was asked."""
    told = {name: value for name, value in environ.items() if isinstance(value, str)}
    size = environ.get("CONTENT_LENGTH", "0")
    if size.isdigit() and int(size) > MOST:
        start("413 Too Large", [("Content-Type", "text/plain")])
        return [b"too large"]
    if told["PATH_INFO"] == "/slow":
        time.sleep(0.2)
    if told["PATH_INFO"] == "/broken":
        raise LookupError(told)
    if told["PATH_INFO"] == "/nothing":
        start("204 No Content", [])
        return []
    if told["PATH_INFO"] == "/middling":
        start("200 OK", [])
        return [b"x" * 40_000]
    if told["PATH_INFO"] == "/large":
        start("200 OK", [])
        return [b"x" * 10_000_000]
    told["body"] = environ["wsgi.input"].read().decode("latin-1")
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(told).encode()]


class Short:
    """Answers on the loop what begins as rows do."""

    def __init__(self):
        self.threads = set()

    def takes(self, request):
        return request.target == b"/score"

    def answers(self, requests):
        self.threads.add(threading.current_thread().name)
        return [
            ValueError(request.body) if request.body == b"wrong"
            else (b"Content-Type: text/plain\r\n", b"short " + request.body)
            for request in requests
        ]  # fmt: skip


PATIENCE = {
    Awaited.REQUEST: 0.4, Awaited.HEAD: 0.3, Awaited.BODY: 0.2, Awaited.READER: 0.2,
}  # fmt: skip
PATIENT = dict.fromkeys(PATIENCE, 20.0)


@contextmanager
def listening(app=echoing, short=None, patience=PATIENT, keeps=None, **more):
    """A front on a port of its own, on a loop in a thread of its own; its address and itself.

    Of what is not read yet the system *keeps* so many bytes, and asyncio the rest.
    """
    front = Front(app, short, MOST, patience, **more)
    listener = socket.create_server(("127.0.0.1", 0))
    if keeps:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, keeps)
    ready, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve():
        front.start(loop)
        server = await loop.create_server(partial(Connection, front), sock=listener)
        ready.set()
        await ended.wait()
        server.close()
        await front.end(5)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    ready.wait(10)
    front.stop = lambda: loop.call_soon_threadsafe(ended.set)
    try:
        yield listener.getsockname(), front
    finally:
        front.stop()
        thread.join(20)
        loop.close()


def answers(content):
    """The answers in *content*: status, headers (names in lower case), body of each."""
    found = []
    while content:
        head, _, content = content.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {n.lower(): v for n, _, v in (line.partition(": ") for line in lines)}
        size = int(headers.get("content-length", 0))
        found.append((int(first.split()[1]), headers, content[:size]))
        content = content[size:]
    return found


def ask(address, *parts, pause=0.02, ends=True):
    """Send *parts*, and then that there is no more; everything until the server hangs up."""
    with socket.create_connection(address, timeout=20) as client:
        for part in parts:
            client.sendall(part)
            time.sleep(pause if len(parts) > 1 else 0)
        if ends:
            client.shutdown(socket.SHUT_WR)
        found = b""
        while got := client.recv(2**20):
            found += got
    return answers(found)


@pytest.fixture(scope="module")
def echo():
    with listening() as (address, _):
        yield address


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (GET, [OK]),
        (b"\r\n" + GET, [OK]),
        (GET + GET + GET, [OK, OK, OK]),
        (GET.replace(b"\r\n", b"\n"), [BAD]),
        (GET[:-2] + b"Connection: close\r\n\r\n" + GET, [OK]),
        (b"GET /x HTTP/1.0\r\n\r\n" + GET, [OK]),
        (b"GET /x HTTP/1.1\r\n\r\n", [BAD]),
        (b"GET /x HTTP/1.1\r\n" + HOST + HOST + b"\r\n", [BAD]),
        (b"GET /x HTTP/2.0\r\n" + HOST + b"\r\n", [505]),
        (b"GET /x HTTP/1.1 \r\n" + HOST + b"\r\n", [BAD]),
        (b"GET x HTTP/1.1\r\n" + HOST + b"\r\n", [BAD]),
        (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", [BAD]),
        (b"NONSENSE /x HTTP/1.1\r\n" + HOST + b"\r\n", [BAD]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [BAD]),
        (b"GET /x HTTP/1.1\r\n" + HOST + b" folded: 1\r\n\r\n", [BAD]),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"odd : 1\r\n\r\n", [BAD]),
        (b"GET /x HTTP/1.1\r\n" + HOST + b"o\0d: 1\r\n\r\n", [BAD]),
        (GET + b"rubbish\r\n\r\n", [OK, BAD]),
        (b"HEAD /x HTTP/1.1\r\n" + HOST + b"\r\n", [200]),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", [OK]),
        (b"GET http://a/x HTTP/1.1\r\n" + HOST + b"\r\n", [OK]),
        (b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n", [BAD]),
        (GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET, [OK]),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", [BAD]),
        # A body: how long it is can be said in one way only.
        (POST + b"Content-Length: 2\r\n\r\nab" + GET, [OK, OK]),
        (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\nab", [BAD]),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nabc", [BAD]),
        (POST + b"Content-Length: 2, 2\r\n\r\nab", [BAD]),
        (POST + b"Content-Length: +2\r\n\r\nab", [BAD]),
        (POST + b"Content-Length: -2\r\n\r\nab", [BAD]),
        (POST + b"Content-Length: 0x2\r\n\r\nab", [BAD]),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\nab", [BAD]),
        (POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", [BAD]),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n0\r\n\r\n", [BAD]),
        (POST + b"Transfer-Encoding: gzip\r\n\r\nab", [501]),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501]),
        (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", [BAD]),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [501]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n" + GET, [OK, OK]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nab\r\n0\r\nX: y\r\n\r\n", [OK]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nab\r\n0\r\n\r\n", [BAD]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n", [BAD]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n-2\r\nab\r\n0\r\n\r\n", [BAD]),
        (POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab", [100, OK]),
        (GET + POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab" + GET, [OK, 100, OK, OK]),
        (b"POST /x HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", [BAD]),
        (POST + b"Expect: a pony\r\nContent-Length: 2\r\n\r\nab", [417]),
        (POST + b"Content-Length: %d\r\n\r\nab" % (MOST + 1), [413]),
        # As much as is taken, and no more.
        (GET[:-2] + b"X: " + b"x" * LARGEST_HEAD + b"\r\n\r\n", [431]),
        (b"GET /" + b"x" * LARGEST_HEAD + GET[5:], [431]),
        (b"GET /" + b"x" * 400_000, [431]),
        (GET[:-2] + b"X: " + b"x" * 20_000 + b"\r\n\r\n", [OK]),
        (GET[:-2] + b"X:\r\n" * (MOST_HEADERS - 1) + b"\r\n" + GET, [OK, OK]),
        (GET[:-2] + b"X:\r\n" * MOST_HEADERS + b"\r\n" + GET, [431]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: " + b"x" * 400_000, [431]),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2;" + b"x" * 400_000, [431]),
        (b"", []),
        (b"GET /x", []),
        (POST + b"Content-Length: 5\r\n\r\nab", []),
    ],
    ids=lambda value: None if isinstance(value, list) else repr(value[:90]),
)  # fmt: skip
@pytest.mark.parametrize("size", [2**20, 7], ids=["at once", "in pieces"])
def test_what_is_sent_is_answered_so(echo, sent, expected, size):
    """Whichever way the bytes come. After an error nothing more is read."""
    if size == 7 and len(sent) > 1000:
        size = 9_000
    parts = [sent[place : place + size] for place in range(0, len(sent), size)]
    found = ask(echo, *parts, pause=0.001)

    assert [status for status, *_ in found] == expected
    for status, headers, body in found:
        if status in (400, 417, 431, 501, 505):
            assert headers["date"].endswith("GMT")
            assert headers["content-type"] == "application/problem+json"
            assert headers["connection"] == "close"
            assert json.loads(body)["status"] == status


def test_the_application_is_asked_as_wsgi_says(echo):
    """PEP 3333; names that could be mistaken for others are left out."""
    sent = (
        b"POST /a%20b/%C3%BC?c=%20d HTTP/1.1\r\nHost: shop:80\r\nContent-Type: text/plain\r\n"
        b"X-Odd: 1\r\nx-odd: 2\r\nX_Odd: 3\r\nContent_Length: 9\r\nContent-Length: 4\r\n\r\nbody"
    )
    ((_, headers, body),) = ask(echo, sent)
    told = json.loads(body)

    assert headers["content-type"] == "application/json"
    for name, value in {
        "REQUEST_METHOD": "POST", "QUERY_STRING": "c=%20d", "CONTENT_LENGTH": "4",
        "CONTENT_TYPE": "text/plain", "HTTP_X_ODD": "1,2", "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1", "SERVER_PORT": str(echo[1]), "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": "shop:80", "body": "body",
    }.items():  # fmt: skip
        assert told[name] == value
    assert told["PATH_INFO"].encode("latin-1").decode() == "/a b/ü"


def test_a_body_in_chunks_has_a_length_when_it_is_there(echo):
    """And is no longer in chunks for the application."""
    sent = (
        POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n1\r\nb\r\n0\r\nContent-Type: 9\r\n\r\n"
    )
    told = json.loads(ask(echo, sent)[0][2])

    assert (told["body"], told["CONTENT_LENGTH"]) == ("ab", "2")
    assert {"HTTP_TRANSFER_ENCODING", "CONTENT_TYPE"}.isdisjoint(told)


def test_a_body_in_tiny_pieces_takes_no_more_memory_than_it_is_long():
    """An object for each would be twenty times as much, and is not counted."""
    request = Request()
    tracemalloc.start()
    for number in range(50_000):
        request.take(number.to_bytes(2, "big"))
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert held < 200_000
    assert request.body == b"".join(number.to_bytes(2, "big") for number in range(50_000))


def test_a_body_that_is_too_long_is_not_read_to_its_end(echo):
    """Said by its length, or found out; and the client gets to hear it, however much it sends."""
    for head, part in (
        (b"Content-Length: 9000000\r\n\r\n", b"x" * 1_000_000),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"f4240\r\n" + b"x" * 1_000_000 + b"\r\n"),
    ):
        (found,) = ask(echo, POST + head, *[part] * 5, pause=0)

        assert found[0] == 413
        assert found[1]["connection"] == "close"


def test_a_connection_is_kept_as_its_version_says(echo):
    """HTTP/1.0 has to be asked to, and is told."""
    kept = b"GET /x HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"
    found = ask(echo, kept + kept + b"GET /x HTTP/1.0\r\n\r\n")

    assert [headers["connection"] for _, headers, _ in found] == [
        "keep-alive",
        "keep-alive",
        "close",
    ]
    assert "connection" not in ask(echo, GET)[0][1]


def test_a_head_is_answered_without_a_body(echo):
    """But with its length; where there can be none, with neither."""
    with socket.create_connection(echo, timeout=20) as client:
        client.sendall(b"HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        found = b"".join(iter(partial(client.recv, 2**16), b""))
    assert found.endswith(b"\r\n\r\n")
    assert b"\r\nContent-Length: " in found

    ((status, headers, _),) = ask(echo, b"GET /nothing HTTP/1.1\r\n" + HOST + b"\r\n")
    assert status == 204
    assert "content-length" not in headers


def test_a_head_that_is_refused_has_no_body_either(echo):
    """Its connection goes on: a body would be taken for the next answer."""
    nowhere = b"HEAD http://a:99999999/x HTTP/1.1\r\n" + HOST + b"\r\n"
    broken = b"HEAD /broken HTTP/1.1\r\n" + HOST + b"\r\n"
    with socket.create_connection(echo, timeout=20) as client:
        client.sendall(nowhere + broken + broken)
        client.shutdown(socket.SHUT_WR)
        found = b"".join(iter(partial(client.recv, 2**16), b""))
    heads = found.split(b"\r\n\r\n")

    assert [head[:12] for head in heads] == [b"HTTP/1.1 400", *[b"HTTP/1.1 500"] * 2, b""]


def test_a_head_that_is_refused_before_it_is_whole_has_no_body(echo):
    """What it asks is known from its first line on; and it does not overtake."""
    begins = b"HEAD" + GET[3:-2] + b"X:\r\n" * (MOST_HEADERS + 1)
    for ahead in (b"", b"HEAD" + GET[3:]):
        with socket.create_connection(echo, timeout=20) as client:
            client.sendall(ahead + begins)
            client.shutdown(socket.SHUT_WR)
            found = b"".join(iter(partial(client.recv, 2**16), b""))
        *heads, rest = found.split(b"\r\n\r\n")

        assert [head[:12] for head in heads][-1] == b"HTTP/1.1 431"
        assert (len(heads), rest) == (1 + bool(ahead), b"")


def test_a_head_that_is_too_long_is_refused_once(echo, caplog):
    """Its end comes when it is too long by both measures."""
    parts = GET[:-2] + b"X: " + b"x" * (LARGEST_HEAD + 2**18 - 100), b"x" * 30_000 + b"\r\n\r\n"

    assert [status for status, *_ in ask(echo, *parts, pause=0.2)] == [431]
    assert caplog.records == []


def test_an_application_that_fails_is_a_500(echo, capfd):
    """Its words are in the log, not in the answer."""
    ((status, _, body), _) = ask(echo, b"GET /broken HTTP/1.1\r\n" + HOST + b"\r\n" + GET)

    assert status == 500
    assert b"broken" not in body
    assert "LookupError" in capfd.readouterr().err


def test_answers_come_in_the_order_of_the_requests():
    """Slow ones before quick ones, those of the short cut among them, and what is refused last."""
    slow = b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n"
    quick = b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n\r\n"
    with listening(short=Short()) as (address, _):
        found = ask(address, slow + quick + b"1" + GET + quick + b"2" + b"rubbish\r\n\r\n")

    assert [status for status, *_ in found] == [OK, OK, OK, OK, BAD]
    assert [body for *_, body in found][1:4:2] == [b"short 1", b"short 2"]


def test_a_few_thousand_requests_sent_ahead_are_too_many():
    """A client may be ahead of its answers, but not by as much as it likes."""
    slow = b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n"
    with listening() as (address, _):
        with socket.create_connection(address, timeout=20) as client:
            client.sendall(slow + GET * (MOST_AHEAD + 1))
            assert gone(client)
        assert len(ask(address, GET * 500)) == 500


def test_the_short_cut_answers_on_the_loop_unless_it_waits_for_the_disk():
    """What it cannot answer, Flask does, which is told why."""
    seen = []

    def app(environ, start):
        seen.append(environ["tidegate.failed"])
        start("422 Unprocessable", [])
        return [b"no"]

    sent = b"POST /score HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\n"
    for inline in (True, False):
        short = Short()
        with listening(app, short, inline=inline) as (address, _):
            found = ask(address, sent + b"right" + sent + b"wrong")

        assert [(status, body) for status, _, body in found] == [
            (200, b"short right"),
            (422, b"no"),
        ]
        assert {name.startswith("answer") for name in short.threads} == {not inline}
    assert [str(error) for error in seen] == ["b'wrong'"] * 2


def test_nobody_is_waited_for_without_end():
    """Head, body, the next request: who is in the middle of something is told, the idle are not."""
    with listening(patience=PATIENCE) as (address, _):
        assert ask(address, b"", ends=False) == []
        (head,) = ask(address, b"GET /x HTT", ends=False)
        (body,) = ask(address, POST + b"Content-Length: 5\r\n\r\nab", ends=False)
        (answered,) = ask(address, GET, ends=False)
        assert answered[0] == OK

    assert head[0] == body[0] == 408
    assert json.loads(head[2])["error"] == "the head was not there within 0.3 s"
    assert json.loads(body[2])["error"] == "the body was not there within 0.2 s"


def test_slow_clients_hold_up_nobody():
    """Many more of them than there are threads."""
    with listening(threads=1) as (address, _):
        slow = [socket.create_connection(address) for _ in range(40)]
        for number, each in enumerate(slow):
            each.sendall(POST + b"Content-Length: 5\r\n\r\nab" if number % 2 else b"GET /x HT")
        assert ask(address, GET)[0][0] == OK
        for each in slow:
            each.close()


def test_a_client_that_does_not_read_is_sent_away():
    """Its answer is larger than what the system keeps for it."""
    with (
        listening(patience=PATIENCE) as (address, front),
        socket.create_connection(address) as client,
    ):
        client.sendall(b"GET /large HTTP/1.1\r\n" + HOST + b"\r\n")
        until(lambda: front._connections)
        until(lambda: not front._connections)


def test_nor_is_one_that_does_not_read_the_little_that_asyncio_keeps():
    """Else it would stay for ever; many of them would be all the connections there may be."""
    with listening(patience=PATIENCE, keeps=4096) as (address, front):
        clients = [socket.socket() for _ in range(2)]
        for client, last in zip(clients, (b"", b"Connection: close\r\n"), strict=True):
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.connect(address)
            client.sendall(b"GET /middling HTTP/1.1\r\n" + HOST + last + b"\r\n")
        until(lambda: len(front._connections) == 2)
        until(lambda: not front._connections)
        for client in clients:
            client.close()


class Wire(asyncio.Transport):
    """A transport that has *unsent* bytes, and whose client is *reset* by the time it is told so."""

    def __init__(self, unsent=0, reset=False):
        super().__init__()
        self.unsent, self.reset, self.sent, self.aborted = unsent, reset, b"", False

    def write(self, data):
        self.sent += data

    def write_eof(self):
        if self.reset:
            raise OSError(errno.ENOTCONN, "not connected")

    def get_write_buffer_size(self):
        return self.unsent

    def is_closing(self):
        return False

    def resume_reading(self):
        pass

    def abort(self):
        self.aborted = True


def test_a_client_that_is_reset_when_it_is_sent_away_spoils_nothing():
    """The others are still not waited for without end."""
    wire = Wire(reset=True)
    with listening(patience=PATIENCE) as (address, front):
        connection = Connection(front)

        def call():
            connection.connection_made(wire)
            connection.data_received(b"GET /x HT")

        front.loop.call_soon_threadsafe(call)
        until(lambda: wire.sent)
        assert wire.sent.startswith(b"HTTP/1.1 408")
        assert ask(address, b"GET /x HT", ends=False)[0][0] == 408
        until(lambda: wire.aborted)
        front.loop.call_soon_threadsafe(connection.connection_lost, None)


def test_who_still_reads_its_last_answer_is_not_hurried():
    """The moment in which a client may hang up begins when all is sent."""
    front, wire = Front(echoing, None, MOST, PATIENT), Wire(unsent=1)
    connection = Connection(front)
    connection.connection_made(wire)
    connection.refuse(RequestError(400, "no"))
    assert connection.awaits is Awaited.READER
    wire.unsent = 0

    assert connection.awaits is Awaited.END


def test_a_mistake_of_ours_is_not_said_to_be_the_clients(capfd):
    """It is in the log, and its connection ends."""

    class Broken(Front):
        def hold(self, request, size):
            raise LookupError("ours")

    wire = Wire()
    connection = Connection(Broken(echoing, None, MOST, PATIENT))
    connection.connection_made(wire)
    connection.data_received(POST + b"Content-Length: 2\r\n\r\n")

    assert wire.aborted
    assert wire.sent == b""
    assert "LookupError: ours" in capfd.readouterr().err


def test_the_time_for_a_body_begins_when_its_head_is_there():
    """However long the head took."""
    connection = Connection(Front(echoing, None, MOST, PATIENT))
    connection.connection_made(Wire())
    connection.data_received(POST)
    begun = connection.since
    connection.data_received(b"Content-Length: 2\r\n\r\n")

    assert connection.awaits is Awaited.BODY
    assert connection.since > begun


def test_large_bodies_are_not_held_without_end():
    """Memory is not a client's to fill: said lengths count, and what comes in chunks; until they go."""
    size = MOST - 1
    head = POST + b"Content-Length: %d\r\n\r\n" % size
    with listening() as (address, front):
        held = [socket.create_connection(address, timeout=20) for _ in range(AT_ONCE)]
        for each in held:
            each.sendall(head)
        until(lambda: front._held == AT_ONCE * size)
        chunk = b"%x\r\n" % (LARGEST + 1) + b"x" * (LARGEST + 1) + b"\r\n"
        for sent in (head, POST + b"Transfer-Encoding: chunked\r\n\r\n" + chunk):
            ((status, headers, _),) = ask(address, sent)
            assert status == 503
            assert headers["connection"] == "close"
        assert ask(address, POST + b"Content-Length: 2\r\n\r\nab")[0][0] == OK
        held[0].sendall(b"x" * size)
        assert held[0].recv(100).startswith(b"HTTP/1.1 200")
        for each in held:
            each.close()
        until(lambda: not front._connections)

        assert front._held == 0


def test_of_too_many_connections_the_idle_go_first():
    """Who is in the middle of something stays."""
    with listening(connections=3) as (address, front):
        busy = [socket.create_connection(address, timeout=20) for _ in range(2)]
        for each in busy:
            each.sendall(b"GET /x HT")
        idle = socket.create_connection(address, timeout=20)
        idle.sendall(GET)
        assert idle.recv(100)
        until(lambda: len(front._connections) == 3)
        third = socket.create_connection(address, timeout=20)
        third.sendall(b"GET /x HT")
        while idle.recv(1000):
            pass
        assert ask(address, b"", ends=False)[0][0] == 503
        for each in (*busy, third):
            each.sendall(GET.removeprefix(b"GET /x HT"))
            assert each.recv(100).startswith(b"HTTP/1.1 200")
            each.close()
        idle.close()


@pytest.mark.parametrize("slow", [b"GET /x HT", POST + b"Content-Length: 2\r\n\r\na"])
def test_if_none_is_idle_the_slowest_makes_room(slow):
    """Else a few who send a byte now and then would be all the connections there may be."""
    front = Front(echoing, None, MOST, PATIENT, connections=2)
    clients = [Connection(front) for _ in range(3)]
    for client, age in zip(clients, (2, 3, 0), strict=True):
        client.connection_made(Wire())
        client.data_received(slow)
        client.since -= age

    assert [client.transport.aborted for client in clients] == [False, True, False]
    assert clients[2].transport.sent == b""


def test_at_the_end_what_is_under_way_is_finished():
    """Each connection closes behind its answer, the idle at once."""
    with listening() as (address, front):
        idle, slow = (socket.create_connection(address, timeout=20) for _ in range(2))
        idle.sendall(GET)
        idle.recv(1000)
        slow.sendall(b"POST /slow HTTP/1.1\r\n" + HOST + b"Content-Length: 2\r\n\r\na")
        until(lambda: len(front._connections) == 2)
        front.stop()
        assert idle.recv(1000) == b""
        slow.sendall(b"b")
        ((status, headers, _),) = answers(b"".join(iter(partial(slow.recv, 2**16), b"")))
        idle.close()
        slow.close()

    assert (status, headers["connection"]) == (OK, "close")


def test_an_iterable_is_closed_when_it_is_read():
    """As WSGI asks."""
    closed = []

    class Body:
        def __iter__(self):
            yield b"a"

        def close(self):
            closed.append(True)

    def app(environ, start):
        start("200 OK", [])
        return Body()

    with listening(app) as (address, _):
        assert ask(address, GET)[0][2] == b"a"
    assert closed


def gone(client):
    """Whether the server hung up without an answer."""
    try:
        return client.recv(1) == b""
    except ConnectionError:
        return True


def until(condition, seconds=20):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
