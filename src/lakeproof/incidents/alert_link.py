"""Where the link of an alert's message leads: Alertmanager knows the alert's fingerprint, but not its incident."""

from fastapi import FastAPI
from fastapi.responses import RedirectResponse

from lakeproof.incidents.memory import NoSuchIncident
from lakeproof.incidents.store import Store


def add_alert_links(app: FastAPI, store: Store) -> None:
    """Add `/alerts/FINGERPRINT`."""

    @app.get("/alerts/{fingerprint}", include_in_schema=False)
    def lead_to_incident(fingerprint: str) -> RedirectResponse:
        """To the newest incident with that alert. Raises: NoSuchIncident."""
        incident = store.incident_of(fingerprint)
        if incident is None:
            raise NoSuchIncident(f"of the alert {fingerprint[:64]}")
        return RedirectResponse(f"/incidents/{incident}", 302)
