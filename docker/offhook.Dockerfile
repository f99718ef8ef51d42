# Offhook itself, with its starter models. Built from the repository's root:
#   docker build -f docker/offhook.Dockerfile -t offhook .
# docker/pin writes the digest behind this tag.
ARG PYTHON_IMAGE=python:3.13.9-slim-trixie
FROM ${PYTHON_IMAGE} AS build

RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/offhook
COPY requirements.lock ./
COPY docker/llama-cpp docker/llama-cpp
# llama.cpp in variants for every CPU: the image runs on other machines than built it.
RUN python -m venv /opt/venv \
    && docker/llama-cpp/wheel /opt/venv/bin/python >/tmp/wheel \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps "$(cat /tmp/wheel)" \
    && /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md ./
COPY docs/LICENSE docs/LICENSE
COPY bench bench
COPY voice_loop voice_loop
COPY pbx pbx
COPY models models
COPY api api
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps .

FROM ${PYTHON_IMAGE}

RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --create-home --home-dir /var/lib/offhook offhook
COPY --from=build /opt/venv /opt/venv
COPY docker/healthy /usr/local/bin/
# The engines' libraries are kept from the network; models/__init__.py says the same to them.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    ORT_DISABLE_TELEMETRY=1 \
    HF_HUB_OFFLINE=1 \
    HF_HUB_DISABLE_TELEMETRY=1 \
    DO_NOT_TRACK=1
USER offhook
WORKDIR /var/lib/offhook
VOLUME /var/lib/offhook
# Large models take their time to load.
HEALTHCHECK --interval=30s --timeout=10s --start-period=180s CMD ["healthy"]
STOPSIGNAL SIGTERM
ENTRYPOINT ["offhook"]
CMD ["serve"]
