"""What no decent client sends: schemathesis over the OpenAPI document, bodies that lie, odd files and options.

    python -m bench.server_fuzz [--examples 50] [--seconds 900] [--files 8] [--values 6] [--random 300]

Writes the section "Fuzz" of docs/bench-server.md. Nothing may be answered with 5xx but the intended 503 and 507, hang,
or take a process down. Every choice is made with a fixed seed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from bench import machine, server_page
from bench import server_fuzz_bodies as bodies
from bench import server_fuzz_media as media
from bench import server_fuzz_options as options
from bench.markdown import table
from bench.results import REPOSITORY, say
from bench.server_client import ServerSaidNo
from bench.server_process import Server, ServerFailed

SEED = 20
N_THREADS = 2 * bodies.N_TRICKLES  # as many as slow clients, and more
SCHEMATHESIS = str(Path(sys.executable).with_name("schemathesis"))
HOOKS = "bench.server_fuzz_hooks"
LONGEST_REQUEST_SECONDS = 60
OWNED = "/(weights|licence)$"  # what would delete weights of this machine's user, or accept terms for them


@dataclass(frozen=True)
class Findings:
    """What was found; `crashes` says which process went."""

    examples: int
    schemathesis_failed: bool
    schemathesis_said: str
    answers: list[bodies.Answer]
    outcomes: list[media.Outcome]
    crashes: list[str]

    @property
    def bad(self) -> list[str]:
        found = [
            f"{of.kind}: HTTP {of.status} after {of.seconds:.0f} s: {of.shown}" for of in self.answers if of.is_bad
        ]
        found += [
            f"{of.kind}, {of.name}: {of.status}, {of.attempts} attempts, {of.said}" for of in self.outcomes if of.is_bad
        ]
        return found + self.crashes + (["schemathesis"] if self.schemathesis_failed else [])


def main() -> None:
    """Measures, and writes the section."""
    arguments = _arguments()
    head = machine.describe("bench.server_fuzz", sys.argv[1:], None)
    head += f"\n| schemathesis | {version('schemathesis')} |"
    with tempfile.TemporaryDirectory() as folder, Server(Path(folder), ["--offline"]) as server:
        findings = measure(server, arguments)
    server_page.put(arguments.output, "Fuzz", report(head, findings), findings)
    if findings.bad:
        sys.exit("\n".join(findings.bad))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.server_fuzz", description="Sends what should not be sent.")
    parser.add_argument("--examples", type=int, default=50, help="of schemathesis for each operation and phase")
    parser.add_argument("--seconds", type=int, default=900, help="that schemathesis may take")
    parser.add_argument("--files", type=int, default=8, help="of each format, damaged in each way")
    parser.add_argument("--values", type=int, default=6, help="of each option of each model, from a list of odd ones")
    parser.add_argument("--random", type=int, default=300, help="requests of random bytes")
    parser.add_argument("--model", help="of the separations; the server's default without it")
    parser.add_argument("--output", type=Path, default=server_page.PAGE, metavar="FILE")
    return parser.parse_args()


def measure(server: Server, arguments: argparse.Namespace) -> Findings:
    """Sends all of it to a server; looks after each part whether it is still whole."""
    crashes: list[str] = []
    say("bodies")
    with ThreadPoolExecutor(N_THREADS) as threads:
        answers = list(threads.map(lambda case: bodies.send(server, case), bodies.cases(SEED, arguments.random)))
    crashes += _crashed(server, "bodies")
    say("files")
    client = server.client(timeout_seconds=60)
    outcomes = [media.try_file(client, file, arguments.model) for file in media.files(SEED, arguments.files)]
    crashes += _crashed(server, "files")
    say("options")
    outcomes += options.try_options(client, SEED, arguments.values)
    crashes += _crashed(server, "options")
    say("schemathesis")
    failed, said = run_schemathesis(server.port, arguments.examples, arguments.seconds, spares=OWNED)
    crashes += _crashed(server, "schemathesis")
    return Findings(arguments.examples, failed, said, answers, outcomes, crashes)


def run_schemathesis(port: int, n_examples: int, max_seconds: int, spares: str = "") -> tuple[bool, str]:
    """Runs schemathesis over the server's own document; returns whether it found a server error, and its summary.

    Addresses that the pattern `spares` fits are not asked for anything.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "schemathesis.toml"
        statuses = json.dumps(["2xx", "3xx", "4xx", *media.INTENDED])
        settings.write_text(f'hooks = "{HOOKS}"\n[checks.not_a_server_error]\nexpected-statuses = {statuses}\n')
        command = [
            *(SCHEMATHESIS, "--config-file", str(settings), "run", f"http://127.0.0.1:{port}/openapi.json"),
            *("--checks", "not_a_server_error", "--continue-on-failure", "--max-examples", str(n_examples)),
            *("--seed", str(SEED), "--generation-database", "none", "--max-time", str(max_seconds)),
            *("--request-timeout", str(LONGEST_REQUEST_SECONDS), "--no-color"),
            *(("--exclude-path-regex", spares) if spares else ()),
        ]
        ran = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * max_seconds + 300,
            cwd=folder,  # where it leaves what it remembers
            env=os.environ | {"PYTHONPATH": str(REPOSITORY)},  # for the hooks
        )
    return ran.returncode != 0, ran.stdout[-6000:] + ran.stderr[-2000:]


