"""`lakeproof ring`: Cassandra's nodes as `nodetool status` shows them; repairing one, replacing one, and a fourth."""

from typing import Annotated

import typer

from lakeproof.cli.output import print_rows, say
from lakeproof.cli.up import Progress
from lakeproof.stack.stack import load_stack

JsonOption = Annotated[bool, typer.Option("--json", help="data for scripts on stdout")]


def add_to(app: typer.Typer) -> None:
    """Bring the command group `ring`."""
    group = typer.Typer(invoke_without_command=True)
    group.callback()(show)
    group.command("repair")(repair)
    group.command("replace")(replace)
    group.command("scale")(scale)
    app.add_typer(group, name="ring")


def show(context: typer.Context, as_json: JsonOption = False) -> None:
    """Cassandra's nodes as `nodetool status` shows them: state (UN is up and normal), load, tokens, share, rack.

    Exit 0 where every node is UN, 1 where one is not, 3 where no node answers.
    """
    if context.invoked_subcommand is not None:
        return
    from lakeproof.probes.ring import ring

    nodes = ring(load_stack())
    owns = ("?" if node.owns_percent is None else f"{node.owns_percent:.1f} %" for node in nodes)
    print_rows(
        as_json,
        [node.to_json() for node in nodes],
        ("Node", "State", "Address", "Load", "Tokens", "Owns", "Host id", "Rack"),
        (
            (node.name, node.state, node.address, node.load, node.tokens, share, node.host_id, node.rack)
            for node, share in zip(nodes, owns, strict=True)
        ),
    )
    if any(node.state != "UN" for node in nodes):
        raise typer.Exit(1)


def repair(name: Annotated[str, typer.Argument(help="the node, as `lakeproof ring` names it")]) -> None:
    """Give a node that was away every row that it missed (`nodetool repair --full`); some 15 seconds.

    The other nodes' hints bring a node most of what it missed, and need not bring all. Reads and writes go on
    meanwhile. It compares all copies of what the node holds, so with three nodes one repair makes all three whole.

    Exit 0 once its rows are the same as the others', 1 where a node stays away (the message names it), 2 where it
    is no node, 3 where the repair failed.
    """
    from lakeproof.mitigations.ring import RepairNode

    say("comparing its rows with the other nodes' and copying what differs: some 15 seconds")
    say(RepairNode(component=name).run(load_stack()))


def replace(
    name: Annotated[str, typer.Argument(help="the node, as `lakeproof ring` names it")],
    discard_data: Annotated[
        bool, typer.Option("--discard-data", help="also where it still has its data: throw them away")
    ] = False,
) -> None:
    """Let an empty node take the place of a dead one whose data are gone, with its tokens; about a minute.

    It copies what it must hold from the others before it answers. A node that still has its data is refused here: it
    needs no more than `lakeproof start` and `lakeproof ring repair`.

    Exit 0 once another node sees it up and normal (UN), 1 where it did not join, is not UN in the end (its state
    is told), or somebody else is changing the ring, 2 where it is refused, 3 where no other node answers, or the
    repair after it failed.
    """
    from lakeproof.mitigations.ring import ReplaceNode

    say("stopping it, waiting until the ring sees it down, then joining: about a minute")
    say(ReplaceNode(node=name, discard_data=discard_data).run(load_stack()))


def scale(nodes: Annotated[int, typer.Argument(help="how many in all: 3 or 4", metavar="N")]) -> None:
    """Let a fourth node join (half a minute), or leave again: it hands its copies over, then its data are deleted.

    Reads and writes go on meanwhile. A fourth node comes back with `up` until it has left. One that is dead is taken
    out as well: the others make its copies anew.

    Where nothing runs the ring is started. Exit 0 once the ring is of that size, 1 where a node did not start or
    somebody else is changing the ring, 2 where it cannot be, 3 where no node answers, or a repair failed.
    """
    from lakeproof.mitigations.ring import scale as scale_ring

    progress = Progress()
    say("joining or leaving, with its copies: under a minute")
    said = scale_ring(load_stack(), nodes, progress)
    say(f"{progress.seconds:6.1f} s  {said}")
