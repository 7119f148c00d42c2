from lakeproof.stack.components import all_components


def test_every_component_has_two_minutes_to_start_from_a_cold_disk() -> None:
    """With an empty page cache small programs in Python needed over 30 s beside everything else that starts."""
    hasty = {one.name: one.start_seconds for one in all_components().values() if one.start_seconds < 120}
    assert hasty == {}
