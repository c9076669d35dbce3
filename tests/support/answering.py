"""A server that gives the answers it is told, whatever is asked, and remembers the requests."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def answering(status=200, body="{}", content_type="application/json", location=None):
    """Yields the server's address and its requests: paths with the Authorization header."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        wbufsize = -1  # an answer in one piece

        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            data = body.encode()
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
            if location:
                self.send_header("Location", location)
            self.end_headers()
            self.wfile.write(data)

        def do_HEAD(self):
            seen.append((self.path, self.headers.get("Authorization")))
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", seen
    finally:
        server.shutdown()
        server.server_close()
