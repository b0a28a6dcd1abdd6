"""The gateway as a process, with a fake backend: it starts in a second, without TensorFlow."""

import sys

from service import __main__, app
from tests.service.fakes import FakeBackend

if __name__ == "__main__":
    app._choose_backend = lambda *_: FakeBackend()
    sys.exit(__main__.main())
