# The operator's image: its locked dependencies and itself in one virtual environment, no pip, no compiler, no shell script.
# Every file that an install takes from the index is checked against a hash of the lock files. For a base that is pinned to its last
# byte: docker build --build-arg BASE=python:3.13.7-slim-bookworm@sha256:...
ARG BASE=python:3.13.7-slim-bookworm

FROM ${BASE} AS builder
WORKDIR /src
RUN python -m venv --without-pip /venv
COPY requirements.lock requirements-build.lock ./
RUN pip --python /venv/bin/python install --no-cache-dir --require-hashes --only-binary :all: -r requirements.lock
RUN pip install --no-cache-dir --require-hashes --only-binary :all: -r requirements-build.lock
COPY pyproject.toml README.md LICENSE ./
COPY aws aws
COPY controller controller
COPY reconcilers reconcilers
RUN pip wheel --no-index --no-deps --no-build-isolation --wheel-dir /wheels . \
 && pip --python /venv/bin/python install --no-index --no-deps /wheels/*.whl
# botocore describes every service of AWS; the operator calls four.
RUN find /venv/lib -path '*/botocore/data/*' -prune -type d \
      ! -name kms ! -name sts ! -name resourcegroupstaggingapi ! -name sqs -exec rm -r {} +

FROM ${BASE}
ARG REVISION=unknown
LABEL org.opencontainers.image.title="infra-operator" \
      org.opencontainers.image.description="AWS KMS keys as Kubernetes objects" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.licenses="Apache-2.0"
# The installation has compiled everything; at run time the root file system is read-only.
COPY --from=builder /venv /venv
ENV PATH=/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# A number, because kubelet cannot tell from a name that it is not root.
USER 65532:65532
EXPOSE 8080 8081
ENTRYPOINT ["infra-operator"]
CMD ["run"]
