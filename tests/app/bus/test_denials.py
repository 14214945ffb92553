"""What a client of Kafka tells of a wrong password or a missing right becomes one refusal that names the user."""

from __future__ import annotations

import pytest
from aiokafka.errors import SaslAuthenticationFailed, TopicAuthorizationFailedError
from confluent_kafka import KafkaError

from assay.app.bus.denials import Denials
from assay.app.bus.errors import lane_not_written
from assay.contracts.exit_codes import USAGE
from assay.contracts.reasons import Reason

GATE = {"sasl.username": "gate", "sasl.password": "guessed"}
WRONG_PASSWORD = KafkaError(
    KafkaError._AUTHENTICATION,
    "sasl_plaintext://127.0.0.1:9092/bootstrap: SASL authentication error: Authentication failed: Invalid username or password "
    "(after 303ms in state AUTH_REQ)",
)
NO_RIGHT = KafkaError(KafkaError.CLUSTER_AUTHORIZATION_FAILED, "Request(processor=2, connectionId=127.0.0.1:20005-2)")
AWAY = KafkaError(KafkaError._TRANSPORT, "Failed to get metadata")


@pytest.mark.parametrize(
    ("properties", "error", "what"),
    [
        (GATE, WRONG_PASSWORD, "Kafka refuses the user 'gate': Authentication failed: Invalid username or password"),
        (GATE, NO_RIGHT, "Kafka refuses the user 'gate': Cluster authorization failed"),
        ({}, NO_RIGHT, "Kafka refuses this client: Cluster authorization failed"),
    ],
)
def test_a_refused_user_is_named_with_kafkas_words_and_no_password(properties: dict[str, str], error: KafkaError, what: str) -> None:
    refusal = Denials(properties).refusal("broker:9092", error)
    assert refusal is not None
    assert (refusal.reason, refusal.what, refusal.where, refusal.exit_code) == (Reason.BUS_USER_REFUSED, what, "broker:9092", USAGE)
    assert "guessed" not in str(refusal)


def test_a_broker_that_is_away_refuses_nobody() -> None:
    assert Denials(GATE).refusal("broker:9092", AWAY) is None


def test_a_refusal_told_beside_an_error_is_its_cause_until_the_broker_answers() -> None:
    denials = Denials(GATE)
    for error in (WRONG_PASSWORD, AWAY):
        denials.notice(error)
    refusal = denials.refusal("broker:9092", AWAY)
    assert refusal is not None
    assert refusal.what == "Kafka refuses the user 'gate': Authentication failed: Invalid username or password"
    denials.forget()
    assert denials.refusal("broker:9092", AWAY) is None


@pytest.mark.parametrize("error", [TopicAuthorizationFailedError("t"), SaslAuthenticationFailed("Authentication failed")])
def test_a_lane_stops_with_the_same_reason(error: Exception) -> None:
    assert lane_not_written(error, "fp.bus.rtdl.v1").reason is Reason.BUS_USER_REFUSED
