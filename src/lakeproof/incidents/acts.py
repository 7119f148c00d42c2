"""What a person may do on a page, by the form's name: the same calls that the API and the command line make."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

from lakeproof.errors import InvalidInput
from lakeproof.incidents.jobs import Job, Jobs
from lakeproof.incidents.rca import draft_rca
from lakeproof.incidents.shapes import Act, AnswerIn, Lesson, MergeIn, Note, Owner
from lakeproof.incidents.status import Status
from lakeproof.incidents.store import Store

PROPOSE, REPAIR, CHECK = "propose", "repair", "check"
PROPOSAL_KEPT = timedelta(minutes=10)

type Form = Mapping[str, str]
type Deed = Callable[[str, Form, str], object]


def deeds_of(store: Store, jobs: Jobs) -> Mapping[str, Deed]:
    """name → deed(incident, form, who). Each may raise InvalidInput, and pydantic's ValidationError."""

    def move(status: Status) -> Deed:
        return lambda name, form, who: store.move(name, status, Act(who=who, text=form.get("text", "")))

    def own(name: str, form: Form, who: str) -> object:
        return store.give(name, Owner(owner=form.get("owner", ""), who=who, text=form.get("text", "")))

    def answer(name: str, form: Form, who: str) -> object:
        given = {"item": form.get("item", ""), "state": form.get("state", ""), "text": form.get("text", "")}
        return store.answer(name, AnswerIn.model_validate(given | {"who": who}))

    def rca(name: str, form: Form, who: str) -> object:
        root_cause = form.get("root_cause", "")
        text = draft_rca(store.get(name), root_cause=root_cause)
        return store.keep_rca(name, text, who=who, root_cause=root_cause)

    def propose(name: str, form: Form, who: str) -> object:
        incident = store.get(name).id
        return jobs.start(PROPOSE, incident, [("mitigate", incident, "--dry-run", "--json")], who=who)

    def repair(name: str, form: Form, who: str) -> object:
        incident = store.get(name).id
        require_confirmed(form, incident)
        proposal, commands = proposed_commands(jobs, incident, form.get("job", ""))
        with proposal.spent():
            return jobs.start(REPAIR, incident, commands, who=who)

    def check(name: str, form: Form, who: str) -> object:
        incident = store.get(name).id
        return jobs.start(CHECK, incident, [("incident", "cross-check", incident, "--json")], who=who)

    return {
        "ack": move(Status.ACKNOWLEDGED),
        "mitigate": move(Status.MITIGATING),
        "verify": move(Status.VERIFYING),
        "resolve": move(Status.RESOLVED),
        "review": move(Status.REVIEWED),
        "note": lambda name, form, who: store.note(name, Note(text=form.get("text", ""), who=who)),
        "own": own,
        "lesson": lambda name, form, who: store.learn(name, Lesson(text=form.get("text", ""), who=who)),
        "checklist": answer,
        "merge": lambda name, form, who: store.merge(
            name, MergeIn(into=form.get("into", ""), who=who, text=form.get("text", ""))
        ),
        "unmerge": lambda name, form, who: store.unmerge(name, Act(who=who, text=form.get("text", ""))),
        "rca": rca,
        PROPOSE: propose,
        REPAIR: repair,
        CHECK: check,
    }


def require_confirmed(form: Form, where: str) -> None:
    """Raises: InvalidInput where the form's box was not ticked. The desk's own pages do not send such a form."""
    if form.get("confirmed") != "yes":
        raise InvalidInput("the risk was not confirmed", where=where, next_action="tick the box")


def why_not(proposal: Job) -> str:
    """Why the steps of a proposal may not be run; empty where they may. The stack moves on, so a proposal ages."""
    if proposal.is_spent:
        return "This proposal was run already."
    if datetime.now(UTC) - proposal.started_at > PROPOSAL_KEPT:
        return "This proposal is more than ten minutes old."
    return ""


def proposed_commands(jobs: Jobs, incident: str, job: str) -> tuple[Job, list[tuple[str, ...]]]:
    """The proposal with the id `job`, and the commands that run the steps which it showed, without a new diagnosis.

    Raises: InvalidInput where it is not the newest proposal, has no steps, is too old, or was run already.
    """
    proposal = jobs.newest(PROPOSE, incident)
    if proposal is None or proposal.id != job or not isinstance(steps := proposal.printed(), list) or not steps:
        raise InvalidInput("that proposal is not the newest one", where=incident, next_action="propose again")
    if why := why_not(proposal):
        raise InvalidInput(why.rstrip("."), where=incident, next_action="propose again")
    return proposal, [
        (
            *("mitigate", incident, "--action", step["action"]),
            *(part for name, value in step["arguments"].items() for part in ("--arg", f"{name}={value}")),
            *("--yes", "--json"),
        )
        for step in steps
    ]
