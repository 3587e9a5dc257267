# One image for every role: `docker run ofrecord serve | work | schedule | integrate | migrate | …`.
#
# The base is pinned by tag. A digest is the stronger pin, but one that was never pulled and checked here would be a guess:
# whoever builds passes their own mirror's digest, `--build-arg BASE=python:3.13-slim-trixie@sha256:…`.
ARG BASE=python:3.13-slim-trixie

FROM ${BASE} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ONLY_BINARY=:all: PYTHONDONTWRITEBYTECODE=1
WORKDIR /src

# Dependencies first: this layer changes only with the lock. Hashes decide what is installed, not the index, and the
# lock is complete (DiCE asks for another distribution of the same XGBoost).
COPY requirements/image.txt requirements/build.txt requirements/
RUN python -m venv /opt/ofrecord \
 && /opt/ofrecord/bin/python -m pip install --no-deps --require-hashes -r requirements/image.txt \
 && python -m venv /opt/build \
 && /opt/build/bin/python -m pip install --require-hashes -r requirements/build.txt

# LightGBM's library asks the system for an OpenMP runtime that a slim system does not have: it gets the one that
# XGBoost's wheel brings.
RUN ln -s /opt/ofrecord/lib/python3*/site-packages/xgboost_cpu.libs/libgomp-*.so.* /opt/ofrecord/lib/libgomp.so.1

COPY pyproject.toml README.md LICENSE ./
COPY explain explain
COPY audit audit
COPY schemas schemas
COPY runtime runtime
COPY registry registry
COPY records records
COPY reports reports
COPY service service
COPY workers workers
COPY cli cli
COPY examples examples
RUN /opt/build/bin/python -m hatchling build -t wheel -d /wheel \
 && /opt/ofrecord/bin/python -m pip install --no-deps --no-index /wheel/*.whl \
 && /opt/ofrecord/bin/python -m compileall -q /opt/ofrecord/lib

# Kernels are compiled now, so that no first request waits for it. The cache knows its sources by their digest. Compiled code
# fits the processor it was compiled for; on another one it is compiled again at start, into the writable cache volume.
ENV OFRECORD_CACHE_DIR=/opt/ofrecord/kernels
RUN mkdir -p "$OFRECORD_CACHE_DIR" /state/public /state/witness && /opt/ofrecord/bin/python -m explain.warming

FROM ${BASE}
LABEL org.opencontainers.image.title="Ofrecord" \
      org.opencontainers.image.description="Explanations of record" \
      org.opencontainers.image.licenses="Apache-2.0"
ENV PATH=/opt/ofrecord/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PYTHONSAFEPATH=1 PYTHONHASHSEED=random \
    OMP_NUM_THREADS=1 \
    LD_LIBRARY_PATH=/opt/ofrecord/lib \
    OFRECORD_CACHE_DIR=/var/cache/ofrecord
COPY --from=build /opt/ofrecord /opt/ofrecord
COPY deploy/connected.py /opt/ofrecord/connected.py
COPY deploy/accepting.py /opt/ofrecord/accepting.py
# A named volume starts as a copy of this folder; the chart copies the kernels into its empty one.
COPY --from=build --chown=10001:10001 /opt/ofrecord/kernels /var/cache/ofrecord
# Named volumes start as copies of these: the public log, and what a witness remembers.
COPY --from=build --chown=10001:10001 /state /var/lib/ofrecord
# Numeric, so that a cluster can see without a lookup that it is not root.
USER 10001:10001
WORKDIR /var/cache/ofrecord
VOLUME /var/cache/ofrecord
EXPOSE 8321
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8321/healthz', timeout=2)"]
ENTRYPOINT ["ofrecord"]
CMD ["serve", "--host", "0.0.0.0", "--port", "8321"]
