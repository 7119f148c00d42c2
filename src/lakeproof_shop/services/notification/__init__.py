"""The notification service: preferences, limits, delivery by e-mail and webhook, and what others' events call for."""
