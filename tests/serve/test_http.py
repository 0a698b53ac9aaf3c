"""Raw bytes in, answers out: what clients send over a connection, read in one way or refused."""

import json
import re
import resource
import select
import socket
import threading
from functools import partial

import pytest

from tests.serve.test_process import scorer

pytestmark = pytest.mark.slow

HOST = b"Host: a\r\n"
GET = b"GET /health HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /score HTTP/1.1\r\n" + HOST
#: Ends each table's bytes: the connection closes behind its answer, if it got so far.
LAST = b"GET /health HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
#: The body `{}` was read, and lacks every field.
READ = 422
LARGEST = 300_000


@pytest.fixture(scope="module")
def running(root, bundles, tmp_path_factory):
    """A scorer of one worker with short time-outs: (host, port)."""
    from tests.serve.conftest import Store

    folder = tmp_path_factory.mktemp("http")
    store = Store(folder / "store")
    store.serve(bundles[0])
    words = ("--body-timeout", "1", "--keep-alive", "5", "--largest-body", str(LARGEST))
    with scorer(root, store.folder, folder / "journal", folder, *words) as (_, address):
        host, _, port = address.partition(":")
        yield host, int(port)


def received(client):
    """Everything until the server hangs up."""
    found = b""
    try:
        while got := client.recv(2**20):
            found += got
    except ConnectionResetError:
        pass
    return found


def ask(address, *parts):
    """Send *parts*; everything that comes until the server hangs up."""
    with socket.create_connection(address, timeout=30) as client:
        for part in parts:
            try:
                client.sendall(part)
            except OSError:
                break  # it has hung up, and its answer can still be read
        return received(client)


