"""How tests open a page of the built book in a browser, and what they hold against it when they close it."""

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PHONE, DESKTOP = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@contextmanager
def served(folder):
    """Serve a folder on this machine and yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def opened(browser, address, viewport=DESKTOP, **settings):
    """Yield the page at `address`; afterwards no error may have been logged and no other host asked for anything."""
    context = browser.new_context(viewport=viewport, **settings)
    page = context.new_page()
    complaints = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    def fetch(route):
        asked = urlsplit(route.request.url)
        if asked.netloc in ("", urlsplit(address).netloc):
            route.continue_()
        else:
            complaints.append(f"asked {route.request.url}")
            route.abort()

    context.route("**/*", fetch)
    page.goto(address)
    try:
        yield page
        assert not complaints, "\n".join(complaints)
    finally:
        context.close()
