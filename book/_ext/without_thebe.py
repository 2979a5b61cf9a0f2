"""Take Jupyter Book's live-code hooks (Thebe) out of the pages.

There is no server for them to talk to, their configuration is written into every page twice, which
is an error in the browser, and it names a script on another host. Jupyter Book loads the extension
without asking, so its hooks are removed here, all but the one that adds its folder of static files.
"""


def setup(app):
    """Disconnect every handler of sphinx_thebe."""
    for event, listeners in app.events.listeners.items():
        for listener in list(listeners):
            if (
                listener.handler.__module__ == "sphinx_thebe"
                and event != "builder-inited"
            ):
                app.disconnect(listener.id)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
