"""From pictures to poses."""
