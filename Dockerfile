# One image for the operator (`python -m ccf_operator`) and for the `stage` init container of every CCF node.
# BASE needs Python 3.11 or newer and pip: python:3.13-slim, or Debian 12 with python3 and python3-pip.
ARG BASE=python:3.13-slim

FROM ${BASE} AS packages
# pip's own settings, for building where PyPI cannot be reached: a mirror, or a directory of wheels mounted at build time.
ARG PIP_INDEX_URL
ARG PIP_FIND_LINKS
ARG PIP_NO_INDEX
ARG PIP_TRUSTED_HOST
COPY requirements.lock /build/requirements.lock
RUN python3 -m pip install --no-cache-dir --disable-pip-version-check --root-user-action ignore --only-binary :all: \
      --require-hashes --target /opt/ccf-operator --requirement /build/requirements.lock
# Two thirds of what would be installed are Kubernetes' generated models, imported only on use; the operator speaks plain JSON.
RUN cd /opt/ccf-operator && rm -rf bin kubernetes/docs && for part in kubernetes/client kubernetes/aio/client; do \
      find $part/models $part/api \( -name '*.py' ! -name __init__.py \) -o -name '*.pyc' | xargs rm -f; done
COPY operator/ccf_operator /opt/ccf-operator/ccf_operator
RUN python3 -m compileall -q /opt/ccf-operator

FROM ${BASE}
LABEL org.opencontainers.image.title="ccf-operator" \
      org.opencontainers.image.description="Runs CCF networks on Kubernetes and brings them back after the loss of their majority"
# Debian has no `python`; the pods that the operator makes call it so.
RUN command -v python || ln -s "$(command -v python3)" /usr/local/bin/python
COPY --from=packages /opt/ccf-operator /opt/ccf-operator
ENV PYTHONPATH=/opt/ccf-operator PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/ccf-operator
USER 65532:65532
EXPOSE 8080
ENTRYPOINT ["python3", "-m", "ccf_operator"]
