"""The texts of rockdove bench, in English."""

from typing import Final

TEXTS: Final = {
    # where it was measured
    "machine": "{processor}, {cores} cores, {memory} GiB, {system}",
    "software": "rockdove {rockdove}, {python}, uvloop {uvloop}",
    "calibration": "fdatasync {sync} ms ({file_system}), reference {reference} µs of CPU",
    "not_durable": "note: the data lies in memory ({file_system}), where fsync costs nothing: give --out a directory on a disk",
    # progress
    "step_log_in": "log in",
    "step_warm_up": "warm up",
    "step_talk": "talk",
    "step_check": "check",
    # the table
    "what": "scenario",
    "per_second": "a second",
    "cpu": "CPU µs of the server",
    "over_floor": "of floor",
    "load": "load CPU %",
    "times": "ms until",
    "p50": "p50",
    "p90": "p90",
    "p99": "p99",
    "p99.9": "p99.9",
    "max": "max",
    "unit_message": "message",
    "time_answered": "answered",
    "time_received": "received",
    "floor": "floor",
    # what is said below
    "comma": ", ",
    "good": "{scenario}: nothing was lost, doubled, altered or out of order",
    "failed": "{scenario}: FAILED: {faults}",
    "nothing_done": "nothing was done",
    "fault_lost": "{count} lost",
    "fault_gap": "{count} seqs missing",
    "fault_doubled": "{count} doubled",
    "fault_disordered": "{count} out of order",
    "fault_altered": "{count} altered",
    "fault_stray": "{count} to somebody else",
    "fault_refused": "{count} refused",
    "fault_unanswered": "{count} never answered",
    "fault_cut": "{count} connections ended by the server",
    "busy": "note: a load process was busy for {percent} % of the time: how long messages took is its doing, too",
    "written": "report: {report}",
    # errors
    "bench_too_few_users": "the file has {count} users, which is not enough: add some, or ask for a smaller scenario",
    "bench_open_files": "open files are limited to {possible} connections, not {connections}: raise it with ulimit -n {needed}",
    "bench_no_connection": "{server} cannot be reached: {reason}; is the server running?",
    "bench_no_login": "{user} cannot log in: {reason}",
    "bench_no_answer": "the server does not answer {user}",
    "bench_refused": "the server refuses what {user} asks: {reason}",
    "bench_no_start": "the server does not start, see {log}: {last}",
    "bench_no_tenant": "no tenant can be added for the load: {reason}",
    "bench_process_died": "a load process died; is there enough memory?",
}