def _crashed(server: Server, after: str) -> list[str]:
    """Says whether the server is gone, or one of its workers was."""
    try:
        client = server.client(30)
        if not server.is_running() or client.ask("GET", "/health").status != 200:
            return [f"after {after} the server is not healthy"]
        counted = client.ask("GET", "/metrics").expect(200).body.decode()
    except (OSError, ServerSaidNo, ServerFailed) as error:
        return [f"after {after} the server does not answer: {error}"]
    restarts = re.findall(r"^audio_ml_worker_restarts_total\{.*\} (?!0\.0).*$", counted, re.MULTILINE)
    return [f"after {after}: {line}" for line in restarts]


def report(head: str, found: Findings) -> str:
    return f"""{head}

schemathesis, up to {found.examples} examples for each operation and phase, with a fixed seed; 503 and 507 are intended
(the server is offline, so that weights that are not here cannot be had):
{_verdict(found.schemathesis_failed)}.

Requests, {N_THREADS} at a time. "Hung up": the connection was closed without an answer, as broken HTTP deserves.

{table(["requests", "times", "answers", "slowest", "bad"], _answer_rows(found.answers))}

Files, uploaded and separated, and jobs with odd options. "Done" is right for what can still be heard, or means
something after all; jobs of slow models are cancelled when they were accepted, and count as done.

{table(["what", "times", "what came of it", "bad"], _outcome_rows(found.outcomes))}

Bad, in all: **{len(found.bad)}**.

{"".join(f"- {line}" + chr(10) for line in found.bad[:30])}"""


def _verdict(failed: bool) -> str:
    return "**server errors**" if failed else "**no server error**"


def _answer_rows(answers: Sequence[bodies.Answer]) -> list[list[str]]:
    rows = []
    for kind in dict.fromkeys(answer.kind for answer in answers):
        of = [answer for answer in answers if answer.kind == kind]
        statuses = Counter({0: "hung up", None: "none"}.get(answer.status, str(answer.status)) for answer in of)
        slowest = max(answer.seconds for answer in of)
        rows.append([kind, str(len(of)), _counted(statuses), f"{slowest:.1f} s", str(sum(one.is_bad for one in of))])
    return rows


def _outcome_rows(outcomes: Sequence[media.Outcome]) -> list[list[str]]:
    rows = []
    for kind in dict.fromkeys(outcome.kind for outcome in outcomes):
        of = [outcome for outcome in outcomes if outcome.kind == kind]
        said = Counter("done" if not one.status else f"{one.status} {one.said.split(':')[0]}" for one in of)
        rows.append([kind, str(len(of)), _counted(said), str(sum(one.is_bad for one in of))])
    return rows


def _counted(said: Counter[str]) -> str:
    return ", ".join(f"{n} {what}" for what, n in said.most_common())


if __name__ == "__main__":
    main()
