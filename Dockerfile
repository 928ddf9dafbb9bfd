# The server in an image: everything is installed in the first stage, the second runs it without root.
FROM node:22-slim AS page
COPY clients /src/clients
RUN cd /src/clients/web && npm ci --omit=dev

FROM python:3.12-slim AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/sayseek
WORKDIR /src
COPY pyproject.toml README.md LICENSE sayseek.py ./
COPY asr asr
COPY clients clients
COPY search search
COPY server server
COPY vad vad
RUN /opt/sayseek/bin/pip install '.[server]'

FROM python:3.12-slim
# The decoder is compiled for the processor on which the image runs, at its first start.
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home --uid 10001 sayseek && install -d -o sayseek -g sayseek /data
COPY --from=build /opt/sayseek /opt/sayseek
# What finds speech in the browser, so that only speech is sent.
COPY --from=page /src/clients/web/node_modules \
    /opt/sayseek/lib/python3.12/site-packages/clients/web/node_modules
ENV PATH=/opt/sayseek/bin:$PATH \
    SAYSEEK_HOST=0.0.0.0 \
    SAYSEEK_PORT=8000 \
    SAYSEEK_INDEX=tantivy:/data/index \
    SAYSEEK_HUB_CACHE=/data/models \
    SAYSEEK_CACHE=/data/cache
USER 10001
WORKDIR /data
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['SAYSEEK_PORT']}/readyz\", timeout=2)"]
# SIGTERM goes to the server itself, which finishes what is in flight.
STOPSIGNAL SIGTERM
CMD ["sayseek-server", "serve"]
