"""The order service as a process: `python -m lakeproof.shop.order.app`."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from lakeproof import __version__
from lakeproof.deadline import Deadline
from lakeproof.shop.connections import (
    Connection,
    ConnectionPool,
    DatabaseDown,
    DatabaseRefused,
    TooBusy,
    connector,
    execute,
)
from lakeproof.shop.gate import Gate
from lakeproof.shop.health import Health, HealthQuestion
from lakeproof.shop.order.api import OrderApi, router
from lakeproof.shop.order.metrics import OrderMetrics
from lakeproof.shop.order.store import OrderStore
from lakeproof.shop.refusal import Refusal, json_response
from lakeproof.shop.traces import log_as_json
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack, load_stack

SHUTDOWN_SECONDS = 6  # for requests under way; the pool's close comes after, both within the component's stop_seconds


@dataclass(frozen=True)
class Database:
    """Opens connections; what the app needs of the database."""

    connect: Callable[[], Awaitable[Connection]]


class DependencyBody(BaseModel):
    """One dependency."""

    status: Health
    seconds: float
    problem: str


class HealthBody(BaseModel):
    """The service's health and that of each dependency."""

    status: Health
    dependencies: dict[str, DependencyBody]


def database_of(stack: Stack) -> Database:
    """The stack's order database, for the service's own user."""
    host, port = stack.host_port("mysql")
    return Database(
        connector(
            host,
            port,
            "order_service",
            stack.secret("mysql-order-service"),
            "oltp",
            connect_seconds=2.0,
            statement_seconds=stack.settings.shop.request_seconds,
        )
    )


def create_app(settings: ShopSettings, database: Database) -> FastAPI:
    """The service; its pool opens with the first request, so it starts also without a database (and says so)."""
    metrics = OrderMetrics()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = ConnectionPool(database.connect, settings.pool_size, wait_seconds=min(2.0, settings.request_seconds))
        own = ConnectionPool(database.connect, 1, wait_seconds=1.0, connect_seconds=1.0)  # a full pool is not ill
        metrics.watch(pool)
        app.state.orders = OrderApi(OrderStore(pool, metrics), settings.request_seconds)
        app.state.health = HealthQuestion({"mysql": lambda: _ask_database(own)})
        first_look = asyncio.create_task(app.state.health.ask())  # "starting" ends though nobody asks
        yield
        first_look.cancel()
        await asyncio.gather(pool.close(), own.close())

    app = FastAPI(title="Lakeproof order service", version=__version__, lifespan=lifespan)
    app.include_router(router)
    app.add_middleware(
        Gate,
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
        body_seconds=settings.request_seconds,
        max_under_way=20 * settings.pool_size,
    )

    @app.get("/health", response_model=HealthBody, responses={503: {"model": HealthBody}}, tags=["operation"])
    async def health(request: Request) -> Response:
        """200 when healthy, else 503; answers within about a second whatever the database does."""
        word, found = await request.app.state.health.ask()
        body = {
            "status": word.value,
            "dependencies": {
                name: {
                    "status": (Health.UNHEALTHY if one.problem else Health.HEALTHY).value,
                    "seconds": one.seconds,
                    "problem": one.problem,
                }
                for name, one in found.items()
            },
        }
        return json_response(body, 200 if word is Health.HEALTHY else 503)

    @app.get("/metrics", tags=["operation"], response_class=Response)
    async def read_metrics() -> Response:
        """For Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    @app.exception_handler(Refusal)
    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return error.to_response()

    @app.exception_handler(RequestValidationError)
    async def refuse_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(error).to_response()

    @app.exception_handler(HTTPException)
    async def refuse_otherwise(_: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = {404: "no_such_path", 405: "method_not_allowed"}.get(error.status_code, "refused")
        return Refusal(error.status_code, code, str(error.detail), headers=error.headers).to_response()

    return app


def _invalid(error: RequestValidationError) -> Refusal:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return Refusal(400, "not_json", f"the body is not JSON: {problems[0]['ctx']['error']}")
    fields = tuple(
        (".".join(str(part) for part in problem["loc"] if part != "body") or "body", problem["msg"])
        for problem in problems[:20]
    )
    return Refusal(422, "invalid", f"{fields[0][0]}: {fields[0][1]}", fields=fields)


async def _ask_database(pool: ConnectionPool) -> str:
    """A real question: the tables are there, may be read, and the server takes writes."""
    try:
        async with pool.connection(Deadline(1.0)) as connection:
            read_only, _ = await execute(connection, "SELECT @@global.read_only; SELECT id FROM orders LIMIT 1")
            return "the database is read-only" if read_only[0][0] else ""
    except (DatabaseDown, DatabaseRefused, TooBusy) as error:
        return str(error)


def main() -> None:
    """Serve until SIGTERM; requests under way end first, then the pool closes."""
    log_as_json(os.environ.get("LOG_LEVEL", "INFO"))
    disable_created_metrics()  # type: ignore[no-untyped-call]
    stack = load_stack()
    host, port = stack.settings.host, stack.port("order-service")
    uvicorn.run(
        create_app(stack.settings.shop, database_of(stack)),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=30,
        backlog=1024,
    )


if __name__ == "__main__":
    main()
