"""The shop as a tenant of Lakeproof: its databases, topics, ports and settings, and where its own parts are found."""

from lakeproof.tenancy.databases import Account, Database, Keyspace
from lakeproof.tenancy.tenant import Tenant
from lakeproof_shop.topics import EVENT_TOPICS

LABEL_BUCKET = "fulfillment-artifacts"
ATTACHMENT_BUCKET = "support-attachments"
# Settings of one service, which win over the table of settings that every child gets.
RESERVATION_TTL = "LAKEPROOF_INVENTORY__RESERVATION_TTL_SECONDS"
TIMELINE_CACHE_TTL = "LAKEPROOF_SUPPORT__TIMELINE_CACHE_TTL_SECONDS"
MESSAGE_LIMIT = "LAKEPROOF_NOTIFICATION__NOTIFICATION_RATE_LIMIT"
POSTGRES_SERVICES = ("payment", "fulfillment", "support", "notification")

OLTP = Database(
    name="oltp",
    engine="mysql",
    connector="orders",
    first=True,
    schemas={"oltp": ("services/order/schema.sql", "services/checkout/schema.sql")},
    accounts=(
        Account(
            "order_service",
            "mysql-order-service",
            (
                *(
                    ("SELECT, INSERT, UPDATE, DELETE", f"oltp.{table}")
                    for table in ("orders", "order_items", "order_events", "order_operations")
                ),
                ("SELECT, INSERT, UPDATE", "oltp.checkouts"),
            ),
        ),
    ),
    changes=(
        (
            "SELECT 1 FROM information_schema.check_constraints WHERE constraint_schema = 'oltp'"
            " AND constraint_name = 'status_is_known' AND check_clause LIKE '%returned%'",
            "ALTER TABLE oltp.orders DROP CONSTRAINT status_is_known, ADD CONSTRAINT status_is_known"
            " CHECK (status IN ('created', 'paid', 'cancelled', 'returned'))",
        ),
        (
            "SELECT 1 FROM information_schema.columns WHERE table_schema = 'oltp' AND table_name = 'checkouts'"
            " AND column_name = 'asked_at'",
            "ALTER TABLE oltp.checkouts ADD COLUMN asked_at DATETIME(6) NULL",
        ),
    ),
    used_by=("order-service",),
)
SHOP = Database(
    name="shop",
    engine="postgres",
    connector="shop",
    exporter="shop-capture",
    capture="shop-capture",
    pause="shop_checkpoint_seconds",
    idle_pause="shop_idle_checkpoint_seconds",
    # The buffer of one table's writer: a dozen tables take few rows each, and share one heap.
    table_options={"write-buffer-size": "16 mb"},
    # A service's outbox, then its own tables.
    schemas={name: ("serving/outbox.sql", f"services/{name}/schema.sql") for name in POSTGRES_SERVICES},
    used_by=tuple(f"{name}-service" for name in POSTGRES_SERVICES),
)

TENANT = Tenant(
    name="shop",
    package="lakeproof_shop",
    databases=(OLTP, SHOP),
    judge="lakeproof_shop.proof.judge:JUDGE",
    traffic="lakeproof_shop.customers.shoppers.traffic:TRAFFIC",
    keyspaces=(
        Keyspace("inventory", ("services/inventory/schema.cql",)),
        Keyspace("projections", ("projector/schema.cql",)),
    ),
    roles=(
        Account(
            "inventory_service",
            "cassandra-inventory-service",
            (("SELECT", "KEYSPACE inventory"), ("MODIFY", "KEYSPACE inventory")),
        ),
        Account(
            "projector",
            "cassandra-projector",
            (("SELECT", "KEYSPACE projections"), ("MODIFY", "KEYSPACE projections")),
        ),
        Account("support_service", "cassandra-support-service", (("SELECT", "KEYSPACE projections"),)),
    ),
    topics=EVENT_TOPICS,
    # Labels by their state; attachments by the support case.
    buckets={LABEL_BUCKET: r"pending/|ready/", ATTACHMENT_BUCKET: r"\d+/"},
    ports={
        "mail-sink": {"smtp": 1025, "http": 8025},
        "order-service": {"http": 8001},
        "payment-service": {"http": 8002},
        "inventory-service": {"http": 8003},
        "fulfillment-service": {"http": 8004},
        "support-service": {"http": 8005},
        "notification-service": {"http": 8006},
        "projector": {"http": 8012},
    },
    sections={
        "shop": "lakeproof_shop.settings:ShopSettings",
        "checkout": "lakeproof_shop.settings:CheckoutSettings",
        "notification": "lakeproof_shop.settings:NotificationSettings",
        "fulfillment": "lakeproof_shop.settings:FulfillmentSettings",
        "support": "lakeproof_shop.settings:SupportSettings",
        "inventory": "lakeproof_shop.settings:InventorySettings",
    },
    # The addresses at which a service finds others, how long a reservation lives, how long a timeline is kept, and
    # how many messages a customer gets.
    variables=(
        "SERVICE_REDIS_URL",
        "SERVICE_ORDER_SERVICE_URL",
        "SERVICE_PAYMENT_SERVICE_URL",
        "SERVICE_FULFILLMENT_SERVICE_URL",
        RESERVATION_TTL,
        TIMELINE_CACHE_TTL,
        MESSAGE_LIMIT,
    ),
    way="lakeproof_shop.way:WAY",
)
