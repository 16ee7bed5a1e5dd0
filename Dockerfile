# The exporter on a slim Python: no compiler, no pip, nothing that it writes to.
#   docker build --build-arg REVISION="$(git rev-parse HEAD)" --tag registry-integrity-exporter .
# Both images are to have the same Python, at the same place.
ARG BUILD_IMAGE=python:3.11-bookworm
ARG BASE_IMAGE=python:3.11-slim-bookworm

FROM ${BUILD_IMAGE} AS build
SHELL ["/bin/sh", "-euc"]
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/
RUN python -m venv /tools; \
    /tools/bin/pip install --require-hashes --requirement requirements/build.txt; \
    /tools/bin/pip wheel --require-hashes --requirement requirements/runtime.txt --wheel-dir /wheels
COPY pyproject.toml README.md LICENSE ./
COPY exporter exporter
# The compiled files come along, since nothing can be written later.
RUN /tools/bin/pip wheel --no-deps --no-index --no-build-isolation --wheel-dir /wheels .; \
    python -m venv --without-pip /opt/exporter; \
    /tools/bin/pip --python /opt/exporter/bin/python install --no-index --no-deps --compile /wheels/*.whl; \
    /tools/bin/pip --python /opt/exporter/bin/python check

FROM ${BASE_IMAGE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="registry-integrity-exporter" \
      org.opencontainers.image.description="Prometheus exporter that finds the images a container registry lists but can no longer serve." \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
RUN python -m pip uninstall --yes pip setuptools wheel \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3*/ensurepip
COPY --from=build /opt/exporter /opt/exporter
USER 65532:65532
EXPOSE 9949
# No HEALTHCHECK: Kubernetes ignores it, and /-/healthy and /-/ready are there for whoever asks.
ENTRYPOINT ["/opt/exporter/bin/registry-integrity-exporter"]
CMD ["serve"]
