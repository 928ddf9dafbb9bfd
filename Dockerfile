# The server in an image: everything is installed in the build stage, the last runs it without root and without a compiler.
FROM node:22-slim AS page
COPY clients /src/clients
RUN cd /src/clients/web && npm ci --omit=dev

FROM python:3.12-slim-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends gcc libc6-dev
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /opt/sayseek
WORKDIR /src
COPY requirements requirements
# Where PyTorch comes from: by default its builds for the CPU. Empty (TORCH_INDEX=), it is the build with CUDA.
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN /opt/sayseek/bin/python requirements/install.py --torch-index "$TORCH_INDEX" server
COPY pyproject.toml hatch_build.py README.md LICENSE sayseek.py ./
COPY asr asr
COPY clients clients
COPY evaluation evaluation
COPY pipeline pipeline
COPY search search
COPY server server
COPY vad vad
RUN /opt/sayseek/bin/pip install --no-deps --no-build-isolation .
# An image without the compiled network would run several times slower: it is not made.
RUN cd / && /opt/sayseek/bin/python -c "from asr.runtime.native.library import load_kernels; print(*load_kernels())"

FROM python:3.12-slim-bookworm
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