def statuses(content):
    return [int(found) for found in re.findall(rb"HTTP/1\.[01] (\d{3}) ", content)]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (GET, [200, 200]),
        (b"\r\n" + GET, [200, 200]),
        (GET * 3, [200] * 4),
        # A line may end with a bare LF (RFC 9112, 2.2).
        (GET.replace(b"\r\n", b"\n"), [200, 200]),
        (GET[:-2] + b"Connection: close\r\n\r\n" + GET, [200]),
        (b"GET /health HTTP/1.0\r\n\r\n" + GET, [200]),
        (b"GET /ready HTTP/1.1\r\n\r\n", [400]),
        (b"GET /ready HTTP/1.1\r\n" + HOST + HOST + b"\r\n", [400]),
        (b"GET /health HTTP/2.0\r\n" + HOST + b"\r\n", [400]),
        (b"GET /health HTTP/1.1 \r\n" + HOST + b"\r\n", [400]),
        (b"GET health HTTP/1.1\r\n" + HOST + b"\r\n", [400]),
        (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", [400]),
        (b"NONSENSE /score HTTP/1.1\r\n" + HOST + b"\r\n", [405, 200]),
        (b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n", [400]),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", [400]),
        (GET[:-2] + b" folded: 1\r\n\r\n", [400]),
        (GET[:-2] + b"odd : 1\r\n\r\n", [400]),
        (GET[:-2] + b"o\0d: 1\r\n\r\n", [400]),
        (GET + b"rubbish\r\n\r\n", [200, 400]),
        (b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n", [404, 200]),
        (b"GET http://a/health HTTP/1.1\r\n" + HOST + b"\r\n", [200, 200]),
        (GET[:-2] + b"Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + GET, [200] * 3),
        # How long a body is can be said in one way only.
        (POST + b"Content-Length: 2\r\n\r\n{}" + GET, [READ, 200, 200]),
        (POST + b"Content-Length: 2\r\nContent-Length: 2\r\n\r\n{}", [READ, 200]),
        (POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}1", [400]),
        (POST + b"Content-Length: 2, 2\r\n\r\n{}", [400]),
        (POST + b"Content-Length: +2\r\n\r\n{}", [400]),
        (POST + b"Content-Length: -2\r\n\r\n{}", [400]),
        (POST + b"Content-Length: 0x2\r\n\r\n{}", [400]),
        (POST + b"Content-Length: 99999999999999999999\r\n\r\n{}", [400]),
        # The chunks count, and the connection is closed behind them (RFC 9112, 6.1 and 6.3).
        (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", [READ]),
        (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n2\r\n{}\r\n0\r\n\r\n", [READ]),
        (POST + b"Transfer-Encoding: gzip\r\n\r\n{}", [400]),
        (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", [501]),
        (POST + b"Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n", [400]),
        (POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", [400]),
        (b"POST /score HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", [400]),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n" + GET, [READ, 200, 200]),
        (CHUNKED + b"1\r\n{\r\n1\r\n}\r\n0\r\n\r\n" + GET, [READ, 200, 200]),
        (CHUNKED + b"2;a=b\r\n{}\r\n0\r\n\r\n", [READ, 200]),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: y\r\n\r\n", [400]),
        (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", [400]),
        (CHUNKED + b"2\r\n{} \r\n0\r\n\r\n", [400]),
        (CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n", [400]),
        (POST + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}", [100, READ, 200]),
        # As much as is taken, and no more.
        (POST + b"Content-Length: %d\r\n\r\n{}" % (LARGEST + 1), [413]),
        (GET[:-2] + b"X: " + b"x" * 100_000 + b"\r\n\r\n", [431]),
        (b"GET /" + b"x" * 100_000 + GET[4:], [431]),
        (GET[:-2] + b"X: " + b"x" * 20_000 + b"\r\n\r\n", [200, 200]),
        (GET[:-2] + b"X:\r\n" * 90 + b"\r\n", [200, 200]),
        (GET[:-2] + b"X:\r\n" * 200 + b"\r\n", [431]),
        (CHUNKED + b"2\r\n{}\r\n0\r\nX: " + b"x" * 400_000, [400]),
        (CHUNKED + b"2;" + b"x" * 400_000, [400]),
    ],
    ids=lambda value: None if isinstance(value, list) else repr(value[:90]),
)
@pytest.mark.parametrize("pieces", [False, True], ids=["at once", "in pieces"])
def test_what_is_sent_is_answered_so(running, sent, expected, pieces):
    """Whichever way the bytes come. Behind an error nothing more is read."""
    size = max(7, len(sent) // 40) if pieces else len(sent)
    parts = [sent[place : place + size] for place in range(0, len(sent), size)]

    assert statuses(ask(running, *parts, LAST)) == expected


def test_nothing_but_http_1_is_spoken(running):
    """The preface of HTTP/2, with prior knowledge."""
    assert statuses(ask(running, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + LAST)) in ([], [400])


@pytest.mark.parametrize("way", ["at once", "two packets", "chunked", "kept alive"])
def test_an_upgrade_that_is_not_made_loses_no_body(running, way):
    """As Java's HttpClient and curl --http2 ask for h2c with every request (RFC 9110, 7.8)."""
    asks = POST + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAAAAIA\r\n"
    plain = asks + b"Content-Length: 2\r\n\r\n"
    parts = {
        "at once": [plain + b"{}"],
        "two packets": [plain, b"{}"],
        "chunked": [asks + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"],
        "kept alive": [GET, plain + b"{}", plain + b"{}"],
    }[way]
    expected = {"kept alive": [200, READ, READ, 200]}.get(way, [READ, 200])

    assert statuses(ask(running, *parts, LAST)) == expected


def test_answers_come_in_the_order_of_the_requests(running, row):
    """Those of the event loop among those of threads, a thousand and more ahead of their answers."""
    body = json.dumps(row).encode()
    quick = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    slow = b"GET /ready HTTP/1.1\r\n" + HOST + b"\r\n"
    wrong = POST + b"Content-Length: 2\r\n\r\n{}"
    found = ask(running, slow + quick + wrong + GET * 1100 + quick + LAST)

    assert statuses(found) == [200, 200, READ, *[200] * 1100, 200, 200]


def test_a_head_is_answered_without_a_body(running):
    """But with its length."""
    for path in (b"/health", b"/ready", b"/openapi.json"):
        got = ask(running, LAST.replace(b"GET /health", b"GET " + path))
        head = ask(running, LAST.replace(b"GET /health", b"HEAD " + path))
        length = re.search(rb"content-length: (\d+)", head)

        assert head.endswith(b"\r\n\r\n")
        if path != b"/ready":  # says how many bytes the journal has
            assert int(length[1]) == len(got.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_long_is_not_kept_and_its_client_reads_why(running, chunked):
    """Said by its length, or found out; a client that still sends is listened to for a while."""
    body = b"x" * (3 * LARGEST)
    sent = CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
    if not chunked:
        sent = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    found = ask(running, sent + LAST)

    assert statuses(found)[0] == 413
    assert b'"error":"the body is larger than 300,000 bytes"' in found


def test_no_client_is_waited_for_without_end(running):
    """A head, a body, the next request; who is in the middle of a body reads why."""
    assert ask(running, b"") == b""
    assert ask(running, b"GET /hea") == b""
    assert statuses(ask(running, GET)) == [200]
    for begun in (POST + b"Content-Length: 5\r\n\r\n{", CHUNKED + b"5\r\n{"):
        found = ask(running, begun)
        assert statuses(found) == [408]
        assert b'"error":"the body did not arrive within 1 s"' in found
        assert b"connection: close" in found


def test_slow_clients_hold_up_nobody(running, row):
    """Heads and bodies that do not come, and answers that are not read, many times more than threads."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    number = min(300, (hard - 200) // 3)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 3 * number + 200), hard))
    body = json.dumps([row] * 500).encode()
    unread = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    begun = (b"GET /hea", POST + b"Content-Length: 5\r\n\r\n{", (GET[:-2] + b"\r\n") * 200)
    slow = []
    try:
        for sent in (*begun, unread):
            for _ in range(number if sent is not unread else 20):
                client = socket.create_connection(running, timeout=30)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.sendall(sent)
                slow.append(client)
        one = json.dumps(row).encode()
        good = POST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(one) + one
        for _ in range(20):
            assert statuses(ask(running, good)) == [200]
            assert statuses(ask(running, LAST)) == [200]
    finally:
        for client in slow:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_health_waits_for_no_thread(running, row):
    """Threads that are all busy with what is expensive are no reason to restart the process."""
    body = json.dumps([row] * 1_500).encode()
    sent = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    clients = [socket.create_connection(running, timeout=60) for _ in range(8)]
    for client in clients:
        client.sendall(sent)
    assert statuses(ask(running, LAST)) == [200]
    for client in clients:
        assert statuses(client.recv(1000))
        client.close()


def test_a_large_answer_that_is_not_read_is_given_up(root, store, bundles, row, tmp_path):
    """It would stay in memory; its place is free again for others, who read."""
    store.serve(bundles[0])
    body = json.dumps([row] * 9_000).encode()
    sent = POST + b"Content-Length: %d\r\n\r\n" % len(body) + body
    words = ("--body-timeout", "1", "--most-rows", "9000")
    with scorer(root, store.folder, tmp_path / "journal", tmp_path, *words) as (_, address):
        host, _, port = address.partition(":")
        unread = socket.socket()
        unread.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        unread.connect((host, int(port)))
        unread.settimeout(60)
        with unread:
            unread.sendall(sent)
            assert unread.recv(1, socket.MSG_PEEK)
            looks = select.poll()
            looks.register(unread, select.POLLHUP | select.POLLERR)
            assert looks.poll(60_000), "it is still sent"
        found = ask((host, int(port)), sent + LAST)
        assert statuses(found) == [200, 200]


def test_names_that_could_be_taken_for_others_do_not_reach_the_application(running):
    """WSGI has one name for a-b and a_b: only the first is one that a proxy knows."""
    trace = b"00-" + b"a" * 32 + b"-" + b"b" * 16 + b"-01"
    head = LAST[:-2].replace(b"/health", b"/ready")

    assert b"traceparent: " + trace in ask(running, head + b"traceparent: " + trace + b"\r\n\r\n")
    assert b"traceparent" not in ask(running, head + b"HTTP_traceparent: " + trace + b"\r\n\r\n")


def test_requests_of_one_turn_are_each_answered_their_own(running, row, root):
    """Good and bad ones from many connections at once."""
    failed = []

    def client(number):
        for n in range(30):
            id_ = f"{number}-{n}"
            wrong = (number + n) % 3 == 0
            body = json.dumps({} if wrong else row | {"id": id_}).encode()
            found = ask(running, POST + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
            if statuses(found) != ([READ] if wrong else [200]) or (not wrong and id_.encode() not in found):
                failed.append(found)

    threads = [threading.Thread(target=partial(client, number)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []


def test_an_answer_that_cannot_be_kept_is_refused_and_counted_under_its_route(root, store, bundles, row, tmp_path):
    """Its row fits, so the event loop answers, and no view counts."""
    store.serve(bundles[0])
    journal = tmp_path / "journal"
    words = ("--journal-policy", "refuse")
    with scorer(root, store.folder, journal, tmp_path, *words) as (_, address):
        host, _, port = address.partition(":")
        journal.rename(tmp_path / "moved")
        journal.write_text("no folder")
        body = json.dumps(row).encode()
        head = b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body)
        found = ask((host, int(port)), POST + head + body)
        counted = ask((host, int(port)), LAST.replace(b"/health", b"/metrics"))

    assert statuses(found) == [503]
    assert b"retry-after: 1\r\n" in found
    assert b'tidegate_requests_total{route="/score",status="503"} 1.0' in counted
