"""What becomes of a reference that there was no way in to: never broken, and the reason is the true one."""

import pytest

from exporter.integrity.finding import Reason, Verdict
from exporter.integrity.judge import judge_error, judge_listing_error
from exporter.registry import AnswerError, AuthenticationError, ProtocolError, RegistryError, TimedOutError
from exporter.registry.errors import NotConnectedError, TooLargeError, TruncatedBodyError

PLACE = ("GET", "https://auth.example/token")
CASES: list[tuple[RegistryError | None, Reason]] = [
    (None, Reason.UNAUTHORIZED),
    (AnswerError(*PLACE, 401), Reason.UNAUTHORIZED),
    (AnswerError(*PLACE, 403), Reason.FORBIDDEN),
    (AnswerError(*PLACE, 404), Reason.PROTOCOL),
    (AnswerError(*PLACE, 404, ("NAME_UNKNOWN",)), Reason.PROTOCOL),
    (AnswerError(*PLACE, 416), Reason.PROTOCOL),
    (AnswerError(*PLACE, 429), Reason.RATE_LIMITED),
    (AnswerError(*PLACE, 503), Reason.SERVER_ERROR),
    (TimedOutError(*PLACE, "was not answered within 10 s"), Reason.TIMEOUT),
    (NotConnectedError(*PLACE, "failed: connection refused"), Reason.CONNECTION),
    (ProtocolError(*PLACE, "answered with what is no token"), Reason.PROTOCOL),
    (TooLargeError(*PLACE, "answered with more than 1 bytes"), Reason.TOO_LARGE),
    (TruncatedBodyError(*PLACE, 200, "answered 200, but the body ended after 0 bytes"), Reason.PROTOCOL),
]


@pytest.mark.parametrize(("trouble", "reason"), CASES)
def test_trouble_with_a_token_service_is_unverified_for_its_own_reason(
    trouble: RegistryError | None, reason: Reason
):
    """Even where the same answer of the registry would make it broken; the detail names the reference."""
    error = AuthenticationError("HEAD", "/v2/app/manifests/v1", "token service", trouble)
    for judgement in (judge_error(error), judge_listing_error(error)):
        assert (judgement.verdict, judgement.reason, judgement.detail) == (
            Verdict.UNVERIFIED,
            reason,
            "HEAD /v2/app/manifests/v1 was not asked: token service",
        )
