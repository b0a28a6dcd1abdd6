# The gateway, without TensorFlow: it asks the model server that STN_MODEL_SERVER names.
#
#     docker build --tag stn-serving/gateway .
#     docker run --publish 127.0.0.1:8000:8000 --env STN_PUBLISHED_ADDRESS=127.0.0.1 \
#         --env STN_MODEL_SERVER=host:8500 stn-serving/gateway
#
# It does not start without API keys unless it is told that only this machine reaches it, as here, or
# that something in front asks callers who they are (STN_ALLOW_ANONYMOUS=true).

ARG PYTHON_VERSION=3.12
# Which set of packages: gateway, or otel for one that can send traces as well.
ARG REQUIREMENTS=gateway

FROM python:${PYTHON_VERSION}-slim AS build
ARG REQUIREMENTS
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build

# What changes least comes first, so that a change of code installs nothing again.
COPY requirements/build.txt requirements/${REQUIREMENTS}.txt requirements/
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --only-binary :all: --require-hashes --requirement requirements/build.txt \
 # Without a pip of its own: the base image has one already.
 && python -m venv --without-pip /opt/stn-serving \
 && pip --python /opt/stn-serving/bin/python install --no-compile \
        --only-binary :all: --require-hashes --requirement requirements/${REQUIREMENTS}.txt

COPY pyproject.toml README.md LICENSE ./
COPY service service
COPY deploy/gateway/healthcheck.py /opt/stn-serving/bin/
COPY deploy/gateway/slim.sh .
RUN pip wheel --no-deps --no-build-isolation --wheel-dir wheels . \
 && pip --python /opt/stn-serving/bin/python install --no-compile --no-deps --no-index wheels/*.whl \
 && ./slim.sh /opt/stn-serving


FROM python:${PYTHON_VERSION}-slim
ARG PYTHON_VERSION
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="stn-serving gateway" \
      org.opencontainers.image.description="REST gateway for spatial transformer networks in TensorFlow Serving" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.base.name="docker.io/library/python:${PYTHON_VERSION}-slim"

COPY --from=build /opt/stn-serving /opt/stn-serving
ENV PATH=/opt/stn-serving/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    STN_HOST=0.0.0.0 \
    STN_PORT=8000

# By number, so that whoever runs the image can see that it is not root. It owns no file.
USER 65532:65532
WORKDIR /
EXPOSE 8000
STOPSIGNAL SIGTERM
# Alive, not ready: an orchestrator may restart what is unhealthy, and that would not bring back a
# model server that is away.
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-I", "/opt/stn-serving/bin/healthcheck.py", "/livez"]
ENTRYPOINT ["stn-serve"]
