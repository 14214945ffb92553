"""Every bound on what comes in, with its unit in its name."""

from __future__ import annotations

from typing import Final

#: amounts are `0 <= amount_minor < AMOUNT_MINOR_END`: squares of sums stay inside two int64 limbs
AMOUNT_MINOR_END: Final = 10**11
#: one call to the gate: who sends more is refused, so the streamer cuts its calls to it
BODY_BYTES_MAX: Final = 16 << 20
#: items of one call: a larger array is refused, so the streamer cuts its calls to it
ITEMS_MAX: Final = 5_000
#: columns of a body of columns, those of structs one by one: more than an event can have fields
COLUMNS_MAX: Final = 1_024
#: header lines of one call, and their bytes with names and separators; what a server's own reader takes is beyond both
HEADERS_MAX: Final = 64
HEADER_BYTES_MAX: Final = 16 << 10
#: objects and lists inside of each other; an envelope has three
NESTING_MAX: Final = 32
#: seconds from the headers of a call to the last byte of its body; a setting may say otherwise
BODY_TIMEOUT_S: Final = 30.0
#: connections that the gate keeps open; a setting may say otherwise
GATE_CONNECTIONS_MAX: Final = 4_096
#: milliseconds that who posts to /v1/decide may wait for a decision; without a header it is the largest
DEADLINE_MS_MIN: Final = 10
DEADLINE_MS_MAX: Final = 300
#: seconds after which a receipt is sealed where other machines see it: a person who looks there waits no longer, and a busy gate makes
#: some hundred objects an hour of it and not one per call; a setting may say otherwise
SEAL_AFTER_S: Final = 5.0
#: servers that assay starts itself listen on these ports of this machine, below those of outgoing connections
SERVER_PORTS: Final = range(20_000, 30_000)
#: no payment is older, unless the mapping of its file says so: a wrong unit and a year of two digits end up before
EARLIEST: Final = "1990-01-01"
ID_CHARS_MAX: Final = 256
LABEL_CHARS_MAX: Final = 128
ATTRIBUTE_CHARS_MAX: Final = 1024
ENTITIES_MAX: Final = 32
ATTRIBUTES_MAX: Final = 512
#: a payment's JSON, so that its record fits a message of 1,000,000 bytes with its envelope
PAYLOAD_BYTES_MAX: Final = 900_000
#: Avro's long is signed; a seed above it could not travel
SEED_MAX: Final = 2**63 - 1
#: every JSON reader keeps a whole number up to this exactly
SOURCE_ORDER_MAX: Final = 2**53 - 1
