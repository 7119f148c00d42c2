"""Order, payment and fulfillment services with one answer each: `python -m benchmarks.timeline_sources PORT`.

They give 19 entries for every order; with the case's own entry a timeline has 20. They answer at once, so that the
support service's own work on a timeline is measured.
"""

import sys

import orjson
from aiohttp import web

AT = "2026-11-24T12:00:{:02d}.000000Z"
PARCELS, CHANGES = 3, ("requested", "held", "label_pending", "label_ready", "shipped")


def answers(order_id: int) -> dict[str, bytes]:
    """The body of each answer, by the first part of its path."""
    amounts = {"total": "15.30", "item_count": 2}
    order = {"id": order_id, "status": "paid", "version": 2, "created_at": AT.format(0), "updated_at": AT.format(1)}
    money = {"amount": "15.30", "captured": "15.30", "refunded": "0.00"}
    payment = {"id": 5, "status": "captured", "version": 2, "created_at": AT.format(2), "updated_at": AT.format(3)}
    parcels = [
        {
            "id": number,
            "tracking": f"LP{number:019d}",
            "hold_until": None,
            "events": [
                {"version": version, "type": change, "at": AT.format(10 * number + version)}
                for version, change in enumerate(CHANGES, start=1)
            ],
        }
        for number in range(1, PARCELS + 1)
    ]
    return {
        "orders": orjson.dumps(order | amounts),
        "payments": orjson.dumps({"payments": [payment | money]}),
        "fulfillments": orjson.dumps({"fulfillments": parcels}),
        "health": b"{}",
    }


def main() -> None:
    """Serve until SIGTERM."""
    given = answers(17)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=given[request.path.split("/")[1]], content_type="application/json")

    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[-1]), access_log=None, print=None)


if __name__ == "__main__":
    main()
