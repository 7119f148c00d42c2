"""What shoppers will do is decided by rate and seed alone."""

from collections import Counter
from itertools import islice

from lakeproof.stack.settings import NotificationSettings
from lakeproof_shop.customers.shoppers.plan import REST_SECONDS, plan
from lakeproof_shop.services.order.models import Op, Status


def test_the_same_seed_plans_the_same_visits() -> None:
    assert list(plan(200, 7, 5)) == list(plan(200, 7, 5))


def test_another_seed_plans_others() -> None:
    assert list(plan(200, 7, 5)) != list(plan(200, 8, 5))


def test_the_stream_has_the_rate_and_ends_in_time() -> None:
    visits = list(plan(500, 1, 20))
    assert 9_500 < len(visits) < 10_500
    assert visits[-1].at_seconds < 20


def test_updates_are_a_fifth_and_deletes_a_twentieth() -> None:
    visits = list(plan(100, 1, 60))
    share = {op: sum(1 for visit in visits if visit.op is op) / len(visits) for op in Op}
    assert share[Op.PAY] + share[Op.CHANGE] + share[Op.CANCEL] >= 0.2
    assert share[Op.DELETE] >= 0.05


def test_every_visit_is_allowed_by_those_before_it_and_comes_after_a_rest() -> None:
    status: dict[int, Status | None] = {}
    last: dict[int, float] = {}
    for visit in islice(plan(300, 3), 20_000):
        before = status.get(visit.number)
        if visit.op is Op.CREATE:
            assert visit.number == len(status) + 1
            status[visit.number] = Status.CREATED
        else:
            assert before is not None and before in visit.op.allowed_from
            assert visit.at_seconds - last[visit.number] >= REST_SECONDS
            status[visit.number] = None if visit.op is Op.DELETE else visit.op.status_after(before)
        last[visit.number] = visit.at_seconds


def test_at_a_drills_highest_rate_nobody_orders_so_often_that_messages_would_be_turned_down() -> None:
    limits = NotificationSettings()
    visits = plan(60.0, seed=3, seconds=limits.notification_rate_window_seconds)
    orders = Counter(visit.customer_id for visit in visits if visit.op is Op.CREATE)
    assert 5 < max(orders.values()) < limits.notification_rate_limit / 2  # some do order more often than others
