"""What every service of the shop has beside its own routes: gate, health, metrics, refusals, a graceful end."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import uvicorn
from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from prometheus_client import disable_created_metrics, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route

from lakeproof import __version__
from lakeproof.metrics import RequestMetrics
from lakeproof.stack.settings import ShopSettings
from lakeproof.stack.stack import Stack, load_stack
from lakeproof_shop.serving.bounded_connection import BoundedConnection
from lakeproof_shop.serving.crash import RequestCrash, warn_of_crash
from lakeproof_shop.serving.gate import Gate, RouteLimit
from lakeproof_shop.serving.health import Health, HealthQuestion, Question
from lakeproof_shop.serving.refusal import Refusal, json_response
from lakeproof_shop.serving.traces import log_as_json

_KEY_HEADER = ("header", "idempotency-key")
SHUTDOWN_SECONDS = 6  # for requests under way; the pool closes afterwards, both within the component's stop_seconds

# A block around a service's life: opens what the service needs, gives the dependencies' health questions by name, and
# closes at the end.
Opened = AbstractAsyncContextManager[Mapping[str, Question]]


class DependencyBody(BaseModel):
    """One dependency."""

    status: Health
    seconds: float
    problem: str


class HealthBody(BaseModel):
    """The service's health and that of each dependency."""

    status: Health
    dependencies: dict[str, DependencyBody]


def create_service(
    title: str,
    settings: ShopSettings,
    metrics: RequestMetrics,
    router: APIRouter,
    opened: Callable[[FastAPI], Opened],
    *,
    works_without: frozenset[str] = frozenset(),
    route_limits: tuple[RouteLimit, ...] = (),
) -> FastAPI:
    """The service's app. It starts also where a dependency is away, and /health then says so.

    opened: puts what the routes need into `app.state`.
    works_without: dependencies whose trouble /health reports, and which do not make the service unhealthy.
    route_limits: routes whose bodies may be larger or smaller than the settings say.
    """

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        warn_of_crash("shop.crash_at", settings.crash_at)
        async with opened(app) as questions:
            app.state.health = HealthQuestion(questions, works_without=works_without)
            first_look = asyncio.create_task(app.state.health.ask())  # so that "starting" ends though nobody asks
            yield
            first_look.cancel()

    app = FastAPI(title=f"Lakeproof {title}", version=__version__, lifespan=lifespan)
    app.include_router(router)
    app.add_middleware(
        Gate,
        metrics=metrics,
        max_body_bytes=settings.max_body_bytes,
        body_seconds=settings.request_seconds,
        max_under_way=20 * settings.pool_size,
        route_limits=route_limits,
        crash=RequestCrash.named(settings.crash_at),
    )
    operation = _operation(metrics)
    app.include_router(operation)
    _refuse_alike(app, [*router.routes, *operation.routes])
    return app


def _operation(metrics: RequestMetrics) -> APIRouter:
    router = APIRouter(tags=["operation"])

    @router.get("/health", response_model=HealthBody, responses={503: {"model": HealthBody}})
    async def health(request: Request) -> Response:
        """200 when healthy, else 503; answers within about a second whatever the dependencies do."""
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

    @router.get("/metrics", response_class=Response)
    async def read_metrics() -> Response:
        """For Prometheus."""
        return Response(generate_latest(metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router


def _refuse_alike(app: FastAPI, routes: Sequence[BaseRoute]) -> None:
    """Give every refusal, also those of the framework, the shape of refusal.py."""

    @app.exception_handler(Refusal)
    async def refuse(_: Request, error: Exception) -> Response:
        assert isinstance(error, Refusal)
        return error.to_response()

    @app.exception_handler(RequestValidationError)
    async def refuse_invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return _invalid(error).to_response()

    @app.exception_handler(HTTPException)
    async def refuse_otherwise(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = {404: "no_such_path", 405: "method_not_allowed"}.get(error.status_code, "refused")
        headers = {"allow": _methods_of(request, routes)} if error.status_code == 405 else error.headers
        return Refusal(error.status_code, code, str(error.detail), headers=headers).to_response()


def _methods_of(request: Request, routes: Sequence[BaseRoute]) -> str:
    """All methods of the request's path; the framework names only those of the first route that matches."""
    matching = [
        route for route in routes if isinstance(route, Route) and route.matches(request.scope)[0] != Match.NONE
    ]
    return ", ".join(sorted({method for route in matching for method in route.methods or ()}))


def _invalid(error: RequestValidationError) -> Refusal:
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return Refusal(400, "not_json", f"the body is not JSON: {problems[0]['ctx']['error']}")
    if any((problem["type"], problem["loc"]) == ("missing", _KEY_HEADER) for problem in problems):
        return Refusal(428, "precondition_required", "give Idempotency-Key, so that a retry is safe")
    fields = tuple(
        (".".join(str(part) for part in problem["loc"] if part != "body") or "body", problem["msg"])
        for problem in problems[:20]
    )
    return Refusal(422, "invalid", f"{fields[0][0]}: {fields[0][1]}", fields=fields)


def serve(name: str, create: Callable[[Stack], FastAPI], port: int | None = None) -> None:
    """Serve component `name` until SIGTERM; requests under way end first, then what the service opened is closed.

    port: instead of the component's own, for a second service beside the stack's; it listens on loopback alone.
    """
    log_as_json(os.environ.get("LOG_LEVEL", "INFO"))
    disable_created_metrics()  # type: ignore[no-untyped-call]
    stack = load_stack()
    uvicorn.run(
        create(stack),
        http=BoundedConnection,
        host=stack.settings.host if port is None else "127.0.0.1",
        port=port or stack.port(name),
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=30,
        backlog=1024,
    )
