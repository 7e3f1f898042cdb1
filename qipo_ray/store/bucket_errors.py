"""What a bucket refuses, in one line with the fix."""

from __future__ import annotations

import re

# Status or code in the text of an error, and what to do; the first that fits.
MISTAKES = (
    (
        r"RequestTimeTooSkewed|RequestExpired",
        "this machine's clock is off by more than the storage allows: set it (timedatectl "
        "set-ntp true)",
    ),
    (r"NoSuchBucket|bucket does not exist", "there is no bucket {uri}: make it, or correct it"),
    (
        r"incorrectly configured region|AuthorizationHeaderMalformed|PermanentRedirect"
        r"|IllegalLocationConstraint",
        "the bucket lies in another region: set AWS_REGION to its own",
    ),
    (
        r"latest/(api/token|meta-data)|metadata\.google|Missing (Secret)?Access",
        "no credentials: set {credentials}, or give this machine a role",
    ),
    (
        r"InvalidAccessKeyId|SignatureDoesNotMatch|ExpiredToken|InvalidToken|401 Unauthorized",
        "the credentials are refused ({code}): set {credentials} anew",
    ),
    (
        r"AccessDenied|403 Forbidden",
        "these credentials may not do that ({code}): allow to list, get, put and delete there",
    ),
    (
        r"InvalidBucketName",
        "{uri} is no name of a bucket: lower-case letters, digits and hyphens, at least three",
    ),
)
CREDENTIALS = {
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
}
# An outage, not a mistake: worth another try.
OUTAGE = re.compile(r"status code: (5\d\d|408|429)|SlowDown|HTTP error|error sending request")


def mistake(problem: Exception, scheme: str, bucket: str) -> str | None:
    """Return what is wrong and how to mend it; None for an outage, which may be over soon.

    The text of an error holds addresses, and is not passed on.
    """
    text = str(problem)
    for pattern, line in MISTAKES:
        if re.search(pattern, text):
            return line.format(
                uri=f"{scheme}://{bucket}", credentials=CREDENTIALS[scheme], code=_code(text)
            )
    if OUTAGE.search(text):
        return None
    return f"it is refused ({_code(text)})"


def _code(text: str) -> str:
    """Return a service's own word for an error, else how the error begins."""
    match = re.search(r"<Code>(\w+)<", text) or re.search(r"status code: (\d+ [\w ]+)", text)
    return match[1] if match else " ".join(text.split("\n")[0].split())[:160]
