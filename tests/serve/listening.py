"""A server that answers in a thread while a test asks it."""

import threading
from contextlib import contextmanager


@contextmanager
def listening(server):
    """The address of *server* while it answers."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
