"""mail-sink: the providers' receiving end on this machine, mail by SMTP and webhooks by HTTP."""

from lakeproof.stack.component import Component, Scrape
from lakeproof.stack.python_module import answers_ok, run_module

NAME = "mail-sink"


COMPONENTS = (
    Component(
        name=NAME,
        kind="service",
        command=run_module("lakeproof_shop.services.mail_sink.app"),
        ready=answers_ok(
            NAME,
            "GET /health: it greets by SMTP, and its disk takes what is sent. Raises: NotReady with what it says.",
        ),
        scrapes=(Scrape("http"),),
        start_seconds=30.0,
        stop_seconds=12.0,
        in_plain_up=False,
        summary="takes mail and webhooks, delivers nothing",
    ),
)
