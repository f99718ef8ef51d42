# Offhook itself, with its starter models. Built from the repository's root:
#   docker build -f docker/offhook.Dockerfile -t offhook .
FROM python:3.13-slim-trixie AS build

RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential cmake \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/offhook
COPY requirements.lock ./
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY docs/LICENSE docs/LICENSE
COPY bench bench
COPY voice_loop voice_loop
COPY pbx pbx
COPY models models
COPY api api
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps .

FROM python:3.13-slim-trixie

RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/offhook offhook
COPY --from=build /opt/venv /opt/venv
# The engines' libraries are kept from the network; models/__init__.py says the same to them.
ENV PATH=/opt/venv/bin:$PATH \
    ORT_DISABLE_TELEMETRY=1 \
    HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1
USER offhook
WORKDIR /var/lib/offhook
VOLUME /var/lib/offhook
ENTRYPOINT ["offhook"]
CMD ["serve"]
