# The runtime alone: opens, verifies and runs folders that edgekit made; no TensorFlow, no converter.
#   docker build -t edgekit .
#   docker run --rm -v ./out:/model:ro -v ./release.pub:/release.pub:ro edgekit verify /model --key /release.pub

FROM python:3.12-slim AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY runtimes runtimes
COPY converters converters
COPY toolkit toolkit
# By uv, as `make setup`: pip refuses a package that the lock names for its bound on Python's version.
RUN python -m pip install --no-cache-dir uv==0.13.9 \
    && python -m venv --without-pip /opt/edgekit \
    && uv pip install --no-cache --python /opt/edgekit/bin/python --require-hashes --requirement runtimes/requirements.lock \
    && uv pip install --no-cache --python /opt/edgekit/bin/python --no-deps .

FROM python:3.12-slim
COPY --from=build /opt/edgekit /opt/edgekit
# The user has no home: what is found out about files is kept for as long as the container is.
ENV PATH=/opt/edgekit/bin:$PATH XDG_CACHE_HOME=/tmp/cache
USER 65532:65532
ENTRYPOINT ["edgekit"]
CMD ["devices"]
