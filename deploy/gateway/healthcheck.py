"""Ask the gateway in this container how it is: `healthcheck.py /livez`, or `/readyz`.

Exit status 0 when it answers 200, else 1 with a sentence.
"""

import http.client
import os
import sys


def main(path: str) -> str | None:
    """Return what is wrong, or None."""
    connection = http.client.HTTPConnection("127.0.0.1", int(os.environ["STN_PORT"]), timeout=2)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        if answer.status != 200:
            return f"{path} answers {answer.status}: {answer.read(1000).decode(errors='replace')}"
    except (OSError, http.client.HTTPException) as error:
        return f"{path} does not answer: {error}"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
