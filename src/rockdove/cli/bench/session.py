"""One call of rockdove bench: what is measured, where, and how it is told."""

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from rockdove.bench.accounts import Accounts, ListedAccounts, TokenAccounts
from rockdove.bench.limits import check_open_files
from rockdove.bench.machine import Machine, look
from rockdove.bench.measuring import Conditions, Run, run_scenario
from rockdove.bench.plots import plots
from rockdove.bench.results import Result, as_json
from rockdove.bench.scenarios import SCENARIOS
from rockdove.bench.servers import OwnServers, RunningServer, Servers, StandIns, Target
from rockdove.bench.table import describe_machine, describe_results
from rockdove.cli.bench.options import SharedOptions
from rockdove.cli.bench.progress import BenchProgress
from rockdove.cli.errors import CommandError, wrong_usage
from rockdove.client.address import parse_addresses
from rockdove.locale import Texts

MOST_PROCESSES: Final = 4  # by default: more make no difference to one server
REPORT: Final = "report.json"


class Session:
    """Does what the options say. Raises CommandError when they make no sense, BenchError when it cannot be done."""

    def __init__(self, options: SharedOptions, texts: Texts) -> None:
        self._options = options
        self._texts = texts
        processes = options.processes or max(1, min(MOST_PROCESSES, len(os.sched_getaffinity(0)) - 1))
        self._conditions = Conditions(processes, options.patience)
        try:
            options.out.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise CommandError(f"{options.out} cannot be made: {error.strerror}; choose another --out") from None
        self._servers = self._find_servers()

    def measure(self, plans: Sequence[tuple[str, Any]]) -> bool:
        """Run these scenarios, and tell what came of them; whether all was well."""
        for _, plan in plans:
            check_open_files(plan.users, self._conditions.processes, own_server=self._options.server is None)
        machine = look(self._options.out)
        self._say(describe_machine(machine, self._texts))
        runs = sum(self._options.repeat * (2 if self._has_floor(name) else 1) for name, _ in plans)
        with BenchProgress(self._texts, runs) as progress:
            results = [self._result(name, plan, progress) for name, plan in plans]
        self._say(["", *describe_results(results, self._texts)])
        self._write(results, machine)
        return all(result.good for result in results)

    def _result(self, name: str, plan: Any, progress: BenchProgress) -> Result:
        """The server and the floor take turns, so that what else the machine does concerns both."""
        runs: list[Run] = []
        floor: list[Run] = []
        floors = StandIns(self._options.out)
        for number in range(self._options.repeat):
            progress.run(f"{name} {number + 1}/{self._options.repeat}")
            runs.append(run_scenario(name, plan, self._servers, self._conditions, progress))
            progress.done()
            if self._has_floor(name):
                floor.append(run_scenario(name, plan, floors, self._conditions, progress))
                progress.done()
        return Result(name, plan, runs, floor)

    def _has_floor(self, name: str) -> bool:
        return self._options.floor and SCENARIOS[name].FLOOR

    # ---------------------------------------------------------------- whom to measure

    def _find_servers(self) -> Servers:
        options = self._options
        pids = _pids(options.pid)
        if not options.server:
            if options.users_file:
                raise wrong_usage("--users-file is of no use without --server")
            return OwnServers(options.out, options.store, pids)
        if options.store:
            raise wrong_usage("--store is for a server that is started: give it or --server, not both")
        try:
            addresses = parse_addresses(options.server, tls=False)
        except ValueError as error:
            raise wrong_usage(str(error)) from None
        return RunningServer(Target(tuple(addresses), self._accounts(), pids))

    def _accounts(self) -> Accounts:
        options = self._options
        if bool(options.secret) == bool(options.users_file):
            raise wrong_usage(
                "say who logs in: --secret with what `rockdove tenant token ORG APPKEY --secret` prints, or --users-file"
            )
        if options.secret:
            return TokenAccounts(options.org, options.app, options.secret, "bench")
        assert options.users_file is not None
        return ListedAccounts(options.org, options.app, list(_people(options.users_file)))

    # ---------------------------------------------------------------- telling

    def _say(self, lines: Sequence[str]) -> None:
        if not self._quiet:
            print("\n".join(lines), flush=True)

    @property
    def _quiet(self) -> bool:
        return self._options.json == Path("-")

    def _write(self, results: Sequence[Result], machine: Machine) -> None:
        pictures = plots(results, self._texts)
        for name, picture in pictures.items():
            (self._options.out / name).write_text(picture, encoding="utf-8")
        text = json.dumps(as_json(results, machine, self._conditions.processes, pictures), indent=2, ensure_ascii=False)
        report = self._options.out / REPORT
        report.write_text(text + "\n", encoding="utf-8")
        if self._quiet:
            print(text)
        elif self._options.json:
            self._options.json.write_text(text + "\n", encoding="utf-8")
        self._say([self._texts["written"].format(report=report, pictures=" ".join(pictures))])


def _pids(text: str | None) -> tuple[int, ...]:
    pids = text.split(",") if text else []
    for pid in pids:
        if not pid.isdigit() or not Path("/proc", pid).exists():
            raise wrong_usage(f"--pid: there is no process {pid!r} on this machine")
    return tuple(map(int, pids))


def _people(file: Path) -> Iterator[tuple[str, str]]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{file} cannot be read: {error}") from None
    for line in lines:
        name, colon, password = line.partition(":")
        if not colon:
            raise CommandError(f"{file}: write lines name:password, as for rockdove user add --from-file")
        yield name, password
