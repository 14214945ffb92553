"""The exit codes of all commands: one table. `docs/commands.md` shows it, and a test compares the two."""

from __future__ import annotations

from typing import Final, NamedTuple

from assay.contracts.reasons import Reason

DONE: Final = 0
REFUTED: Final = 1
USAGE: Final = 2
BAD_INPUT: Final = 65
MISSING: Final = 66
STOPPED: Final = 70
FILE: Final = 73
AGAIN: Final = 75
INTERRUPTED: Final = 130
READER_GONE: Final = 141


class ExitCode(NamedTuple):
    """A code with its meaning, and what a script does about it."""

    code: int
    meaning: str
    remedy: str


EXIT_CODES: Final = (
    ExitCode(DONE, "done", ""),
    ExitCode(REFUTED, "a promise is refuted, or a payment was refused", "Read the lines: they name it."),
    ExitCode(USAGE, "wrong usage: no such command, option, value or setting", "Correct the call."),
    ExitCode(BAD_INPUT, "bad input: a file, a mapping or a policy does not hold what it must", "Correct the input."),
    ExitCode(MISSING, "missing: no such run, file, policy, topic or id", "Correct the name, or make it."),
    ExitCode(STOPPED, "stopped to keep a promise: damage, or something of another run", "The message names the remedy."),
    ExitCode(FILE, "the system refuses a file or a folder", "Free space, or correct the path or its permissions."),
    ExitCode(AGAIN, "try again: a server does not answer, or a thing is not done yet", "Run the same command again."),
    ExitCode(INTERRUPTED, "interrupted", "Run the same command again; it goes on."),
    ExitCode(READER_GONE, "the reader of the output ended, as `head` does", ""),
)

#: reasons whose code is not that of their kind of refusal
BY_REASON: Final[dict[Reason, int]] = {
    **dict.fromkeys((Reason.REPLAY_DIFFERENCE, Reason.EVENT_QUARANTINED, Reason.PROFILE_POLICY_DIFFERS), REFUTED),
    **dict.fromkeys((Reason.SETTING_INVALID, Reason.PACK_UNKNOWN, Reason.FAILPOINT_UNKNOWN), USAGE),
    Reason.BUS_USER_REFUSED: USAGE,  # a name or password is not right
    **dict.fromkeys((Reason.REPLAY_RANGE_INVALID, Reason.BENCH_INVALID, Reason.GENERATOR_REQUEST_INVALID), USAGE),
    **dict.fromkeys((Reason.RULES_DOCUMENT_INVALID, Reason.FEATURE_DOCUMENT_INVALID, Reason.MAPPING_INVALID), BAD_INPUT),
    **dict.fromkeys((Reason.POLICY_ENTITY_ABSENT, Reason.CURRENCY_NOT_OF_POLICY), BAD_INPUT),
    **dict.fromkeys((Reason.INPUT_FILE_MISSING, Reason.RUN_MISSING, Reason.POLICY_MISSING, Reason.PACK_NOT_FOUND), MISSING),
    **dict.fromkeys((Reason.TOPIC_UNKNOWN, Reason.DECISION_NOT_FOUND, Reason.RECEIPT_NOT_FOUND), MISSING),
    **dict.fromkeys((Reason.RUN_KEY_MISSING, Reason.PROFILE_MISSING), MISSING),
    **dict.fromkeys((Reason.PROFILE_INVALID, Reason.AVRO_SCHEMA_INVALID, Reason.RECORDS_REFUSED), BAD_INPUT),
    **dict.fromkeys((Reason.JAVA_MISSING, Reason.POSTGRES_MISSING), MISSING),
    **dict.fromkeys((Reason.OUTPUT_UNKNOWN, Reason.OUTPUT_MISSING), MISSING),
    Reason.TRAFFIC_MODES_MIXED: USAGE,
    Reason.ACTOR_NAME_INVALID: USAGE,
    Reason.CALLER_KEY_UNKNOWN: MISSING,
    **dict.fromkeys((Reason.VAULT_KEY_MISSING, Reason.VAULT_SUBJECT_UNKNOWN), MISSING),
    **dict.fromkeys((Reason.FILE_REFUSED, Reason.ACCESS_DENIED), FILE),
    **dict.fromkeys((Reason.BROKER_UNREACHABLE, Reason.SERVER_SILENT, Reason.DOCKER_SILENT, Reason.JAR_UNREACHABLE), AGAIN),
    Reason.DIRECTORY_BUSY: AGAIN,
}
