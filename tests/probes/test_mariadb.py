"""Privileges as SHOW GRANTS tells them."""

from lakeproof.probes.mariadb import CAPTURE_PRIVILEGES, missing_in

WHOLE = "GRANT SELECT, RELOAD, SHOW DATABASES, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR, SLAVE MONITOR"


def test_nothing_is_missing_of_the_whole_grant() -> None:
    assert missing_in((f"{WHOLE} ON *.* TO `cdc`@`%` IDENTIFIED BY PASSWORD '*x'",)) == ()


def test_a_revoked_privilege_is_missing() -> None:
    line = f"{WHOLE.replace('REPLICATION SLAVE, ', '')} ON *.* TO `cdc`@`%`"
    assert missing_in((line,)) == ("REPLICATION SLAVE",)


def test_a_privilege_on_one_table_is_not_a_global_one() -> None:
    assert set(
        missing_in(("GRANT USAGE ON *.* TO `cdc`@`%`", "GRANT SELECT ON `oltp`.`orders` TO `cdc`@`%`"))
    ) == set(CAPTURE_PRIVILEGES)
