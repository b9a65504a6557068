# One image for every command of the product: `docker run liancheng COMMAND`. What builds is not what runs.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
WORKDIR /build
RUN python -m venv --without-pip /opt/liancheng
# Only wheels, only those of the lock, with its hashes; without the embedded servers and the tools.
COPY pyproject.toml requirements.lock ./
COPY tools/lock_subset.py tools/
RUN python tools/lock_subset.py runtime > runtime.lock \
    && pip --python /opt/liancheng/bin/python install --no-deps --require-hashes --only-binary :all: -r runtime.lock
RUN python tools/lock_subset.py build > build.lock \
    && pip install --no-deps --require-hashes --only-binary :all: -r build.lock
COPY LICENSE README.md ./
COPY schemas schemas
COPY services services
COPY liancheng liancheng
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/liancheng/bin/python install --no-deps --no-index dist/*.whl

FROM python:3.13-slim
LABEL org.opencontainers.image.title="liancheng" \
      org.opencontainers.image.description="Liancheng (联惩), the joint-punishment broker" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 liancheng \
    && useradd --uid 10001 --gid liancheng --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin liancheng \
    && install --directory --owner liancheng --group liancheng /var/lib/liancheng
COPY --from=build /opt/liancheng /opt/liancheng
COPY deploy/ready.py /opt/liancheng/ready.py
ENV PATH=/opt/liancheng/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1
USER 10001:10001
WORKDIR /var/lib/liancheng
ENTRYPOINT ["liancheng"]
CMD ["--help"]
