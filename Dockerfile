# syntax=docker/dockerfile:1.7
# Two stages: what builds the environment stays behind. To pin by content, pass PYTHON_IMAGE with its @sha256 digest.
ARG PYTHON_IMAGE=python:3.11.14-slim-bookworm

FROM ${PYTHON_IMAGE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /opt/absah
WORKDIR /source
# Dependencies first: they change less often than our code, so this layer is reused.
COPY requirements/run.txt requirements/run.txt
RUN /opt/absah/bin/pip install --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY app app
COPY ca ca
COPY identity identity
COPY keys keys
COPY signing signing
COPY verify verify
RUN /opt/absah/bin/pip install --no-deps --no-index --no-build-isolation .

FROM ${PYTHON_IMAGE} AS run
LABEL org.opencontainers.image.title="absah" \
      org.opencontainers.image.description="Sealed PDFs that anyone can check" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/absah/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A number, so that a cluster can see that it is not root; the folders give new volumes their owner.
RUN groupadd --gid 10001 absah \
 && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/absah --shell /usr/sbin/nologin absah \
 && install -d -o 10001 -g 10001 -m 0700 /var/lib/absah /var/lib/absah/run \
 && install -d -o 10001 -g 10001 -m 0755 /var/lib/absah/trust
COPY --from=build /opt/absah /opt/absah
USER 10001:10001
WORKDIR /var/lib/absah
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8000/readyz', timeout=4)"]
ENTRYPOINT ["absah"]
CMD ["serve"]
