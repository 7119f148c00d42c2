"""`lakeproof traffic`: shoppers through the shop's HTTP API, each call written into the ledger."""

import signal
from typing import TYPE_CHECKING, Annotated

import typer

from lakeproof.cli.output import print_json, say
from lakeproof.stack.stack import load_stack

if TYPE_CHECKING:
    from lakeproof_shop.customers.shoppers import Counts, TrafficReport


def traffic(
    rate: Annotated[
        float, typer.Option(min=0.1, max=5000, help="Calls per second, sent when due, whatever the answers.")
    ] = 50,
    seconds: Annotated[float, typer.Option(min=0.1, max=86_400, help="How long to send.")] = 60,
    seed: Annotated[
        int, typer.Option(min=0, max=2**31 - 1, help="The same seed gives the same calls in the same order.")
    ] = 1,
    purchases: Annotated[
        float,
        typer.Option(min=0, max=1000, help="Purchases per second at the checkout, beside the calls of --rate."),
    ] = 0,
    run: Annotated[str | None, typer.Option(help="Name of the run and its ledger; default: time and seed.")] = None,
    base_url: Annotated[str | None, typer.Option(help="Of an order service; default: the stack's.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON on stdout.")] = False,
) -> None:
    """Let shoppers create, pay, change, cancel and delete orders; each call goes into the ledger.

    With --purchases, buyers also buy at the checkout, which needs all services (lakeproof up --all): each purchase is
    one call, and its order is in the ledger as paid, or as cancelled where it was turned back. Some of them browse,
    cancel or return what they bought, complain, opt out of messages and back in: each is one call as well.

    A call counts as acknowledged only when its line is on the disk. Calls without a clear answer are repeated under
    their own key until their outcome is known, at most 60 s after the last one was sent.

    Ctrl-C stops sending and settles; a second one does not wait for that.

    Exit 0 where a call was acknowledged; 1 where none was, where an answer was not what was asked for (the report
    says which), or where no healthy shop answers at the start: then nothing is sent or written.
    """
    from lakeproof_shop.customers.shoppers.door import require_open
    from lakeproof_shop.customers.shoppers.traffic import of_stack, serve_in_new_loop

    stack = load_stack()
    shoppers = of_stack(stack, rate, seed, run, base_url, purchases)
    require_open(base_url if base_url is not None else stack.url("order-service"))
    before = signal.signal(signal.SIGINT, lambda *_: shoppers.stop())
    say(f"run {shoppers.run}: {rate:g} calls/s for {seconds:g} s, seed {seed}")
    try:
        report = serve_in_new_loop(shoppers, seconds, _show)
    finally:
        signal.signal(signal.SIGINT, before)
    if as_json:
        print_json(report.to_json())
    else:
        _print(report)
    if report.counts.acknowledged == 0 or report.counts.mismatched:
        raise typer.Exit(1)


def _show(counts: "Counts", seconds: float) -> None:
    say(
        f"{seconds:6.1f} s  asked {counts.asked}  sent {counts.sent}  acknowledged {counts.acknowledged}"
        f"  refused {counts.refused}  unclear {counts.unclear}  settled {counts.settled}"
    )


def _print(report: "TrafficReport") -> None:
    counts = report.counts
    print(f"run {report.run}, ledger {report.ledger}")
    print(
        f"asked {counts.asked}, sent {counts.sent}, acknowledged {counts.acknowledged}"
        f" ({report.acknowledged_per_second:g}/s), refused {counts.refused}, unclear {counts.unclear},"
        f" settled {counts.settled}, still open {counts.open_calls}"
    )
    print(
        f"orders {counts.orders} (bought at the checkout {counts.bought}), updates {counts.updates},"
        f" deletes {counts.deletes}, mismatched {counts.mismatched}"
    )
    if counts.bought:
        print(
            f"cancelled {counts.cancelled}, returned {counts.returned}, complaints {counts.complaints} (with a file"
            f" {counts.attachments}), opted out {counts.opt_outs}, back in {counts.opt_ins}, browsed {counts.browsed}"
            f" (unanswered {counts.unread})"
        )
        print(f"purchase ms {_spread(report.purchase_ms)}")
    print(f"call ms {_spread(report.call_ms)}; the loop's own lateness ms {_spread(report.lateness_ms)}")
    for reason, count in list(report.refusals.items())[:5]:
        print(f"refused {count}: {reason}")
    for reason, count in list(report.declined.items())[:5]:
        print(f"not paid {count}: {reason}")
    for words in report.mismatches:
        print(f"not what was asked for: {words}")


def _spread(percentiles: dict[str, float]) -> str:
    return " ".join(f"{name} {value:g}" for name, value in percentiles.items()) or "-"
